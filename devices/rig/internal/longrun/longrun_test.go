package longrun

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// The middle of a ring is found to a pixel, whatever dot of its colour is beside it, and none where there is none.
func TestMiddle(t *testing.T) {
	const w, h = 640, 480
	for _, squeeze := range []float64{1, 0.5, 0.2} {
		rgb := make([]byte, 3*w*h)
		paint := func(x, y int) {
			if x >= 0 && y >= 0 && x < w && y < h {
				rgb[3*(y*w+x)], rgb[3*(y*w+x)+2] = 255, 255
			}
		}
		for a := 0.0; a < 2*math.Pi; a += 0.005 {
			sin, cos := math.Sincos(a)
			for r := 28.0; r < 33; r += 0.5 {
				paint(int(300+r*cos+0.5), int(200+squeeze*r*sin+0.3*r*cos+0.5)) // at a slant
			}
		}
		for i := range 36 {
			paint(262+i%6, 150+i/6) // beside the author's name
		}
		u, v, ok := middle(rgb, w, h, drawn{303, 196})
		if !ok || math.Hypot(u-300, v-200) > 1.5 {
			t.Errorf("squeezed to %g: %.1f, %.1f, %v", squeeze, u, v, ok)
		}
		if _, _, ok := middle(rgb, w, h, drawn{500, 400}); ok {
			t.Error("there is a ring where there is none")
		}
	}
}

func TestSpread(t *testing.T) {
	var x []float64
	for i := range 1000 {
		x = append(x, float64((i*7)%1000))
	}
	if s := spreadOf(x); s != (spread{500, 950, 990, 999}) {
		t.Errorf("%+v", s)
	}
	if spreadOf(nil) != (spread{}) {
		t.Error("nothing has a spread")
	}
	if at, ok := nearest([]float64{1, 2, 3}, 2.2); !ok || at != 2 {
		t.Error(at, ok)
	}
	if _, ok := nearest([]float64{1, 2, 3}, 4); ok {
		t.Error("a second away is near")
	}
}

// The probe's tones are heard by the probe's own ears where they begin.
func TestTones(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tones.wav")
	if err := tones(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 44+2*48000*10 {
		t.Fatal(info, err)
	}
	at, err := onsets(t.Context(), path)
	if err != nil {
		t.Skip("ffmpeg is not installed: make deps")
	}
	if len(at) != 9 { // the one at the very beginning comes after no silence
		t.Fatalf("%d tones at %v", len(at), at)
	}
	for i, v := range at {
		if math.Abs(v-float64(i+1)) > 0.006 {
			t.Errorf("tone %d is at %.4f s", i+1, v)
		}
	}
}
