package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"
	"sync"
	"time"
)

// Packet is 20 ms of sound as Opus, 48 kHz mono.
type Packet struct {
	Opus []byte
	// Captured is when the first sample was taken: microseconds since the Unix epoch on this machine's
	// clock, the same as of the frames.
	Captured int64
	// Level is how loud it is, as RFC 6464 has it: 0 for the loudest, 127 for silence, in decibels below.
	Level uint8
}

// levelOf returns how loud samples are: their root mean square, below the loudest that there can be (RFC 6464, section 3).
func levelOf(samples []int16) uint8 {
	sum := 0.0
	for _, s := range samples {
		sum += float64(s) * float64(s)
	}
	if sum == 0 {
		return 127
	}
	rms := math.Sqrt(sum/float64(len(samples))) / (1 << 15)
	return uint8(math.Round(min(max(-20*math.Log10(rms), 0), 127)))
}

// AudioSource is where sound comes from. Read is called by one goroutine; Close by any.
type AudioSource interface {
	// Read returns the next packet: io.EOF after the last, an error that names the cause, or ctx's.
	Read(ctx context.Context) (Packet, error)
	Close() error
}

// Samples in 20 ms, and how long that is.
const (
	audioRate     = 48000
	packetSamples = audioRate / 50
	packetTime    = 20 * time.Millisecond
)

// OpenAudio opens a sound by its name: mic, or file:speech.wav, anything that FFmpeg reads. The
// error names the source and what to do about it.
func OpenAudio(spec string, opts Options) (AudioSource, error) {
	if opts.Clock == nil {
		opts.Clock = Wall{}
	}
	kind, name, _ := strings.Cut(spec, ":")
	switch {
	case kind == "mic":
		return openMicrophone(name, opts)
	case kind == "file" && name != "":
		return openSound(name, opts)
	}
	return nil, fmt.Errorf("sound %q: want mic or file:PATH", spec)
}

// soundFile plays a file at its pace.
type soundFile struct {
	mu      sync.Mutex // Close waits for a Read
	path    string
	file    *audioHandle
	opus    *opusEncoder
	opts    Options
	start   time.Time
	count   int64
	stopped context.Context
	cancel  context.CancelFunc
}

func openSound(path string, opts Options) (AudioSource, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("sound file:%s: no such file", path)
	}
	file, err := openAudioFile(path)
	if err != nil {
		return nil, fmt.Errorf("sound file:%s: %w; the file is cut short, damaged, or has no sound", path, err)
	}
	opus, err := newOpusEncoder()
	if err != nil {
		file.free()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &soundFile{path: path, file: file, opus: opus, opts: opts, start: opts.Clock.Now(), stopped: ctx, cancel: cancel}, nil
}

// Read waits until the packet's sound has been "heard", its end being now.
func (s *soundFile) Read(ctx context.Context) (Packet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped.Err() != nil {
		return Packet{}, errClosed
	}
	samples, err := s.samples()
	if err != nil {
		return Packet{}, err
	}
	at := s.start.Add(time.Duration(s.count) * packetTime)
	if wait := at.Add(packetTime).Sub(s.opts.Clock.Now()); wait > 0 && !s.opts.EveryFrame {
		select {
		case <-s.opts.Clock.After(wait):
		case <-ctx.Done():
			return Packet{}, ctx.Err()
		case <-s.stopped.Done():
			return Packet{}, errClosed
		}
	}
	s.count++
	data, err := s.opus.encode(samples)
	if err != nil {
		return Packet{}, fmt.Errorf("sound file:%s: %w", s.path, err)
	}
	return Packet{Opus: data, Captured: at.UnixMicro(), Level: levelOf(samples)}, nil
}

// samples reads 20 ms; the last ones of the file are filled up with silence.
func (s *soundFile) samples() ([]int16, error) {
	out := make([]int16, packetSamples)
	n, err := s.file.read(out)
	if err == nil && n == 0 && s.opts.Loop && s.count > 0 {
		if err = s.file.rewind(); err == nil {
			n, err = s.file.read(out)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("sound file:%s: at %s: %w; the file is damaged", s.path, seconds(time.Duration(s.count)*packetTime), err)
	}
	if n == 0 {
		return nil, io.EOF
	}
	return out, nil
}

// Close ends a Read that waits, and frees the file.
func (s *soundFile) Close() error {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file.a == nil {
		return nil
	}
	s.file.free()
	return s.opus.close()
}
