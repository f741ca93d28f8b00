package sim

import (
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"sightline/vision/geom"
)

func world(t testing.TB, o Options) *World {
	t.Helper()
	w, err := NewWorld(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestDepthAgreesWithPose lifts pixels of one frame into the world by their depth and looks whether
// another frame sees the same surface there.
func TestDepthAgreesWithPose(t *testing.T) {
	w := world(t, Options{Seed: 3, Motion: Walk})
	cam := w.Camera()
	const a, b = 30, 60
	da := append([]float64(nil), w.Depth(a)...)
	db := w.Depth(b)
	seen, agree := 0, 0
	for y := 20; y < cam.Height; y += 23 {
		for x := 20; x < cam.Width; x += 23 {
			z := da[y*cam.Width+x]
			if math.IsInf(z, 0) {
				continue
			}
			n := cam.Normalize(geom.Vec2{float64(x), float64(y)})
			p := w.PoseCW(a).Inverse().Apply(geom.Vec3{n[0] * z, n[1] * z, z})
			c := w.PoseCW(b).Apply(p)
			q, ok := cam.Project(c)
			if !ok || !cam.Contains(q, 2) {
				continue
			}
			seen++
			if d := db[int(q[1]+0.5)*cam.Width+int(q[0]+0.5)]; math.Abs(d-c[2]) < 0.03*c[2] {
				agree++
			}
		}
	}
	if seen < 200 || float64(agree) < 0.85*float64(seen) {
		t.Errorf("%d of %d lifted points lie on the surface that the other frame sees; the rest may be hidden, but not so many", agree, seen)
	}
}

func TestSameSeedSamePicture(t *testing.T) {
	a, b, c := world(t, Options{Seed: 5}), world(t, Options{Seed: 5}), world(t, Options{Seed: 6})
	if d := difference(a.Picture(17), b.Picture(17)); d != 0 {
		t.Errorf("the same frame differs by %.3f on average", d)
	}
	if d := difference(a.Picture(17), c.Picture(17)); d < 2 {
		t.Errorf("another seed differs by only %.3f on average", d)
	}
}

func difference(a, b *image.YCbCr) float64 {
	sum := 0.0
	for i := range a.Y {
		sum += math.Abs(float64(a.Y[i]) - float64(b.Y[i]))
	}
	return sum / float64(len(a.Y))
}

func TestPictureIsOfAPlantRoom(t *testing.T) {
	y := world(t, Options{Seed: 1}).Picture(0).Y
	var sum, sq float64
	for _, v := range y {
		sum += float64(v)
		sq += float64(v) * float64(v)
	}
	mean := sum / float64(len(y))
	dev := math.Sqrt(sq/float64(len(y)) - mean*mean)
	if mean < 60 || mean > 180 || dev < 25 {
		t.Errorf("mean %.0f and deviation %.0f of brightness: not the picture of a lit room", mean, dev)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, spec := range []string{"sim:moon", "sim:plant?motion=fly", "sim:plant?seed=x", "sim:plant?size=9", "sim:plant?colour=1", "sim:plant?light=moon", "sim:plant?noise=-1", "sim:plant?path=-1", "sim:plant?blur=perhaps"} {
		if _, err := ParseOptions(spec, 30); err == nil {
			t.Errorf("%s was taken", spec)
		}
	}
	o, err := ParseOptions("sim:plant?seed=3&motion=walk&hand=1&path=2&light=dim&plain=1&noise=0&blur=0&size=320x240", 25)
	if err != nil || o.Seed != 3 || o.Motion != Walk || !o.Hand || o.Path != 2 || o.Light != Dim || !o.Plain || o.Noise >= 0 || !o.NoBlur || o.Width != 320 || o.FPS != 25 {
		t.Errorf("got %+v, %v", o, err)
	}
	if _, err := NewWorld(Options{Width: 3, Height: 3}); err == nil {
		t.Error("a camera of 3x3 pixels was built")
	}
}

// TestOptionsChangeThePicture looks at one frame of the same plant on another visit, in another light and
// in other paint.
func TestOptionsChangeThePicture(t *testing.T) {
	usual := world(t, Options{Seed: 5}).Picture(17)
	for name, c := range map[string]struct {
		o    Options
		want float64 // grey levels of difference, at least
	}{
		"path":  {Options{Seed: 5, Path: 2}, 5},
		"light": {Options{Seed: 5, Light: Dim}, 10},
		"plain": {Options{Seed: 5, Plain: true}, 3},
	} {
		if d := difference(usual, world(t, c.o).Picture(17)); d < c.want {
			t.Errorf("%s: differs by only %.2f grey levels", name, d)
		}
	}
}

// TestNoiseIsAsAsked compares a picture with noise against the one without.
func TestNoiseIsAsAsked(t *testing.T) {
	w := world(t, Options{Seed: 5, Noise: 3})
	noisy := w.Picture(17)
	w.lens.noise = 0
	// The mean of |x| of a normal distribution is sqrt(2/pi) of its deviation.
	got := difference(w.Picture(17), noisy) / math.Sqrt(2/math.Pi)
	if want := 3 * usualNoise; math.Abs(got-want) > 0.15*want {
		t.Errorf("deviation %.2f grey levels, want %.2f", got, want)
	}
}

var update = flag.Bool("update", false, "write testdata/version.png anew")

// TestPicturesAreOfThisVersion fails where pictures have changed and Version has not: raise it, and run with
// -update.
func TestPicturesAreOfThisVersion(t *testing.T) {
	got := world(t, Options{Seed: 5, Width: 160, Height: 120, Noise: -1}).Picture(17)
	grey := &image.Gray{Pix: got.Y, Stride: got.YStride, Rect: got.Rect}
	path := filepath.Join("testdata", fmt.Sprintf("version-%d.png", Version))
	if *update {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(png.Encode(f, grey), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	// Another processor may round otherwise here and there.
	if d := difference(got, &image.YCbCr{Y: want.(*image.Gray).Pix}); d > 0.02 {
		t.Errorf("the picture differs by %.3f grey levels from that of version %d", d, Version)
	}
}

// TestPanOnlyTurns wants no parallax after the head has come to rest.
func TestPanOnlyTurns(t *testing.T) {
	h := newHead(Pan, 3, 0)
	a, b := h.poseCW(7), h.poseCW(9)
	if d := a.Centre().Sub(b.Centre()).Norm(); d > 0.001 {
		t.Errorf("the camera moved by %.4f m while it should only turn", d)
	}
	if w := geom.LogSO3(b.R.Mul(a.R.Transpose())).Norm(); w < 0.3 {
		t.Errorf("it turned by only %.2f radians", w)
	}
}

func BenchmarkPicture(b *testing.B) {
	w := world(b, Options{Seed: 1, Hand: true, Motion: Walk})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Picture(i)
	}
}

func BenchmarkNewWorld(b *testing.B) {
	for b.Loop() {
		world(b, Options{Seed: 1})
	}
}

// A rolling shutter reads every row at its own time: a camera that is twelve times as fast sees the rows at a quarter of the
// picture's height three of its frames before and after the middle one; in a picture that is held upright, the columns.
func TestRollingShutter(t *testing.T) {
	t.Run("lying", func(t *testing.T) { testRollingShutter(t, 640, 480) })
	t.Run("upright", func(t *testing.T) { testRollingShutter(t, 480, 640) })
}

func testRollingShutter(t *testing.T, width, height int) {
	o := Options{Seed: 4, Motion: Turns, FPS: 20, NoBlur: true, Noise: -1, Width: width, Height: height}
	fast := o
	o.Readout, fast.FPS = 0.05, 240
	rolling, err := NewWorld(o)
	if err != nil {
		t.Fatal(err)
	}
	global, err := NewWorld(fast)
	if err != nil {
		t.Fatal(err)
	}
	frame := 0 // in which the head turns fastest
	for f, most := 1, 0.0; f < 200; f++ {
		if w := geom.TwistBetween(rolling.PoseCW(f-1), rolling.PoseCW(f+1)).Turn.Norm(); w > most {
			frame, most = f, w
		}
	}
	picture := rolling.Picture(frame)
	down, along := picture.YStride, 1
	if height > width {
		down, along = 1, picture.YStride
	}
	for row, at := range map[int]int{120: 12*frame - 3, 240: 12 * frame, 359: 12*frame + 3} {
		off := func(frame int) (sum float64) {
			other := global.Picture(frame)
			for k := 200; k < 440; k++ { // what the middle row's view has as well
				sum += math.Abs(float64(picture.Y[row*down+k*along]) - float64(other.Y[row*down+k*along]))
			}
			return sum / 240
		}
		right := off(at)
		t.Logf("row %d: %.1f grey levels from its own time, %.1f and %.1f beside it", row, right, off(at-2), off(at+2))
		if right > 6 || 1.5*right > math.Min(off(at-2), off(at+2)) {
			t.Errorf("row %d is not of frame %d", row, at)
		}
	}
	px := geom.Vec2{320, 30}
	p, ok := rolling.Surface(frame, px)
	if back, _, front := rolling.Project(frame, p); !ok || !front || back.Sub(px).Norm() > 0.5 {
		t.Errorf("pixel %v sees what is at %v", px, back)
	}
}
