package capture

import (
	"context"
	"image"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"sightline/devices/media"
	"sightline/vision/camera"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lensOf plays a sequence of one picture of 64x48 under a configuration and returns the lens of its frame.
func lensOf(t *testing.T, cfg Config) (camera.Model, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rgb"), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "rgb", "00000.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, image.NewGray(image.Rect(0, 0, 64, 48))); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "camera.txt"), []byte("50 50 31 23 64 48\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var got camera.Model
	cfg.Spec, cfg.FOV, cfg.Media, cfg.Logger = "seq:"+dir, 65, media.Options{EveryFrame: true}, slog.New(slog.DiscardHandler)
	cfg.OnFrame, cfg.OnState = func(f Frame) { got = f.Lens }, func(error) {}
	feed, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return got, feed.Run(context.Background())
}

// TestCalibratedLens wants the lens of --lens before the source's own, for its size or a scaled one, and
// never for pictures of another shape.
func TestCalibratedLens(t *testing.T) {
	lens := camera.Model{Width: 128, Height: 96, Fx: 110, Fy: 111, Cx: 63, Cy: 48, K1: -0.2}
	m, err := lensOf(t, Config{Lens: lens})
	if err != nil {
		t.Fatal(err)
	}
	if m != lens.Resized(64, 48) {
		t.Errorf("lens %+v", m)
	}
	wide := lens
	wide.Height = 72
	if _, err := lensOf(t, Config{Lens: wide}); err == nil || !strings.Contains(err.Error(), "128x72") || !strings.Contains(err.Error(), "64x48") {
		t.Errorf("a lens for another shape was taken: %v", err)
	}
}
