// Package sound mixes all sounds of a tape into one, each at the time it was made.
package sound

import (
	"errors"
	"slices"
	"strings"

	"sightline/devices/media"
	"sightline/expert/internal/tape"
)

// Rate is the number of samples in a second.
const Rate = media.SoundRate

// Samples is the number of samples in a time, µs.
func Samples(us int64) int64 { return us * Rate / 1_000_000 }

// Mixer reads a tape's sounds as one, mono. Samples are counted from the tape's start. One goroutine uses it, the
// same that reads the tape.
type Mixer struct {
	voices []*voice
	at     int64 // of the next sample
	sum    []int32
}

// New makes a mixer at the tape's start. Close it afterwards; the tape is the caller's.
func New(t *tape.Tape) *Mixer {
	m := &Mixer{}
	for _, s := range t.Sounds {
		if len(s.Shots) > 0 && strings.EqualFold(s.Files[0].Codec, "audio/opus") {
			m.voices = append(m.voices, &voice{tape: t, sound: s})
		}
	}
	return m
}

// Voices is how many sounds there are.
func (m *Mixer) Voices() int { return len(m.voices) }

// At is the sample that is read next.
func (m *Mixer) At() int64 { return m.at }

// GoTo goes to a sample.
func (m *Mixer) GoTo(sample int64) error {
	var err error
	m.at = sample
	for _, v := range m.voices {
		err = errors.Join(err, v.seek(sample))
	}
	return err
}

// Read fills out with the next samples; where nobody made a sound it is silent. A packet that does not decode is
// silent too; an error is that the tape cannot be read, or that there is no decoder.
func (m *Mixer) Read(out []int16) error {
	m.sum = slices.Grow(m.sum[:0], len(out))[:len(out)]
	clear(m.sum)
	for _, v := range m.voices {
		if err := v.add(m.at, m.sum); err != nil {
			return err
		}
	}
	for i, s := range m.sum {
		out[i] = limit(s)
	}
	m.at += int64(len(out))
	return nil
}

// knee is how loud a mix may be before it is made softer rather than cut off.
const knee = 24_000

// limit fits a sum of samples into one: what is above the knee counts a quarter.
func limit(s int32) int16 {
	switch {
	case s > knee:
		return int16(min(knee+(s-knee)/4, 32767))
	case s < -knee:
		return int16(max(-knee+(s+knee)/4, -32768))
	}
	return int16(s)
}

// Close frees the decoders.
func (m *Mixer) Close() error {
	var err error
	for _, v := range m.voices {
		err = errors.Join(err, v.drop())
	}
	return err
}
