package congestion

import (
	"testing"
	"time"
)

// path is a link of a bandwidth with a queue, fed by a sender that follows the estimate up to what it has.
type path struct {
	e     Estimator
	now   time.Time
	free  time.Time
	bits  float64
	delay time.Duration
	twos  bool // packets leave two by two
}

// run lets so much time pass and returns the estimate at its end. The sender has so many bits per second.
func (p *path) run(d time.Duration, has float64) float64 {
	const size = 1200
	var credit float64
	at := 1 // packets at once
	if p.twos {
		at = 2
	}
	for end := p.now.Add(d); p.now.Before(end); {
		var acks []Ack
		for range 10 { // 100 ms of feedback
			p.now = p.now.Add(10 * time.Millisecond)
			rate := has
			if p.e.Rate > 0 {
				rate = min(has, p.e.Rate)
			}
			credit += rate / 100
			for range at * int(credit/float64(at*8*size)) {
				credit -= 8 * size
				if p.free.Before(p.now) {
					p.free = p.now
				}
				if p.free.Sub(p.now) > 300*time.Millisecond {
					acks = append(acks, Ack{Sent: p.now, Size: size, Lost: true})
					continue
				}
				p.free = p.free.Add(time.Duration(8 * size / p.bits * float64(time.Second)))
				acks = append(acks, Ack{Sent: p.now, Arrived: p.free.Add(p.delay).Sub(time.Unix(0, 0)), Size: size})
			}
		}
		p.e.Want = has
		p.e.Update(acks, p.now)
	}
	return p.e.Rate
}

// mean returns the average of the estimate over so many seconds.
func (p *path) mean(seconds int, has float64) (mean float64) {
	for range 10 * seconds {
		mean += p.run(time.Second/10, has) / float64(10*seconds)
	}
	return mean
}

// Whatever the link and its delay: within seconds the estimate is no more than the link carries, and most of it
// where the sender has that much.
func TestTheEstimateFindsTheLink(t *testing.T) {
	for _, bits := range []float64{150e3, 500e3, 1.5e6, 4e6} {
		for _, delay := range []time.Duration{0, time.Second} {
			p := path{now: time.Unix(1000, 0), bits: bits, delay: delay}
			p.run(8*time.Second, 6e6)
			if mean := p.mean(20, 6e6); mean > 1.1*bits || mean < 0.5*bits {
				t.Errorf("%.0f kbit/s with %v of delay: estimated %.0f kbit/s", bits/1e3, delay, mean/1e3)
			}
		}
	}
}

func TestTheEstimateFollowsTheLink(t *testing.T) {
	p := path{now: time.Unix(1000, 0), bits: 4e6}
	p.run(5*time.Second, 3e6)
	p.bits = 400e3
	p.run(2*time.Second, 3e6)
	if got := p.mean(10, 3e6); got > 440e3 {
		t.Errorf("after the link became narrow: %.0f kbit/s", got/1e3)
	}
	p.bits = 4e6
	if got := p.run(20*time.Second, 3e6); got < 2.9e6 {
		t.Errorf("20 s after the link became wide: %.0f kbit/s", got/1e3)
	}
}

// Who goes over another way, which is longer, is not taken for somebody whose packets queue.
func TestAnotherWayIsNoQueue(t *testing.T) {
	p := path{now: time.Unix(1000, 0), bits: 10e6}
	p.run(5*time.Second, 2e6)
	p.delay = 400 * time.Millisecond
	p.e.Moved(p.now)
	p.e.Update([]Ack{{Sent: p.now.Add(-time.Second), Size: 1e6, Lost: true}}, p.now)
	for range 40 {
		if rate := p.run(time.Second/10, 2e6); rate < 2e6 {
			t.Fatalf("the estimate went down to %.0f", rate)
		}
	}
}

// Nor where nobody says that the way is another: it is longer from one packet to the next, and stays so. Where it becomes narrow
// in the same moment, that is seen.
func TestALongerWayIsNoQueue(t *testing.T) {
	for _, longer := range []time.Duration{200 * time.Millisecond, time.Second} {
		p := path{now: time.Unix(1000, 0), bits: 10e6}
		p.run(5*time.Second, 2e6)
		p.delay = longer
		for range 40 {
			if rate := p.run(time.Second/10, 2e6); rate < 2e6 {
				t.Fatalf("%v longer: the estimate went down to %.0f", longer, rate)
			}
		}
		p.bits, p.delay = 500e3, 2*longer
		if rate := p.run(3*time.Second, 2e6); rate > 600e3 {
			t.Errorf("%v longer, and narrow: %.0f", longer, rate)
		}
	}
}

// A receiver that gets key frames only, in twos, has all that it can get soon after its link is wide again, however often
// that was tried before.
func TestTwosShowThatTheLinkIsWide(t *testing.T) {
	p := path{now: time.Unix(1000, 0), bits: 200e3, twos: true}
	p.run(30*time.Second, 3e6)
	p.bits = 10e6
	if got := p.run(3*time.Second, 3e6); got < 2.9e6 {
		t.Errorf("3 s after the link became wide: %.0f kbit/s", got/1e3)
	}
}

// Who hears nothing for a while, and then all again, has no narrow link, however long that was; who loses much has one.
func TestAnOutageIsNoLoss(t *testing.T) {
	for _, lasts := range []int{50, 100, 200} { // packets, 10 ms apart
		p := path{now: time.Unix(1000, 0), bits: 10e6}
		p.run(5*time.Second, 2e6)
		was := p.e.Rate
		var acks []Ack
		for range lasts {
			p.now = p.now.Add(10 * time.Millisecond)
			acks = append(acks, Ack{Sent: p.now, Size: 1200, Lost: true})
		}
		p.now = p.now.Add(10 * time.Millisecond)
		p.free = p.now
		p.e.Update(append(acks, Ack{Sent: p.now, Arrived: p.now.Sub(time.Unix(0, 0)), Size: 1200}), p.now)
		for range 40 {
			if rate := p.run(time.Second/10, 2e6); rate < was {
				t.Fatalf("after %d lost packets the estimate went from %.0f to %.0f", lasts, was, rate)
			}
		}
		p.bits = 500e3
		if rate := p.run(3*time.Second, 2e6); rate > 600e3 {
			t.Errorf("the link became narrow: %.0f", rate)
		}
	}
}
