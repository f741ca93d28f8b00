package sfu

import (
	"time"

	"github.com/pion/rtcp"
)

// How often a link sees to what has to be done from time to time. Publishers hear of the arrival of their
// packets often enough to adapt; receivers get their reports.
const (
	feedbackEvery = 50 * time.Millisecond
	reportEvery   = time.Second
)

// upkeep sends reports, feedback and requests for missing packets until the link closes.
func (l *link) upkeep() {
	select {
	case <-l.connected:
	case <-l.stop:
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var acknowledged time.Time
	for reported := l.Now(); ; {
		select {
		case <-timer.C:
		case <-l.changed: // the first up track has come, or a slot went to another rung
		case <-l.stop:
			return
		}
		now := l.Now()
		ups, downs := l.tracks()
		next := reportEvery
		if len(ups) > 0 {
			next = feedbackEvery
		}
		if len(ups) > 0 && now.Sub(acknowledged) >= feedbackEvery-early {
			acknowledged = now
			l.acknowledge(ups)
			l.want(now)
			for _, u := range ups {
				u.askMissing(now)
			}
		}
		if now.Sub(reported) >= reportEvery-feedbackEvery {
			reported = now
			l.try(now)
			l.report(ups, downs, now)
		}
		paced := false
		for _, d := range downs {
			paced = d.pace(now) || paced
		}
		if paced {
			l.flush()
			next = paceEvery
		}
		timer.Reset(together(now, next))
	}
}

// early is by how much a turn may come before its time, since the last one may have been late.
const early = feedbackEvery / 4

// together returns about d, such that links wake in the same moments: to be woken from sleep costs a processor more than
// what there is to do.
func together(now time.Time, d time.Duration) time.Duration {
	if d < feedbackEvery {
		return d
	}
	return now.Add(d).Truncate(feedbackEvery).Sub(now)
}

// try looks whether a link that is not heard of bears more by now.
func (l *link) try(now time.Time) {
	l.hearing.Lock()
	defer l.hearing.Unlock()
	l.estimate.Idle(now)
	if l.estimate.Rate > 0 {
		l.share(now)
	}
}

func (l *link) tracks() ([]*Up, []*Down) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ups, l.downs
}

// acknowledge tells the publisher which of its packets came, and when.
func (l *link) acknowledge(ups []*Up) {
	l.arrivals.Lock()
	packets := l.arrived.BuildFeedbackPacket()
	l.arrivals.Unlock()
	if len(packets) == 0 {
		return
	}
	for _, p := range packets {
		if cc, ok := p.(*rtcp.TransportLayerCC); ok {
			cc.MediaSSRC = ups[0].ssrc
		}
	}
	_ = l.pc.WriteRTCP(packets)
}

// report sends the sender reports of all slots and the reception reports of all up tracks.
func (l *link) report(ups []*Up, downs []*Down, now time.Time) {
	var packets []rtcp.Packet
	for _, d := range downs {
		if r, ok := d.senderReport(now); ok {
			packets = append(packets, &r)
		}
	}
	var reports []rtcp.ReceptionReport
	for _, u := range ups {
		if r, ok := u.receptionReport(now); ok {
			reports = append(reports, r)
		}
	}
	if len(reports) > 0 {
		packets = append(packets, &rtcp.ReceiverReport{SSRC: ownSSRC, Reports: reports})
	}
	if len(packets) > 0 {
		_ = l.pc.WriteRTCP(packets)
	}
}

// ownSSRC is the relay's name as a receiver.
const ownSSRC = 1
