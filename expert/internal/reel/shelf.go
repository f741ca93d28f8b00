package reel

import "sightline/expert/internal/call"

// shelf keeps decoded frames up to a number of bytes: those that are nearest to the wanted one.
type shelf struct {
	budget int
	bytes  int
	frames map[int]*call.Frame
}

// ahead is how many frames from the wanted one on are kept in any case: they came out of the decoder together.
const ahead = 32

// get returns a frame, or nil. It stays the shelf's.
func (s *shelf) get(i int) *call.Frame { return s.frames[i] }

// put keeps a frame near the wanted one, and lets those go that are too far from it. The shelf releases it.
func (s *shelf) put(i int, f *call.Frame, wanted int) {
	if s.frames == nil {
		s.frames = map[int]*call.Frame{}
	}
	if s.frames[i] != nil {
		s.drop(i)
	}
	s.frames[i] = f
	s.bytes += weight(f)
	for s.bytes > s.budget {
		worst, far := none, 0
		for k := range s.frames {
			d := max(k-wanted, wanted-k)
			if (k < wanted || k >= wanted+ahead) && d > far {
				worst, far = k, d
			}
		}
		if worst == none {
			return
		}
		s.drop(worst)
	}
}

func (s *shelf) drop(i int) {
	s.bytes -= weight(s.frames[i])
	s.frames[i].Release()
	delete(s.frames, i)
}

// all says whether all frames from one to another are kept.
func (s *shelf) all(first, last int) bool {
	for i := first; i <= last; i++ {
		if s.frames[i] == nil {
			return false
		}
	}
	return true
}

// room is how many frames of the size of f the shelf holds.
func (s *shelf) room(f *call.Frame) int { return s.budget / max(1, weight(f)) }

func (s *shelf) clear() {
	for i := range s.frames {
		s.drop(i)
	}
}

// weight is a picture's bytes.
func weight(f *call.Frame) int { return len(f.Picture.Y) + len(f.Picture.Cb) + len(f.Picture.Cr) }
