package export

import (
	"strings"

	"sightline/expert/internal/tape"
)

// sounds reads the packets of all sounds of a tape in the order of the film.
type sounds struct {
	tape   *tape.Tape
	tracks []*tape.Sound
	next   []int
}

// packetLength is how long a packet of Opus sounds in this house, µs.
const packetLength = 20_000

func newSounds(t *tape.Tape) *sounds {
	s := &sounds{tape: t}
	for _, sound := range t.Sounds {
		if len(sound.Shots) > 0 && strings.EqualFold(sound.Files[0].Codec, "audio/opus") {
			s.tracks, s.next = append(s.tracks, sound), append(s.next, 0)
		}
	}
	return s
}

// skip goes on to a time of the film.
func (s *sounds) skip(at int64) {
	for i, t := range s.tracks {
		for s.next[i] < len(t.Shots) && t.Shots[s.next[i]].Session-s.tape.Start < at {
			s.next[i]++
		}
	}
}

// until returns what comes before a time of the film.
func (s *sounds) until(end int64) (out []packet, err error) {
	for i, t := range s.tracks {
		for s.next[i] < len(t.Shots) {
			shot := t.Shots[s.next[i]]
			at := shot.Session - s.tape.Start
			if at >= end {
				break
			}
			s.next[i]++
			if at < 0 {
				continue
			}
			data, err := s.tape.Data(t.Files, shot)
			if err != nil {
				return nil, err
			}
			out = append(out, packet{i, data, at, at + packetLength})
		}
	}
	return out, nil
}
