package media

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// writeClip writes n moving pictures at 20 fps and returns the writer, not yet closed.
func writeClip(t *testing.T, path string, n int) *MP4Writer {
	t.Helper()
	w, err := NewMP4Writer(path)
	if err != nil {
		t.Fatal(err)
	}
	e := newEncoder(t, EncoderConfig{Width: 160, Height: 128, FPS: 20})
	for i := range n {
		au, _, err := e.Encode(movingPicture(160, 128, i))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(au, 1_700_000_000_000_000+int64(i)*50_000); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// TestMP4 plays back what was written: every picture, at its time.
func TestMP4(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.mp4")
	if err := writeClip(t, path, 50).Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, "file:"+path, Options{EveryFrame: true})
	var first int64
	for n := range 50 {
		f, err := s.Read(t.Context())
		if err != nil {
			t.Fatalf("picture %d: %v", n, err)
		}
		if n == 0 {
			first = f.Captured
		}
		if d := f.Captured - first - int64(n)*50_001; d < -20 || d > 20 {
			t.Errorf("picture %d comes %d µs from its time", n, d)
		}
		if q := psnr(movingPicture(160, 128, n), f.Picture); q < 30 {
			t.Errorf("picture %d: %.1f dB", n, q)
		}
		f.Release()
	}
	if _, err := s.Read(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the last picture: %v", err)
	}
}

// TestMP4Crash reads the file of a writer that was never closed.
func TestMP4Crash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.mp4")
	w := writeClip(t, path, 50)
	n, err := readAll(t, open(t, "file:"+path, Options{EveryFrame: true}))
	if n < 30 || !errors.Is(err, io.EOF) {
		t.Errorf("%d of 50 pictures, then %v; at most a second may be lost", n, err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestMP4Refuses(t *testing.T) {
	if _, err := NewMP4Writer(filepath.Join(t.TempDir(), "no", "such", "folder.mp4")); err == nil {
		t.Error("a file in no folder is made")
	}
	path := filepath.Join(t.TempDir(), "out.mp4")
	w := writeClip(t, path, 2)
	if err := w.Write([]byte{0, 0, 1, 0x41, 1}, 5); err == nil {
		t.Error("time may run back")
	}
	if err := errors.Join(w.Write(nil, 0), w.Close(), w.Close()); err != nil {
		t.Error(err)
	}
	if err := w.Write([]byte{0, 0, 1, 0x41, 1}, 5); err == nil {
		t.Error("a closed writer writes")
	}
	if st, err := os.Stat(path); err != nil || st.Size() == 0 {
		t.Error("nothing was written")
	}
}
