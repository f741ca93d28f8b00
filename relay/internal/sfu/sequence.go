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

	lastIn uint16 // the head of what came since the break
	gaps   []gap  // where packets were left out since, the latest last
}

// gap is where a packet was left out on purpose: those after it go under other numbers.
type gap struct {
	seq    uint16 // the packet
	add    uint16 // what is added to the numbers after it
	frames uint16 // how many frames were left out, up to it
}

// maxGaps is for how many packets that were left out late ones before them are told apart.
const maxGaps = 256

// resume goes on with the publisher's packet seq after a break. One number is left out where the break cut a
// frame, so that the receiver knows. Where another track begins, its timestamps go on from where the clock has come to
// meanwhile.
func (s *sequence) resume(seq uint16, ts uint32, moved, cut bool, at time.Time, clock uint32) {
	s.first, s.lastIn, s.gaps = seq, seq-1, s.gaps[:0]
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

// next returns the numbers to send a packet under. ok is false for one from before the break, and for one that was left
// out or is too old to tell.
func (s *sequence) next(seq uint16, ts uint32, at time.Time) (outSeq uint16, outTS uint32, ok bool) {
	if int16(seq-s.first) < 0 {
		return 0, 0, false
	}
	add, ok := s.addFor(seq)
	if !ok {
		return 0, 0, false
	}
	if int16(seq-s.lastIn) > 0 {
		s.lastIn = seq
	}
	outSeq, outTS = seq+add, ts+s.addTS
	if int16(outSeq-s.lastSeq) > 0 {
		s.lastSeq, s.lastTS, s.lastAt = outSeq, outTS, at
		if seq-s.first > 1<<14 { // numbers wrap; stay near the head
			s.first = seq - 1<<13
		}
	}
	return outSeq, outTS, true
}

// isLate says whether packets after it have come.
func (s *sequence) isLate(seq uint16) bool { return int16(seq-s.lastIn) <= 0 }

// skip leaves a packet out, so that the receiver sees no gap; frame says that it is the first one of its frame. late says
// that packets after it were sent already: its number is kept for it, and something has to be sent under it.
func (s *sequence) skip(seq uint16, frame bool) (late bool) {
	if s.isLate(seq) {
		return true
	}
	frames := s.frames()
	if frame {
		frames++
	}
	s.lastIn = seq
	s.addSeq--
	if len(s.gaps) == maxGaps {
		s.gaps = append(s.gaps[:0], s.gaps[maxGaps/2:]...)
	}
	s.gaps = append(s.gaps, gap{seq, s.addSeq, frames})
	if seq-s.first > 1<<14 {
		s.first = seq - 1<<13
	}
	return false
}

// frames is how many frames were left out since the break.
func (s *sequence) frames() uint16 {
	if len(s.gaps) == 0 {
		return 0
	}
	return s.gaps[len(s.gaps)-1].frames
}

// framesBefore is how many were when a packet came in its place.
func (s *sequence) framesBefore(seq uint16) uint16 {
	for i := len(s.gaps) - 1; i >= 0; i-- {
		if int16(seq-s.gaps[i].seq) > 0 {
			return s.gaps[i].frames
		}
	}
	return 0
}

// addFor returns what is added to a packet's number.
func (s *sequence) addFor(seq uint16) (add uint16, ok bool) {
	for i := len(s.gaps) - 1; i >= 0; i-- {
		switch g := s.gaps[i]; {
		case int16(seq-g.seq) > 0:
			return g.add, true
		case seq == g.seq:
			return 0, false
		}
	}
	if len(s.gaps) > 0 {
		return s.gaps[0].add + 1, s.gaps[0].seq-seq < maxGaps
	}
	return s.addSeq, true
}
