package export

import (
	"sightline/devices/media"
	"sightline/expert/internal/sound"
	"sightline/expert/internal/tape"
)

// soundtrack is the sound of a film: all microphones in one, as AAC.
type soundtrack struct {
	mix  *sound.Mixer
	enc  *media.AACEncoder
	from int64 // packets before this sample are not of the film
	next int64 // the first sample of the packet that comes next
}

// soundRate is good for several voices over a machine's noise, bits per second.
const soundRate = 96_000

// hasSound says whether a tape has any.
func hasSound(t *tape.Tape) bool { return sound.New(t).Voices() > 0 }

// newSoundtrack begins the sound at a time of the film; nil where the tape has none.
func newSoundtrack(t *tape.Tape, at int64) (*soundtrack, error) {
	if !hasSound(t) {
		return nil, nil
	}
	enc, err := media.NewAACEncoder(soundRate)
	if err != nil {
		return nil, err
	}
	s := &soundtrack{mix: sound.New(t), enc: enc}
	s.from = (sound.Samples(at) + media.AACFrame - 1) / media.AACFrame * media.AACFrame
	s.next = s.from
	return s, s.mix.GoTo(max(0, s.from-2*media.AACFrame)) // the codec looks back by a frame
}

// until returns the packets that begin before a time of the film.
func (s *soundtrack) until(end int64) (out []media.AACPacket, err error) {
	if s == nil {
		return nil, nil
	}
	samples := make([]int16, media.AACFrame)
	for s.next < sound.Samples(end) {
		first := s.mix.At()
		if err := s.mix.Read(samples); err != nil {
			return nil, err
		}
		packets, err := s.enc.Encode(samples, first)
		if err != nil {
			return nil, err
		}
		for _, p := range packets {
			if p.First >= s.from {
				out, s.next = append(out, p), p.First+media.AACFrame
			}
		}
	}
	return out, nil
}

func (s *soundtrack) close() error {
	if s == nil {
		return nil
	}
	_ = s.mix.Close() // only frees memory
	return s.enc.Close()
}
