package sfu

import "time"

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

// resume goes on with the publisher's packet seq after a break. One number is left out where the break cut a
// frame, so that the receiver knows. Where another track begins, its timestamps go on from where the clock has come to
// meanwhile.
func (s *sequence) resume(seq uint16, ts uint32, moved, cut bool, at time.Time, clock uint32) {
	s.first = seq
	if !s.started {
		s.started = true
		s.lastSeq, s.lastTS, s.lastAt = seq-1, ts, at
		return
	}
	s.addSeq = s.lastSeq + 1 - seq
	if cut {
		s.addSeq++
	}
	if moved {
		s.addTS = s.lastTS + uint32(at.Sub(s.lastAt).Seconds()*float64(clock)) + 1 - ts
	}
}

// next returns the numbers to send a packet under. ok is false for one from before the break.
func (s *sequence) next(seq uint16, ts uint32, at time.Time) (outSeq uint16, outTS uint32, ok bool) {
	if int16(seq-s.first) < 0 {
		return 0, 0, false
	}
	outSeq, outTS = seq+s.addSeq, ts+s.addTS
	if int16(outSeq-s.lastSeq) > 0 {
		s.lastSeq, s.lastTS, s.lastAt = outSeq, outTS, at
		if seq-s.first > 1<<14 { // numbers wrap; stay near the head
			s.first = seq - 1<<13
		}
	}
	return outSeq, outTS, true
}
