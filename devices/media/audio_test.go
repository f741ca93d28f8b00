package media

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// makeWAV writes a tone of 440 Hz in 44.1 kHz stereo.
func makeWAV(t *testing.T, length time.Duration) string {
	t.Helper()
	n := int(length.Seconds() * 44100)
	data := make([]byte, 0, 44+4*n)
	data = append(data, "RIFF"...)
	data = binary.LittleEndian.AppendUint32(data, uint32(36+4*n))
	data = append(data, "WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00"...)
	data = binary.LittleEndian.AppendUint32(data, 44100)
	data = binary.LittleEndian.AppendUint32(data, 4*44100)
	data = append(data, "\x04\x00\x10\x00data"...)
	data = binary.LittleEndian.AppendUint32(data, uint32(4*n))
	for i := range n {
		v := uint16(int16(9000 * math.Sin(2*math.Pi*440*float64(i)/44100)))
		data = binary.LittleEndian.AppendUint16(data, v)
		data = binary.LittleEndian.AppendUint16(data, v)
	}
	path := filepath.Join(t.TempDir(), "tone.wav")
	write(t, path, data)
	return path
}

func openSoundTest(t *testing.T, spec string, opts Options) AudioSource {
	t.Helper()
	s, err := OpenAudio(spec, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestSoundFile plays a second of 44.1 kHz stereo: 50 packets of sound that is not silence.
func TestSoundFile(t *testing.T) {
	s := openSoundTest(t, "file:"+makeWAV(t, time.Second), Options{EveryFrame: true})
	var last int64
	size := 0
	for n := 0; ; n++ {
		p, err := s.Read(t.Context())
		if errors.Is(err, io.EOF) {
			if n < 49 || n > 51 {
				t.Errorf("%d packets of 20 ms in a second", n)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 && p.Captured-last != 20_000 {
			t.Errorf("packet %d comes %d µs after the one before", n, p.Captured-last)
		}
		last = p.Captured
		size += len(p.Opus)
	}
	if size < 1500 || size > 8000 {
		t.Errorf("a second of a tone is %d bytes, want about 4,000", size)
	}
}

func TestSoundPaceLoopClose(t *testing.T) {
	s := openSoundTest(t, "file:"+makeWAV(t, 50*time.Millisecond), Options{Loop: true})
	start := time.Now()
	for range 10 {
		if _, err := s.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if d := time.Since(start); d < 150*time.Millisecond {
		t.Errorf("200 ms of sound in %v", d)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if _, err := s.Read(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestBadSound(t *testing.T) {
	junk := filepath.Join(t.TempDir(), "junk.wav")
	write(t, junk, []byte("RIFFgarbage"))
	for spec, want := range map[string]string{
		"tape":                "want mic or file:PATH",
		"file:/nowhere.wav":   "no such file",
		"file:" + junk:        "damaged",
		"mic:no such thing 7": "no microphone",
	} {
		if s, err := OpenAudio(spec, Options{}); err == nil {
			s.Close()
			t.Errorf("%s opens", spec)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %q does not say %q", spec, err, want)
		}
	}
}

// TestMicrophone listens where there is one, and wants clear words where there is none.
func TestMicrophone(t *testing.T) {
	s, err := OpenAudio("mic", Options{})
	if err != nil {
		if !strings.Contains(err.Error(), "microphone") {
			t.Errorf("without a microphone: %v", err)
		}
		t.Skip(err)
	}
	defer s.Close()
	if p, err := s.Read(t.Context()); err != nil || len(p.Opus) == 0 {
		t.Errorf("%d bytes, %v", len(p.Opus), err)
	}
}

func TestLevel(t *testing.T) {
	square := func(v int16) []int16 {
		out := make([]int16, packetSamples)
		for i := range out {
			out[i] = v * int16(1-2*(i/24%2))
		}
		return out
	}
	for v, want := range map[int16]uint8{0: 127, 32767: 0, 3277: 20, 328: 40, 1: 90} {
		if got := levelOf(square(v)); got != want {
			t.Errorf("a square wave of %d: %d, want %d", v, got, want)
		}
	}
}
