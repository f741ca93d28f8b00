package sfu

import (
	"slices"
	"time"

	"github.com/pion/rtcp"
)

// reception follows what comes of one RTP stream: what is missing, and the figures of a receiver report
// (RFC 3550, sections 6.4.1, A.3 and A.8). Up's lock guards it.
type reception struct {
	clock   uint32
	started bool
	first   uint32 // extended sequence numbers
	highest uint32
	last    time.Time // when a packet came last
	count   uint32    // packets that came, retransmitted ones too
	missing []missing

	again time.Duration // how long a packet that is asked for again takes to come, as lately

	lastExpected, lastCount uint32 // at the report before
	jitter                  float64
	lastTransit             float64

	reportNTP uint32 // the middle of the publisher's last report, and when it came
	reportAt  time.Time
}

type missing struct {
	seq   uint16
	since time.Time
	asked time.Time
	times int
}

// How a missing packet is asked for: again after askAgain, or where the way there and back takes longer, after
// that.
const (
	maxMissing  = 256
	maxAsked    = 10
	askAgain    = 60 * time.Millisecond
	giveUpAfter = time.Second
	// So many packets are not asked for that did not come during so long a silence: sent again at once they would fill the
	// link, and a key frame is there sooner.
	outageTime  = 500 * time.Millisecond
	outageLeast = 24
)

// take notes a packet's arrival. ask says that packets are missing since now, afresh that so many are that they are given
// up. late says that it came twice, or when it was given up.
func (r *reception) take(seq uint16, timestamp uint32, at time.Time) (ask, afresh, late bool) {
	quiet := at.Sub(r.last)
	r.last = at
	if !r.started {
		r.started, r.first, r.highest, r.count = true, uint32(seq)|1<<16, uint32(seq)|1<<16, 1
		return false, false, false
	}
	ahead := int16(seq - uint16(r.highest))
	if ahead <= 0 {
		return false, false, !r.fill(seq, at)
	}
	r.count++
	if ahead > maxMissing || ahead > outageLeast && quiet > outageTime { // an outage, or a new stream under the old name
		r.missing, r.highest = r.missing[:0], r.highest+uint32(ahead)
		return false, true, false
	}
	if over := len(r.missing) + int(ahead) - 1 - maxMissing; over > 0 {
		r.missing = slices.Delete(r.missing, 0, min(over, len(r.missing)))
	}
	for s := uint16(r.highest) + 1; s != seq; s++ {
		r.missing = append(r.missing, missing{seq: s, since: at})
	}
	r.highest += uint32(ahead)
	r.delay(timestamp, at)
	return ahead > 1, false, false
}

// fill takes a packet that was missing; false where it was not.
func (r *reception) fill(seq uint16, at time.Time) bool {
	i := slices.IndexFunc(r.missing, func(m missing) bool { return m.seq == seq })
	if i < 0 {
		return false
	}
	if m := r.missing[i]; m.times == 1 {
		r.again += (at.Sub(m.asked) - r.again) / 4
	}
	r.missing = slices.Delete(r.missing, i, i+1)
	r.count++
	return true
}

// delay follows the jitter, in ticks of the clock.
func (r *reception) delay(timestamp uint32, at time.Time) {
	arrival := float64(at.UnixMicro()%(1<<40)) * float64(r.clock) / 1e6
	transit := arrival - float64(timestamp)
	if r.lastTransit != 0 {
		d := transit - r.lastTransit
		if d < 0 {
			d = -d
		}
		if d < float64(r.clock)*10 { // not where the timestamp wraps
			r.jitter += (d - r.jitter) / 16
		}
	}
	r.lastTransit = transit
}

// due returns the missing packets that are to be asked for now, and forgets the hopeless.
func (r *reception) due(now time.Time) []uint16 {
	var due []uint16
	r.missing = slices.DeleteFunc(r.missing, func(m missing) bool {
		return m.times >= maxAsked || now.Sub(m.since) > giveUpAfter
	})
	for i := range r.missing {
		m := &r.missing[i]
		if now.Sub(m.asked) >= max(askAgain, r.again*3/2) { // asked too soon, it would come twice over a full link
			m.asked, m.times = now, m.times+1
			due = append(due, m.seq)
		}
	}
	return due
}

// report returns the reception report for a stream.
func (r *reception) report(ssrc uint32, now time.Time) (rtcp.ReceptionReport, bool) {
	if !r.started {
		return rtcp.ReceptionReport{}, false
	}
	expected := r.highest - r.first + 1
	lost := int64(expected) - int64(r.count)
	interval, came := expected-r.lastExpected, r.count-r.lastCount
	r.lastExpected, r.lastCount = expected, r.count
	fraction := uint8(0)
	if interval > came {
		fraction = uint8(min(255, (interval-came)*256/interval))
	}
	report := rtcp.ReceptionReport{SSRC: ssrc, FractionLost: fraction, TotalLost: uint32(min(max(lost, 0), 1<<23-1)),
		LastSequenceNumber: r.highest, Jitter: uint32(r.jitter)}
	if !r.reportAt.IsZero() {
		report.LastSenderReport = r.reportNTP
		report.Delay = uint32(now.Sub(r.reportAt).Seconds() * 65536)
	}
	return report, true
}
