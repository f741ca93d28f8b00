package media

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// makeSequence writes n small pictures whose brightness is their number, and a camera.txt.
func makeSequence(t testing.TB, n int) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rgb"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "camera.txt"), []byte("50 50 31.5 23.5 64 48\n"))
	for i := range n {
		p := image.NewGray(image.Rect(0, 0, 64, 48))
		fill(p.Pix, uint8(i))
		f, err := os.Create(filepath.Join(dir, "rgb", fmt.Sprintf("%05d.png", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(png.Encode(f, p), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, spec string, opts Options) Source {
	t.Helper()
	s, err := Open(spec, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// readAll reads to the end and returns how many frames came, and why no more did.
func readAll(t testing.TB, s Source) (int, error) {
	t.Helper()
	var last int64
	for n := 0; ; n++ {
		f, err := s.Read(t.Context())
		if err != nil {
			return n, err
		}
		if f.Captured <= last {
			t.Errorf("frame %d: captured %d is not after %d", n, f.Captured, last)
		}
		last = f.Captured
		f.Release()
	}
}

func TestSequenceEveryFrame(t *testing.T) {
	s := open(t, "seq:"+makeSequence(t, 20), Options{EveryFrame: true, FPS: 10})
	if m, ok := s.Camera(); !ok || m.Width != 64 || m.Fx != 50 {
		t.Errorf("lens %+v, %v", m, ok)
	}
	var first int64
	for n := range 20 {
		f, err := s.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			first = f.Captured
		}
		if f.Index != n || f.Picture.Y[0] != uint8(n) || f.Captured-first != int64(n)*100_001 {
			t.Errorf("frame %d: index %d, brightness %d, captured %d µs after the first", n, f.Index, f.Picture.Y[0], f.Captured-first)
		}
		f.Release()
	}
	if _, err := s.Read(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the last frame: %v, want io.EOF", err)
	}
}

// TestPace plays in real time: frames come no faster than they are due, and a late reader finds the
// newest and the numbers of those he missed missing.
func TestPace(t *testing.T) {
	s := open(t, "seq:"+makeSequence(t, 60), Options{FPS: 50, Loop: true})
	start := time.Now()
	var last int
	for range 11 {
		f, err := s.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		last = f.Index
		f.Release()
	}
	if d := time.Since(start); d < 180*time.Millisecond {
		t.Errorf("11 frames at 50 fps in %v", d)
	}
	time.Sleep(300 * time.Millisecond)
	f, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	if f.Index < last+5 {
		t.Errorf("after 300 ms of sleep the frame has index %d, before it %d", f.Index, last)
	}
	if age := time.Since(time.UnixMicro(f.Captured)); age < -time.Millisecond || age > time.Second {
		t.Errorf("the newest frame is %v old", age)
	}
}

func TestLoop(t *testing.T) {
	s := open(t, "seq:"+makeSequence(t, 4), Options{EveryFrame: true, Loop: true, FPS: 100})
	var last int64
	for n := range 11 {
		f, err := s.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if f.Index != n || f.Picture.Y[0] != uint8(n%4) || f.Captured <= last {
			t.Errorf("frame %d: index %d, brightness %d", n, f.Index, f.Picture.Y[0])
		}
		last = f.Captured
		f.Release()
	}
}

func TestCloseEndsRead(t *testing.T) {
	for _, every := range []bool{false, true} {
		s := open(t, "seq:"+makeSequence(t, 1), Options{FPS: 0.01, Loop: true, EveryFrame: every})
		got := make(chan error, 1)
		go func() {
			for {
				if f, err := s.Read(context.Background()); err != nil {
					got <- err
					return
				} else {
					f.Release()
				}
			}
		}()
		time.Sleep(20 * time.Millisecond)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-got; !errors.Is(err, errClosed) {
			t.Errorf("a Read that waits at Close returns %v", err)
		}
	}
	s := open(t, "seq:"+makeSequence(t, 1), Options{FPS: 0.01, Loop: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for {
		if _, err := s.Read(ctx); err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("a Read whose context ends returns %v", err)
			}
			break
		}
	}
}

// TestBadSources pins the words of each error: it names the thing and the mend.
func TestBadSources(t *testing.T) {
	good := makeSequence(t, 3)
	noLens := makeSequence(t, 1)
	os.Remove(filepath.Join(noLens, "camera.txt"))
	badLens := makeSequence(t, 1)
	write(t, filepath.Join(badLens, "camera.txt"), []byte("50 50 31 x 64 48\n"))
	empty := makeSequence(t, 0)
	junk := filepath.Join(t.TempDir(), "junk.mp4")
	write(t, junk, []byte(strings.Repeat("not a video ", 100)))
	for _, c := range []struct {
		spec string
		want []string
	}{
		{"webcam", []string{"camera:N", "file:PATH", "seq:DIR"}},
		{"file:", []string{"want camera:N"}},
		{"camera:99", []string{"no camera 99; found:", "plug one in", "seq:"}},
		{"seq:/nowhere/at/all", []string{"no such folder"}},
		{"seq:" + noLens, []string{"camera.txt", "fx fy cx cy width height"}},
		{"seq:" + badLens, []string{"number 4", `"x"`}},
		{"seq:" + empty, []string{"no picture", "rgb/00000.png"}},
		{"file:/nowhere.mp4", []string{"no such file"}},
		{"file:" + good, []string{"is a folder", "seq:"}},
		{"file:" + junk, []string{"junk.mp4", "no video"}},
	} {
		s, err := Open(c.spec, Options{})
		if err == nil {
			s.Close()
			t.Errorf("%s opens", c.spec)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %q does not say %q", c.spec, err, w)
			}
		}
	}
}

func TestBrokenPictures(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(path string)
		want  string
	}{
		{"missing", func(p string) { os.Remove(p) }, "neither"},
		{"cut short", func(p string) { os.Truncate(p, 60) }, "is damaged"},
		{"garbage", func(p string) { write(t, p, []byte("garbage")) }, "is damaged"},
		{"another size", func(p string) {
			f, _ := os.Create(p)
			png.Encode(f, image.NewGray(image.Rect(0, 0, 10, 10)))
			f.Close()
		}, "10x10 pixels, camera.txt or the first picture says 64x48"},
	} {
		dir := makeSequence(t, 6)
		c.spoil(filepath.Join(dir, "rgb", "00004.png"))
		n, err := readAll(t, open(t, "seq:"+dir, Options{EveryFrame: true, Loop: true}))
		if n != 4 || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "00004") {
			t.Errorf("%s: %d frames, then %v; want 4, then %q", c.name, n, err, c.want)
		}
	}
}

// TestSequenceBeforeCalibration plays pictures whose lens nobody knows yet.
func TestSequenceBeforeCalibration(t *testing.T) {
	dir := makeSequence(t, 3)
	if err := os.Remove(filepath.Join(dir, "camera.txt")); err != nil {
		t.Fatal(err)
	}
	s := open(t, "seq:"+dir, Options{EveryFrame: true, AnyLens: true})
	if _, known := s.Camera(); known {
		t.Error("the lens is known, though there is no camera.txt")
	}
	if n, err := readAll(t, s); n != 3 || err != io.EOF {
		t.Errorf("%d frames, then %v", n, err)
	}
	write(t, filepath.Join(dir, "camera.txt"), []byte("nonsense"))
	if s, err := Open("seq:"+dir, Options{AnyLens: true}); err == nil {
		s.Close()
		t.Error("a camera.txt that cannot be read was passed over")
	}
}

// makeClip encodes a clip with ffmpeg, 90 frames at 30 fps, its index at the front.
func makeClip(t testing.TB, name string, args ...string) string {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is not installed, so there is no clip to read")
	}
	path := filepath.Join(t.TempDir(), name)
	cmd := exec.CommandContext(t.Context(), ffmpeg, append([]string{"-v", "error", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=30:duration=3"},
		append(args, path)...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	return path
}

var h264Clip = []string{"-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart"}

func TestFiles(t *testing.T) {
	for name, args := range map[string][]string{
		"clip.mp4":  h264Clip,
		"clip.gif":  nil,
		"clip.avi":  {"-c:v", "mjpeg", "-pix_fmt", "yuvj422p"},
		"clip.webm": {"-c:v", "libvpx", "-deadline", "realtime"},
		"hd.mkv":    {"-c:v", "libx264", "-pix_fmt", "yuv444p", "-colorspace", "bt709", "-color_range", "tv"},
	} {
		t.Run(name, func(t *testing.T) {
			path := makeClip(t, name, args...)
			n, err := readAll(t, open(t, "file:"+path, Options{EveryFrame: true}))
			if !errors.Is(err, io.EOF) || n < 74 || n > 91 {
				t.Errorf("%d frames, then %v; want 90, then io.EOF", n, err)
			}
		})
	}
}

// TestColours compares what ffmpeg's test picture is with what is read, through limited range and full.
func TestColours(t *testing.T) {
	for name, args := range map[string][]string{
		"limited.mp4": h264Clip,
		"full.mp4":    {"-vf", "scale=out_range=full", "-c:v", "libx264", "-pix_fmt", "yuvj420p"},
		"hd.mp4":      {"-vf", "scale=out_color_matrix=bt709", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-colorspace", "bt709"},
	} {
		path := makeClip(t, name, args...)
		f, err := open(t, "file:"+path, Options{EveryFrame: true}).Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r, g, b, _ := f.Picture.At(140, 40).RGBA() // in testsrc's bar of pure blue
		if r>>8 > 12 || g>>8 > 12 || b>>8 < 243 {
			t.Errorf("%s: a pixel of a pure colour reads %d %d %d", name, r>>8, g>>8, b>>8)
		}
		var lo, hi uint8 = 255, 0
		for _, v := range f.Picture.Y {
			lo, hi = min(lo, v), max(hi, v)
		}
		if lo > 8 || hi < 247 {
			t.Errorf("%s: brightness goes from %d to %d, want the full range", name, lo, hi)
		}
		f.Release()
	}
}

func TestFilePaceAndLoop(t *testing.T) {
	path := makeClip(t, "clip.mp4", h264Clip...)
	s := open(t, "file:"+path, Options{Loop: true, EveryFrame: true})
	var at []int64
	for range 200 {
		f, err := s.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, f.Captured)
		f.Release()
	}
	for i := 1; i < len(at); i++ {
		if d := at[i] - at[i-1]; d < 30_000 || d > 37_000 {
			t.Errorf("frame %d comes %d µs after the one before", i, d)
		}
	}
}

// TestCutShort cuts a clip in the middle of a frame: what is whole is delivered, then the error names the
// file and the place; a loop does not hide it.
func TestCutShort(t *testing.T) {
	path := makeClip(t, "clip.mp4", h264Clip...)
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, st.Size()*6/10); err != nil {
		t.Fatal(err)
	}
	n, err := readAll(t, open(t, "file:"+path, Options{EveryFrame: true, Loop: true}))
	if n < 20 || n > 80 || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "clip.mp4") || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("%d frames, then %v", n, err)
	}
	t.Logf("%d frames, then %v", n, err)
	if err := os.Truncate(path, 200); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("file:"+path, Options{}); err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("200 bytes of a clip: %v", err)
	}
}

func TestGarbledFile(t *testing.T) {
	path := makeClip(t, "clip.mp4", h264Clip...)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(data) / 2; i < len(data)/2+2000; i++ {
		data[i] ^= 0x5a
	}
	write(t, path, data)
	n, err := readAll(t, open(t, "file:"+path, Options{EveryFrame: true}))
	if n < 60 || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "damaged at") {
		t.Errorf("%d frames, then %v", n, err)
	}
	t.Logf("%d frames, then %v", n, err)
}

// TestRealClips reads the shared footage where it is: a whole clip, and the start of a sequence.
func TestRealClips(t *testing.T) {
	data := filepath.Join("..", "..", "..", "shared", "data")
	if _, err := os.Stat(data); err != nil {
		t.Skip("the shared footage is not on this machine")
	}
	clip := open(t, "file:"+filepath.Join(data, "clips", "worker-zone.gif"), Options{EveryFrame: true})
	if n, err := readAll(t, clip); n != 71 || !errors.Is(err, io.EOF) {
		t.Errorf("%d frames, then %v; want 71", n, err)
	}
	desk := open(t, "seq:"+filepath.Join(data, "desk"), Options{EveryFrame: true})
	for n := range 10 {
		f, err := desk.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if f.Index != n || f.Picture.Rect.Dx() != 640 {
			t.Errorf("frame %d: index %d, %v", n, f.Index, f.Picture.Rect)
		}
		f.Release()
	}
}
