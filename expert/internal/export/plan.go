package export

import (
	"fmt"

	"sightline/expert/internal/tape"
)

// step is one picture of the film: a frame of the camera, or a card where there is none. Times are of the
// film, µs from the beginning of the recording.
type step struct {
	at, until     int64
	shot          int // among the camera's, -1 for a card
	title, reason string
}

const (
	// holds is how long a frame stands where no other follows, and cardEvery how long a card does before it is
	// drawn again, µs.
	holds     = 500_000
	cardEvery = 1_000_000
)

// plan lays out the film of a camera: each frame once, at its own time, and cards where there is none for
// longer than a moment.
func plan(t *tape.Tape, c *tape.Camera) []step {
	var out []step
	length := t.End - t.Start
	card := func(from, to int64) {
		for from < to {
			title, reason, until := why(t, t.Start+from)
			end := min(to, from+cardEvery)
			if until-t.Start > from {
				end = min(end, until-t.Start)
			}
			out = append(out, step{from, end, -1, title, reason})
			from = end
		}
	}
	next := int64(0)
	for i, s := range c.Shots {
		at := s.Session - t.Start
		if at < next || at >= length {
			continue // two frames of one microsecond, or after the end
		}
		if n := len(out); n > 0 && at-next > 0 {
			out[n-1].until = min(at, next+holds)
			next = out[n-1].until
		}
		if at-next > holds || at > next && len(out) == 0 {
			card(next, at)
		} else if n := len(out); n > 0 {
			out[n-1].until = at
		}
		out = append(out, step{at: at, until: at + 1, shot: i})
		next = at + 1
	}
	if n := len(out); n > 0 && next < length {
		out[n-1].until = min(length, next+holds)
		next = out[n-1].until
	}
	card(next, length)
	return out
}

// why says why there is no picture at an instant, and until when that holds.
func why(t *tape.Tape, session int64) (title, reason string, until int64) {
	until = t.End
	for _, g := range t.Manifest.Gaps {
		if g.From > session {
			until = min(until, g.From)
		}
		if g.From <= session && session < g.To {
			return "Not recorded", fmt.Sprintf("%s (%s)", g.Why, t.Person(g.Who)), g.To
		}
	}
	return "No picture", "The camera sent none at this time.", until
}
