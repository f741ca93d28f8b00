// Package congestion finds out what a link carries, from transport-wide feedback: the relay uses it for each of its
// receivers, and a client for its way to the relay.
package congestion

import (
	"slices"
	"time"
)

// Estimator finds out how many bits per second a link carries, from the feedback of its far end. It
// lowers the estimate to what came through when packets begin to queue on the way, or are lost in masses, and
// raises it again by trying. One goroutine uses it at a time.
type Estimator struct {
	// Rate is the estimate, bits per second. It begins with what the caller sets, or where that is 0, once there is
	// any feedback, with a good link.
	Rate float64
	Want float64 // what could be sent if the link bore it; the caller sets it
	Loss float64 // the share of packets that were lost of late, 0 to 1

	base    [2]time.Duration // the least one-way delay, of the last and of the current window
	window  time.Time        // when the current one began
	recent  []delivery       // of the last second
	delays  []time.Duration  // reused
	began   time.Time        // sent times are reckoned from it
	last    time.Time        // of the last update
	cutAt   time.Time
	fine    time.Time // when the link was last not too narrow
	ceiling float64   // what did not work lately, tried again after until
	until   time.Time
	penalty time.Duration
	moved   time.Time

	queue  time.Duration // as it was last
	before time.Duration // as it was a moment ago
	since  time.Time     // when that was

	step  step
	burst burst
	wide  int       // bursts in a row that say that the link bears much more than the estimate
	bears float64   // the least that these say, bits per second
	leapt time.Time // when the estimate last believed them
	doubt time.Time // until then it does not: they were wrong
}

type delivery struct {
	at         time.Time
	span       time.Duration // since the feedback before
	bits       int           // that came
	sentBits   int
	sent, lost int
}

// The figures of the estimate. Chosen by the scenarios of the tests: links of 150 kbit/s to 4 Mbit/s, up to
// a second of delay, and random loss up to 30 %, which by itself is no reason to send less.
const (
	firstRate    = 10e6
	leastRate    = 50e3
	lossWindow   = 2 * time.Second
	baseWindow   = 5 * time.Second
	queueLong    = 120 * time.Millisecond // packets queue: send less
	queueShort   = 50 * time.Millisecond  // they do not: try more
	lossMuch     = 0.5
	lossQueued   = 0.12 // with some queue: a short buffer that overflows
	cutTo        = 0.85
	cutStep      = 0.9
	persists     = 350 * time.Millisecond // a receiver that was held up for a moment is no narrow link
	cutPause     = 400 * time.Millisecond
	growth       = 0.7                    // a second
	outageTime   = 300 * time.Millisecond // no packet of so many in a row for so long: an outage and no loss
	outageLeast  = 12
	probe        = 1.3 // of what is wanted is tried at most
	firstPenalty = 4 * time.Second
	maxPenalty   = 10 * time.Second
	wideBursts   = 3
	wider        = 2 // times the estimate
	doubtTime    = 30 * time.Second
)

// Update takes the acks of one feedback message.
func (e *Estimator) Update(acks []Ack, now time.Time) {
	if e.began.IsZero() {
		e.began, e.last, e.penalty = now, now, firstPenalty
		if e.Rate == 0 {
			e.Rate = firstRate
		}
	}
	if back, ok := outage(acks); ok {
		e.Moved(back)
	}
	d := delivery{at: now, span: min(now.Sub(e.last), time.Second)}
	e.delays = e.delays[:0]
	for _, a := range acks {
		if a.Sent.Before(e.moved) {
			continue
		}
		d.sent++
		d.sentBits += 8 * a.Size
		if a.Lost {
			d.lost++
			e.burst = burst{}
			continue
		}
		d.bits += 8 * a.Size
		delay := a.Arrived - a.Sent.Sub(e.began)
		e.delays = append(e.delays, delay)
		e.step.add(a.Sent, delay, e.queue)
		if bears, ok := e.burst.add(a); ok {
			e.compare(bears)
		}
	}
	if d.sent == 0 {
		return
	}
	e.recent = append(e.recent, d)
	if len(e.delays) > 0 {
		slices.Sort(e.delays)
		if e.step.done(e.delays[0]) {
			e.window, e.queue, e.before = time.Time{}, 0, 0
		}
		e.follow(e.delays[0], e.delays[len(e.delays)/2], now)
	}
	e.decide(now)
}

// outage says whether nothing at all came through for a while, and since when packets come again.
func outage(acks []Ack) (back time.Time, ok bool) {
	lost, since := 0, time.Time{}
	for _, a := range acks {
		switch {
		case a.Lost && lost == 0:
			lost, since = 1, a.Sent
		case a.Lost:
			lost++
		default:
			if lost >= outageLeast && a.Sent.Sub(since) >= outageTime {
				back, ok = a.Sent, true
			}
			lost = 0
		}
	}
	return back, ok
}

// Idle is called now and then; it goes on where nothing was sent, so that nothing was heard: the link is tried again after a time.
func (e *Estimator) Idle(now time.Time) {
	if !e.began.IsZero() && now.Sub(e.last) > time.Second/2 {
		e.queue, e.recent = 0, e.recent[:0]
		e.decide(now)
	}
}

// Moved says that packets take another way from a moment on, or come through again after a while in which none did: what was
// known of the delay and of what did not work is not about it, nor what was lost before. The rate stays, until the new way
// shows what it bears.
func (e *Estimator) Moved(at time.Time) {
	e.moved = at
	e.window, e.queue, e.before = time.Time{}, 0, 0
	e.step, e.burst, e.wide, e.doubt = step{}, burst{}, 0, time.Time{}
	e.recent = e.recent[:0]
	e.ceiling, e.until, e.penalty = 0, time.Time{}, firstPenalty
}

// follow keeps the least delay of the last seconds, which is the path's own, and how much more there is now.
func (e *Estimator) follow(least, median time.Duration, now time.Time) {
	if e.window.IsZero() {
		e.window, e.base = now, [2]time.Duration{least, least}
	}
	if now.Sub(e.window) > baseWindow {
		e.window, e.base = now, [2]time.Duration{e.base[1], least}
	}
	e.base[1] = min(e.base[1], least)
	e.queue = median - min(e.base[0], e.base[1])
}

func (e *Estimator) decide(now time.Time) {
	e.recent = slices.DeleteFunc(e.recent, func(o delivery) bool { return now.Sub(o.at) > lossWindow })
	var bits, sentBits, sent, lost int
	var span time.Duration
	for _, d := range e.recent {
		sent, lost = sent+d.sent, lost+d.lost
		if now.Sub(d.at) <= time.Second {
			bits, sentBits, span = bits+d.bits, sentBits+d.sentBits, span+d.span
		}
	}
	e.Loss = float64(lost) / float64(max(sent, 1))
	span = max(span, time.Second/10)
	came, left := float64(bits)/span.Seconds(), float64(sentBits)/span.Seconds()
	enough := sent >= 20
	elapsed := min(now.Sub(e.last), time.Second).Seconds()
	e.last = now
	growing := e.queue >= e.before-10*time.Millisecond
	if now.Sub(e.since) > 200*time.Millisecond {
		e.before, e.since = e.queue, now
	}
	over := e.queue > queueLong && growing || enough && (e.Loss > lossMuch || e.Loss > lossQueued && e.queue > queueShort)
	if !over {
		e.fine = now
	}
	switch {
	case over && e.step.open() && e.Loss <= lossMuch: // the way may be longer, and that is all
	case over && now.Sub(e.fine) >= persists:
		e.cut(came, left, now)
	case e.queue < queueShort:
		if now.Sub(e.cutAt) > 4*e.penalty {
			e.penalty = firstPenalty
		}
		if e.wide >= wideBursts && now.After(e.doubt) {
			e.leapt, e.until, e.wide = now, time.Time{}, 0
			e.Rate = max(e.Rate, min(e.bears/wider, e.Want))
		}
		limit := max(2*came+300e3, probe*e.Want)
		if now.Before(e.until) {
			limit = min(limit, e.ceiling)
		}
		e.Rate = max(e.Rate, min(e.Rate*(1+growth*elapsed), limit))
	}
}

// cut lowers the estimate to less than what came, so that the queue empties, and remembers not to try as
// much again too soon. Where much less was sent than the estimate, and all of it came, what came says little:
// then it goes down by a step.
func (e *Estimator) cut(came, left float64, now time.Time) {
	if now.Sub(e.cutAt) < cutPause {
		return
	}
	if !e.cutAt.IsZero() && now.Sub(e.cutAt) > 2*time.Second {
		e.penalty = min(2*e.penalty, maxPenalty) // tried again, and failed again
	}
	if now.Sub(e.leapt) < firstPenalty {
		e.doubt = now.Add(doubtTime)
	}
	to := cutTo * came
	if left < e.Rate/2 && came > 0.9*left {
		to = max(to, cutStep*min(e.Rate, probe*max(e.Want, left)))
	}
	e.Rate = min(e.Rate, max(to, leastRate))
	e.ceiling, e.until = max(came, e.Rate), now.Add(e.penalty)
	e.cutAt, e.recent = now, e.recent[:0] // what was lost before says nothing of what comes now
}

// compare notes what a burst says that the link bears, bits per second.
func (e *Estimator) compare(bears float64) {
	switch {
	case bears < wider*e.Rate:
		e.wide = 0
	case e.wide == 0:
		e.wide, e.bears = 1, bears
	default:
		e.wide, e.bears = e.wide+1, min(e.bears, bears)
	}
}
