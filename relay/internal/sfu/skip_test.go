package sfu

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever is left out, lost, late or comes twice: a packet that is sent has a number of its own, which stays the same,
// numbers grow with the publisher's, and where nothing was lost on the way none is missing.
func TestNothingIsMissingOfWhatIsLeftOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s sequence
		at := time.Unix(1, 0)
		first := rapid.Uint16().Draw(t, "first")
		s.resume(first, 0, true, false, at, 90000)
		n := rapid.IntRange(2, 400).Draw(t, "packets")
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		for i := 2; i < n; i++ { // the first is first; some come up to 6 late
			j := max(1, i-rapid.IntRange(0, 6).Draw(t, "late"))
			order[i], order[j] = order[j], order[i]
		}
		skipped := map[int]bool{}
		for i := 1; i < n; i++ {
			skipped[i] = rapid.IntRange(0, 2).Draw(t, "skipped") == 0
		}
		lost := map[int]bool{}
		if rapid.Bool().Draw(t, "lossy") {
			for i := 1; i < n; i++ {
				lost[i] = rapid.IntRange(0, 9).Draw(t, "lost") == 0
			}
		}
		sent := map[int]uint16{} // the numbers that packets went under, those that fill a place too
		for _, i := range order {
			seq := first + uint16(i)
			if lost[i] || skipped[i] && !s.skip(seq, true) {
				continue
			}
			out, _, ok := s.next(seq, 0, at)
			if !ok {
				t.Fatalf("packet %d was not sent", i)
			}
			sent[i] = out
			if again, _, ok := s.next(seq, 0, at); !ok || again != out {
				t.Fatalf("packet %d again: %d after %d", i, again, out)
			}
		}
		last, missing := -1, 0
		for i := range n {
			if lost[i] {
				missing++
			}
			out, ok := sent[i]
			if !ok {
				continue
			}
			if last >= 0 {
				step := int(int16(out - sent[last]))
				if step < 1 || step > 1+missing {
					t.Fatalf("packet %d: %d after %d of packet %d, %d were lost between", i, out, sent[last], last, missing)
				}
			}
			last, missing = i, 0
		}
	})
}

// Many packets are left out for long, and the numbers wrap: the head stays true.
func TestLeavingOutForLong(t *testing.T) {
	var s sequence
	at := time.Unix(1, 0)
	s.resume(65000, 0, true, false, at, 90000)
	seq, want := uint16(65000), uint16(65000)
	for i := range 300_000 {
		if i%4 == 3 {
			if s.skip(seq, true) {
				t.Fatalf("packet %d is late", i)
			}
		} else if out, _, ok := s.next(seq, uint32(i)*3000, at); !ok || out != want {
			t.Fatalf("packet %d: %d, want %d (%v)", i, out, want, ok)
		} else {
			want++
		}
		seq++
	}
	if s.frames() != uint16(75_000%65536) {
		t.Errorf("%d frames were left out", s.frames())
	}
}
