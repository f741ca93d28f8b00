package shell

import (
	"io"
	"time"

	"github.com/ebitengine/oto/v3"
)

// Voice is a surface that is to be heard too.
type Voice interface {
	// Sound is what is to be heard: 16 bit, mono, 48,000 samples a second; nil for nothing. It is read on another
	// goroutine, so long before it is heard.
	Sound(latency time.Duration) io.Reader
	// Deaf hears, once and on the window's goroutine, why there is no sound.
	Deaf(reason string)
}

// The time from reading a sample to hearing it: what waits with the player, and with the sound system.
const (
	playerAhead = 60 * time.Millisecond
	systemAhead = 60 * time.Millisecond
)

// speaker plays a voice's sound, where this machine has an output for it.
type speaker struct {
	voice   Voice
	context *oto.Context
	ready   chan struct{} // nil once it was looked at
	player  *oto.Player
}

// listen opens the sound output; nil where there is nothing to hear.
func listen(v Voice) *speaker {
	in := v.Sound(playerAhead + systemAhead)
	if in == nil {
		return nil
	}
	c, ready, err := oto.NewContext(&oto.NewContextOptions{SampleRate: 48000, ChannelCount: 1, Format: oto.FormatSignedInt16LE, BufferSize: systemAhead})
	if err != nil {
		v.Deaf(err.Error())
		return nil
	}
	s := &speaker{voice: v, context: c, ready: ready, player: c.NewPlayer(in)}
	s.player.SetBufferSize(int(48000 * 2 * playerAhead / time.Second))
	s.player.Play()
	return s
}

// check tells the voice, once, where there is no sound output after all.
func (s *speaker) check() {
	if s == nil || s.ready == nil {
		return
	}
	select {
	case <-s.ready:
		s.ready = nil
		if err := s.context.Err(); err != nil {
			s.voice.Deaf(err.Error())
		}
	default:
	}
}

// close ends the playing. The sound system itself stays open until the program's end: oto has no way to close it.
func (s *speaker) close() {
	if s != nil {
		s.player.Pause()
	}
}
