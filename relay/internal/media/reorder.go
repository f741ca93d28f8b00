// Package media puts RTP packets back in order and whole frames back together. It is pure: packets and
// the time go in, frames come out. The client's receiving edge and the relay's recorder both use it.
package media

import (
	"time"

	"github.com/pion/rtp"
)

// window is how many packets a Reorder holds while it waits for a missing one: a second of 4 Mbit/s.
const window = 512

// Reorder puts the packets of one RTP stream in the order of their sequence numbers. One goroutine
// uses it. A missing packet is waited for, so that a retransmission can fill the gap, and then given up.
type Reorder struct {
	// Patience is how long a missing packet is waited for.
	Patience time.Duration

	ring    [window]*rtp.Packet
	next    uint16
	held    int
	started bool
	waiting time.Time // since when next is missed; zero when it is not
}

// Push takes a packet, which the caller no longer touches. Packets that come twice or too late are let
// go. One from outside of the window begins the stream anew.
func (r *Reorder) Push(p *rtp.Packet, now time.Time) {
	if !r.started {
		r.started, r.next = true, p.SequenceNumber
	}
	ahead := p.SequenceNumber - r.next
	if ahead >= window {
		if ahead > 1<<16-window {
			return // late: it was given up, or has been seen
		}
		r.reset(p.SequenceNumber)
	}
	slot := &r.ring[p.SequenceNumber%window]
	if *slot == nil {
		*slot = p
		r.held++
	}
	if r.ring[r.next%window] == nil && r.waiting.IsZero() {
		r.waiting = now
	}
}

// reset forgets what is held and goes on at seq. The packet before it counts as missing, so that the
// reader hears of the break.
func (r *Reorder) reset(seq uint16) {
	clear(r.ring[:])
	r.held, r.next, r.waiting = 0, seq-1, time.Time{}
}

// Pop returns the next packet in order and how many before it were given up. ok is false while there is
// nothing, or a missing packet may still come.
func (r *Reorder) Pop(now time.Time) (p *rtp.Packet, lost int, ok bool) {
	if r.held == 0 {
		return nil, 0, false
	}
	if r.ring[r.next%window] == nil && r.held < window/2 && now.Sub(r.waiting) < r.Patience {
		return nil, 0, false
	}
	for r.ring[r.next%window] == nil {
		r.next++
		lost++
	}
	slot := &r.ring[r.next%window]
	p, *slot = *slot, nil
	r.next++
	r.held--
	r.waiting = time.Time{}
	if r.held > 0 && r.ring[r.next%window] == nil {
		r.waiting = now
	}
	return p, lost, true
}
