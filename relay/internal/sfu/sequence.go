package sfu

import (
	"time"

	"github.com/pion/rtp"
)

// sequence renumbers the tracks that a slot carries, one after another, to one RTP stream.
type sequence struct {
	started bool
	first   uint16 // packets before it, as the publisher numbers, belong to before the break
	addSeq  uint16
	addTS   uint32

	lastSeq uint16 // the head of what was sent
	lastTS  uint32
	lastAt  time.Time
}

// resume goes on with packet h after a break. One number is left out, so that the receiver knows of the
// break. Where another track begins, its timestamps go on from where the clock has come to meanwhile.
func (s *sequence) resume(h *rtp.Header, moved bool, at time.Time, clock uint32) {
	s.first = h.SequenceNumber
	if !s.started {
		s.started = true
		s.lastSeq, s.lastTS, s.lastAt = h.SequenceNumber-1, h.Timestamp, at
		return
	}
	s.addSeq = s.lastSeq + 2 - h.SequenceNumber
	if moved {
		s.addTS = s.lastTS + uint32(at.Sub(s.lastAt).Seconds()*float64(clock)) + 1 - h.Timestamp
	}
}

// next returns the numbers to send a packet under. ok is false for one from before the break.
func (s *sequence) next(h *rtp.Header, at time.Time) (seq uint16, ts uint32, ok bool) {
	if int16(h.SequenceNumber-s.first) < 0 {
		return 0, 0, false
	}
	seq, ts = h.SequenceNumber+s.addSeq, h.Timestamp+s.addTS
	if int16(seq-s.lastSeq) > 0 {
		s.lastSeq, s.lastTS, s.lastAt = seq, ts, at
		if h.SequenceNumber-s.first > 1<<14 { // numbers wrap; stay near the head
			s.first = h.SequenceNumber - 1<<13
		}
	}
	return seq, ts, true
}
