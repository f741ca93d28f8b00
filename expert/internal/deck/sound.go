package deck

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"sightline/expert/internal/sound"
)

// heard is what a deck lets be heard: where it stands, for who reads the sound. It is safe for use by several
// goroutines.
type heard struct {
	at   atomic.Int64 // µs from the tape's start, -1 where nothing is to be heard
	when atomic.Int64 // wall clock, µs
}

// hears tells where the deck stands. Only at its own pace is there a sound.
func (d *Deck) hears() {
	at := int64(-1)
	if d.playing && d.speed == 1 {
		at = d.position - d.tape.Start
	}
	d.heard.when.Store(d.now().UnixMicro())
	d.heard.at.Store(at)
}

// Sound returns the tape's sound as the deck plays it: 16 bit, mono, sound.Rate samples a second, silence while it
// stands. latency is how long after it was read a sample is heard. nil where the tape has no sound. One goroutine
// reads it, until the deck is closed.
func (d *Deck) Sound(latency time.Duration) io.Reader {
	mix := sound.New(d.tape)
	if mix.Voices() == 0 {
		return nil
	}
	s := &speaker{deck: d, mix: mix, latency: latency.Microseconds()}
	d.mu.Lock()
	d.speakers = append(d.speakers, s)
	d.mu.Unlock()
	return s
}

// speaker reads a deck's sound.
type speaker struct {
	deck    *Deck
	mix     *sound.Mixer
	latency int64 // µs
	samples []int16

	mu     sync.Mutex // held while it reads
	closed bool
}

// astray is by how much sound and picture may be apart before the sound jumps, in samples: 50 ms.
const astray = sound.Rate / 20

// Read reads whole samples. A tape that cannot be read is silent: the picture says what is wrong.
func (s *speaker) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(p) / 2
	at := s.deck.heard.at.Load()
	if at < 0 || s.closed {
		clear(p[:2*n])
		return 2 * n, nil
	}
	want := sound.Samples(at + s.deck.now().UnixMicro() - s.deck.heard.when.Load() + s.latency)
	if off := s.mix.At() - want; off > astray || off < -astray {
		_ = s.mix.GoTo(want) // only frees a decoder
	}
	if cap(s.samples) < n {
		s.samples = make([]int16, n)
	}
	if s.mix.Read(s.samples[:n]) != nil {
		clear(s.samples[:n])
	}
	for i, v := range s.samples[:n] {
		binary.LittleEndian.PutUint16(p[2*i:], uint16(v))
	}
	return 2 * n, nil
}

// hush ends all sounds; who still reads them reads silence.
func (d *Deck) hush() (err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.speakers {
		s.mu.Lock()
		s.closed, err = true, errors.Join(err, s.mix.Close())
		s.mu.Unlock()
	}
	return err
}
