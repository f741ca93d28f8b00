package app

import (
	"context"
	"encoding/binary"
	"image"
	"io"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sightline/devices/media"
	"sightline/expert/internal/deck"
	"sightline/expert/internal/tape"
	"sightline/relay/client"
	"sightline/relay/wire"
)

// burst is how long a tone sounds at the beginning of each second.
const burst = 60 * time.Millisecond

// tones writes a sound file that has a tone at the beginning of each second.
func tones(t *testing.T, hertz float64) string {
	t.Helper()
	const rate, seconds = 48000, 12
	data := append([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"), 0x80, 0xbb, 0, 0, 0, 0x77, 1, 0, 2, 0, 16, 0)
	data = binary.LittleEndian.AppendUint32(append(data, "data"...), 2*rate*seconds)
	for i := range rate * seconds {
		v := 0.0
		if i%rate < int(burst.Seconds()*rate) {
			v = 12000 * math.Sin(2*math.Pi*hertz*float64(i)/rate)
		}
		data = binary.LittleEndian.AppendUint16(data, uint16(int16(v)))
	}
	path := filepath.Join(t.TempDir(), "tones.wav")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// talker is a participant that makes its tone each second; with a camera it flashes with it.
type talker struct {
	name, role string
	hertz      float64
	camera     bool
	// began is when its first tone began, and flashes when the first picture of each flash was taken, µs.
	began   int64
	flashes []int64
}

func (w *talker) talk(ctx context.Context, t *testing.T, r *relay) error {
	tracks := []client.Track{{Name: "mic", Kind: wire.Audio}}
	if w.camera {
		tracks = append(tracks, client.Track{Name: "camera", Kind: wire.Video})
	}
	c, err := client.Dial(ctx, client.Config{URL: r.url, Token: r.token(t, w.role, w.name), Logger: slog.New(slog.DiscardHandler), Publish: tracks})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Wait(ctx); err != nil {
		return err
	}
	mic, err := media.OpenAudio("file:"+tones(t, w.hertz), media.Options{})
	if err != nil {
		return err
	}
	defer mic.Close()
	var camera sync.WaitGroup
	defer camera.Wait()
	for {
		p, err := mic.Read(ctx)
		if err != nil {
			return nil // the end
		}
		if w.began == 0 {
			w.began = p.Captured
			if w.camera {
				camera.Go(func() { w.flash(ctx, c.Video("camera")) })
			}
		}
		_ = c.Audio("mic").WriteOpus(p.Opus, p.Captured, 20*time.Millisecond) // a packet before the connection stands is nobody's
	}
}

// flash sends dark pictures, and bright ones while the tone sounds.
func (w *talker) flash(ctx context.Context, to *client.LocalTrack) {
	enc, err := media.NewH264Encoder(media.EncoderConfig{Width: 320, Height: 240, FPS: 30, Whole: true})
	if err != nil {
		return
	}
	defer enc.Close()
	picture := image.NewYCbCr(image.Rect(0, 0, 320, 240), image.YCbCrSubsampleRatio420)
	for i := range picture.Cb {
		picture.Cb[i], picture.Cr[i] = 128, 128
	}
	tick := time.NewTicker(time.Second / 30)
	defer tick.Stop()
	for was := false; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		captured := time.Now().UnixMicro()
		since := (captured - w.began) % 1_000_000
		is := since < burst.Microseconds()+40_000
		for i := range picture.Y {
			picture.Y[i] = map[bool]byte{true: 230, false: 20}[is]
		}
		if is && !was {
			w.flashes = append(w.flashes, captured)
		}
		was = is
		if unit, _, err := enc.Encode(picture); err == nil {
			_ = to.WriteFrame(unit, captured)
		}
	}
}

// TestSoundOfAFilm records two people whose tones and flashes are known, and finds them at their times in the film:
// all in one track.
func TestSoundOfAFilm(t *testing.T) {
	dir := t.TempDir()
	r := startRelayIn(t, dir)
	tom, eva := &talker{name: "Tom", role: "field", hertz: 1000, camera: true}, &talker{name: "Eva", role: "expert", hertz: 3000}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	var tasks sync.WaitGroup
	for _, w := range []*talker{tom, eva} {
		tasks.Go(func() {
			if err := w.talk(ctx, t, r); err != nil {
				t.Error(err)
			}
		})
	}
	tasks.Wait()
	found, key := r.finish(t, dir)
	out := t.TempDir()
	if code, words := run(t, "export", found, "--out", out, "--key", key, "--only", "film.mp4"); code != 0 {
		t.Fatalf("%d: %s", code, words)
	}
	film := filepath.Join(out, "film.mp4")
	streams, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", film).Output()
	if err != nil || strings.Join(strings.Fields(string(streams)), " ") != "h264 aac" {
		t.Fatalf("%v: %s", err, streams)
	}
	tp, err := tape.Open(found, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tp.Close()
	shot := tp.Cameras[0].Shots[0]
	zero := shot.Captured - (shot.Session - tp.Start) // the film's beginning on the clock of this machine
	var truth, tom1, eva1 []float64
	for _, at := range tom.flashes {
		truth = append(truth, float64(at-zero)/1e6)
	}
	for k := range 12 {
		tom1 = append(tom1, float64(tom.began-zero)/1e6+float64(k))
		eva1 = append(eva1, float64(eva.began-zero)/1e6+float64(k))
	}
	compare(t, "flashes", truth, flashesOf(t, film), 0.010)
	compare(t, "Tom's tones", tom1, onsets(t, film, tom.hertz), 0.030)
	compare(t, "Eva's tones", eva1, onsets(t, film, eva.hertz), 0.030)
	compare(t, "tones of Tom that open plays", tom1, heardOf(t, tp, tom.hertz), 0.030)
}

// compare wants what was found in a film, seconds, where it happened in truth. The first is left out: a tone that
// began before the connection stood is not recorded whole.
func compare(t *testing.T, what string, truth, found []float64, limit float64) {
	t.Helper()
	worst := 0.0
	for _, at := range found[min(1, len(found)):] {
		near := math.Inf(1)
		for _, is := range truth {
			if math.Abs(at-is) < math.Abs(near) {
				near = at - is
			}
		}
		if math.Abs(near) > math.Abs(worst) {
			worst = near
		}
	}
	t.Logf("%d %s, at most %.1f ms from where they were", len(found), what, 1000*worst)
	if len(found) < 4 || math.Abs(worst) > limit {
		t.Errorf("%d %s, at most %.1f ms from where they were", len(found), what, 1000*worst)
	}
}

// flashesOf returns when a film turns from dark to bright, seconds.
func flashesOf(t *testing.T, film string) (out []float64) {
	t.Helper()
	times, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0", film).Output()
	if err != nil {
		t.Fatal(err)
	}
	was := true
	at := strings.Fields(strings.ReplaceAll(string(times), ",", ""))
	for i, p := range rgb(t, film, 320, 240) {
		is := p[3*(120*320+160)] > 128
		if is && !was {
			out = append(out, number(t, at[i]))
		}
		was = is
	}
	return out
}

// onsets returns when a tone begins in a film's sound, seconds: where its power in 5 ms passes a tenth of the most.
func onsets(t *testing.T, film string, hertz float64) (out []float64) {
	t.Helper()
	raw, err := exec.Command("ffmpeg", "-v", "error", "-i", film, "-map", "0:a", "-f", "s16le", "-ac", "1", "-ar", "48000", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	const window, hop = 240, 24
	var loud []float64
	most := 0.0
	for from := 0; 2*(from+window) <= len(raw); from += hop {
		now := power(raw[2*from:2*(from+window)], hertz)
		loud, most = append(loud, now), max(most, now)
	}
	for i, quiet := 0, 0; i < len(loud); i++ {
		switch {
		case loud[i] < most/10:
			quiet++
		case quiet > 48000/hop/4:
			out = append(out, float64(i*hop+window)/48000) // the window's end has just reached it
			quiet = 0
		default:
			quiet = 0
		}
	}
	return out
}

// finish ends the relay and returns its one case, and the key that proves it.
func (r *relay) finish(t testing.TB, data string) (dir, key string) {
	t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_, _ = r.cmd.Process.Wait()
	cases, err := filepath.Glob(filepath.Join(data, "recordings", "hall", "*"))
	if err != nil || len(cases) != 1 {
		t.Fatalf("cases %v, %v", cases, err)
	}
	return cases[0], r.key(t)
}

// key is the relay's, by which its cases are proven.
func (r *relay) key(t testing.TB) string {
	t.Helper()
	out, err := exec.Command(relayProgram, "seal-key", "--data", r.data).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// heardOf plays a tape for some seconds, as a sound output reads it, and returns when a tone begins, seconds from the
// tape's start.
func heardOf(t *testing.T, tp *tape.Tape, hertz float64) (out []float64) {
	t.Helper()
	clock := time.Unix(0, 0)
	k := deck.New(tp, func() time.Time { return clock })
	defer k.Close()
	in := k.Sound(0)
	k.GoTo(tp.Start)
	p := make([]byte, 2*48*5) // 5 ms
	quiet := 0
	for range 200 * 7 {
		if _, err := io.ReadFull(in, p); err != nil {
			t.Fatal(err)
		}
		switch is := power(p, hertz) > 1e10; {
		case is && !k.Playing():
			t.Fatal("it sounds before it plays")
		case is && quiet > 50:
			out = append(out, float64(k.Position()-tp.Start)/1e6)
			quiet = 0
		case is:
			quiet = 0
		default:
			quiet++
		}
		k.Play(true)
		clock = clock.Add(5 * time.Millisecond)
		k.Tick()
	}
	k.SetSpeed(4)
	for range 100 {
		if _, _ = io.ReadFull(in, p); power(p, hertz) != 0 {
			t.Fatal("it sounds at four times its pace")
		}
	}
	return out
}

// power is how loud a tone is in samples of 16 bit.
func power(samples []byte, hertz float64) float64 {
	re, im := 0.0, 0.0
	for i := range len(samples) / 2 {
		v := float64(int16(binary.LittleEndian.Uint16(samples[2*i:])))
		sin, cos := math.Sincos(2 * math.Pi * hertz * float64(i) / 48000)
		re, im = re+v*cos, im+v*sin
	}
	return re*re + im*im
}
