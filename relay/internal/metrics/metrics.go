// Package metrics shows the relay's figures to Prometheus. They are read when they are asked for, so that
// forwarding pays nothing for them but its own counters.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sightline/relay/internal/room"
	"sightline/relay/internal/udp"
	"sightline/relay/internal/webhook"
	"sightline/relay/wire"
)

// Source is what is shown.
type Source interface {
	Rooms() []room.Status
	Sent() udp.Stats
	Waiting(room string) []room.Asker // all rooms' where room is empty
	Webhooks() webhook.Stats
}

// Handler serves the figures of a source, of the process and of the Go runtime.
func Handler(s Source) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collector{s})
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

type collector struct{ source Source }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("sightline_"+name, help, labels, nil)
}

var (
	rooms        = describe("rooms", "Open rooms.")
	participants = describe("participants", "Connected participants.", "room", "role")
	received     = describe("track_packets_received_total", "RTP packets that a publisher's track has brought.", "room", "participant", "track")
	failed       = describe("participant_packets_failed_total", "RTP packets that could not be written to a participant.", "room", "participant")
	given        = describe("participant_packets_sent_total", "RTP packets that a participant was sent, for the first time.", "room", "participant")
	skipped      = describe("participant_packets_skipped_total", "RTP packets that a participant was not sent: a key frame is waited for, or its link bears no moving picture.", "room", "participant")
	repeated     = describe("participant_packets_repeated_total", "RTP packets that a participant was sent from what is kept, for a picture at once.", "room", "participant")
	again        = describe("participant_packets_again_total", "RTP packets that a participant was sent again.", "room", "participant")
	late         = describe("track_packets_late_total", "RTP packets of a publisher that came twice, or after they were given up.", "room", "participant", "track")
	resent       = describe("participant_packets_resent_total", "RTP packets that a participant asked for again.", "room", "participant")
	missed       = describe("telemetry_missed_total", "Readings of machines that came faster than the log took them.", "room")
	lossy        = describe("lossy_dropped_total", "Poses and pointers let go for slow receivers.", "room")
	sent         = describe("udp_packets_sent_total", "RTP packets handed to the kernel.")
	calls        = describe("udp_calls_total", "System calls that took.")
	dropped      = describe("udp_packets_dropped_total", "RTP packets that the socket did not take.")
	bits         = describe("track_bits_per_second", "What a publisher's track takes.", "room", "participant", "track")
	lost         = describe("track_packets_lost_total", "RTP packets that have not come from a publisher.", "room", "participant", "track")
	estimate     = describe("link_bits_per_second", "What a participant's link bears, as far as it was tried.", "room", "participant")
	loss         = describe("link_loss_ratio", "The share of packets that a participant's link has lost of late.", "room", "participant")
	rungs        = describe("pictures", "Pictures that are sent to participants, by how much of them their links bear.", "room", "rung")
	waiting      = describe("lobby_waiting", "People who wait to be let in.", "room")
	hooksSent    = describe("webhooks_sent_total", "Webhooks that were taken.")
	hooksFailed  = describe("webhooks_failed_total", "Tries of webhooks that failed.")
	hooksDropped = describe("webhooks_dropped_total", "Webhooks that came faster than they could be kept.")
)

// Describe is prometheus.Collector's.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{rooms, participants, received, failed, given, skipped, repeated, again, late, resent, missed, lossy, sent, calls, dropped,
		bits, lost, estimate, loss, rungs, waiting, hooksSent, hooksFailed, hooksDropped} {
		out <- d
	}
}

// Collect is prometheus.Collector's.
func (c collector) Collect(out chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	all := c.source.Rooms()
	out <- prometheus.MustNewConstMetric(rooms, prometheus.GaugeValue, float64(len(all)))
	for _, r := range all {
		roles, shown := map[string]int{}, map[string]int{wire.RungFull: 0, wire.RungSmall: 0, wire.RungFewer: 0, wire.RungKeyFrames: 0, wire.RungStills: 0, wire.RungOff: 0}
		for _, p := range r.Participants {
			roles[p.Role]++
			counter(failed, p.DroppedPackets, r.Room, p.ID)
			counter(given, p.Link.Packets.Sent, r.Room, p.ID)
			counter(skipped, p.Link.Packets.Skipped, r.Room, p.ID)
			counter(repeated, p.Link.Packets.Repeated, r.Room, p.ID)
			counter(again, p.Link.Packets.Again, r.Room, p.ID)
			counter(resent, p.ResentPackets, r.Room, p.ID)
			gauge(estimate, p.Link.Estimate, r.Room, p.ID)
			gauge(loss, p.Link.Loss, r.Room, p.ID)
			for _, picture := range p.Link.Rungs {
				shown[picture.Rung]++
			}
		}
		for role, n := range roles {
			out <- prometheus.MustNewConstMetric(participants, prometheus.GaugeValue, float64(n), r.Room, role)
		}
		for _, t := range r.Tracks {
			counter(received, t.Packets, r.Room, t.Participant, t.Name)
			counter(late, t.Late, r.Room, t.Participant, t.Name)
			counter(lost, t.Lost, r.Room, t.Participant, t.Name)
			gauge(bits, t.Bits, r.Room, t.Participant, t.Name)
		}
		for rung, n := range shown {
			gauge(rungs, float64(n), r.Room, rung)
		}
		counter(missed, r.MissedTelemetry, r.Room)
		counter(lossy, r.DroppedLossy, r.Room)
	}
	asking := map[string]int{}
	for _, a := range c.source.Waiting("") {
		asking[a.Room]++
	}
	for name, n := range asking {
		gauge(waiting, float64(n), name)
	}
	hooks := c.source.Webhooks()
	counter(hooksSent, hooks.Sent)
	counter(hooksFailed, hooks.Failed)
	counter(hooksDropped, hooks.Dropped)
	s := c.source.Sent()
	counter(sent, s.Packets)
	counter(calls, s.Calls)
	counter(dropped, s.Dropped)
}
