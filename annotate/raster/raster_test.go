package raster

import (
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"sightline/annotate"
	"sightline/annotate/scene"
	"sightline/annotate/typeset"
	"sightline/devices"
	"sightline/vision"
	"sightline/vision/camera"
	"sightline/vision/geom"
)

var update = flag.Bool("update", false, "write the golden pictures anew")

func newFaces(t testing.TB) *typeset.Faces {
	t.Helper()
	f, err := typeset.New()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The world of the tests: a camera that looks at a wall two metres away.
var lens = camera.Model{Width: 640, Height: 480, Fx: 600, Fy: 600, Cx: 319.5, Cy: 239.5}

const now = 1_700_000_000_000_000

// on returns the anchor's point of a pixel on the wall.
func on(u, v float64) annotate.AnchorPoint {
	a := annotate.AnchorPoint{P: geom.Vec3{(u - lens.Cx) / lens.Fx * 2, (v - lens.Cy) / lens.Fy * 2, 2}, Normal: geom.Vec3{0, 0.2, -0.98}}
	a.SetCov(geom.Identity3.Scale(1e-6))
	return a
}

func entry(id string, m annotate.Mark, sigma float64, pts ...geom.Vec2) annotate.Entry {
	m.Points, m.Width, m.Height = pts, 640, 480
	a := &annotate.Anchor{State: annotate.Placed, Map: "m"}
	for _, p := range pts {
		q := on(p[0], p[1])
		q.SetCov(geom.Identity3.Scale(sigma * sigma / 300 / 300))
		a.Points = append(a.Points, q)
	}
	return annotate.Entry{ID: id, Mark: m, Anchor: a}
}

func num(v float64) *float64 { return &v }

func pump() scene.Machine {
	reading := func(tag string, v float64, alarm string) devices.Reading {
		return devices.Reading{Machine: "area1/pump7", Tag: tag, Number: num(v), Quality: devices.Good, Arrived: now - 400_000, Alarm: alarm}
	}
	wave := make([]float64, 40)
	climb := make([]float64, 40)
	for i := range wave {
		wave[i] = 4 + math.Sin(float64(i)/4)
		climb[i] = 60 + float64(i*i)/50
	}
	return scene.Machine{
		Machine: devices.Machine{Name: "area1/pump7", Title: "Feed pump 7", Tags: map[string]devices.Tag{
			"temperature": {Title: "Temperature", Unit: "°C", High: num(85)},
			"pressure":    {Title: "Pressure", Unit: "bar"},
			"vibration":   {Title: "Vibration", Unit: "mm/s"},
			"speed":       {Title: "Speed", Unit: "rpm"},
		}},
		Tags: []scene.Tag{{Reading: reading("temperature", 91.4, "high"), Trend: climb}, {Reading: reading("pressure", 4.217, ""), Trend: wave},
			{Reading: reading("vibration", 2.31, ""), Trend: wave}, {Reading: reading("speed", 1483, "")}},
	}
}

func valve() scene.Machine {
	open := true
	return scene.Machine{
		Machine: devices.Machine{Name: "area1/valve3", Title: "进料阀 3", Tags: map[string]devices.Tag{"open": {Title: "Open"}, "flow": {Title: "Flow", Unit: "m³/h"}}},
		Tags: []scene.Tag{
			{Reading: devices.Reading{Machine: "area1/valve3", Tag: "open", Flag: &open, Quality: devices.Stale, Arrived: now - 14_000_000}},
			{Reading: devices.Reading{Machine: "area1/valve3", Tag: "flow", Number: num(12.5), Quality: devices.Stale, Arrived: now - 14_000_000}},
		},
	}
}

func tracking() vision.Estimate {
	return vision.Estimate{State: vision.Tracking, PoseCW: geom.IdentityPose, Map: "m", SigmaPx: 0.5, Landmarks: 120}
}

// every has every shape.
func every(w, h float64) scene.Input {
	const anna, lin = "#ffb72b", "#3ddc84"
	var wavy []geom.Vec2
	for i := range 60 {
		wavy = append(wavy, geom.Vec2{60 + 3.2*float64(i), 430 + 14*math.Sin(float64(i)/5)})
	}
	measure := entry("measure", annotate.Mark{Author: "Anna", Colour: lin, Shape: annotate.Measure}, 0.5, geom.Vec2{480, 350}, geom.Vec2{610, 310})
	measure.Anchor.Metric = true
	return scene.Input{
		Width: w, Height: h, Frame: image.Pt(640, 480), Camera: lens, Estimate: tracking(), Status: true, Now: now,
		Marks: []annotate.Entry{
			entry("arrow", annotate.Mark{Author: "Anna", Colour: anna, Shape: annotate.Arrow}, 0.5, geom.Vec2{250, 200}, geom.Vec2{190, 110}),
			entry("circle", annotate.Mark{Author: "李雷", Colour: lin, Shape: annotate.Circle}, 0.5, geom.Vec2{300, 330}, geom.Vec2{350, 330}),
			entry("stroke", annotate.Mark{Author: "Anna", Colour: "#ff5db1", Shape: annotate.Stroke}, 0.5, wavy...),
			entry("text", annotate.Mark{Author: "Anna", Colour: anna, Shape: annotate.Text, Text: "Close this valve first, then wait: 先关闭此阀门,等待压力降到零。"}, 0.5, geom.Vec2{120, 330}),
			entry("turn", annotate.Mark{Author: "Anna", Colour: lin, Shape: annotate.Gesture, Action: annotate.TurnRight}, 0.5, geom.Vec2{400, 440}),
			entry("press", annotate.Mark{Author: "Anna", Colour: anna, Shape: annotate.Gesture, Action: annotate.Press, Text: "按下 Press"}, 4.2, geom.Vec2{70, 190}),
			entry("pin", annotate.Mark{Author: "plant", Colour: "#5cc8ff", Shape: annotate.Pin, Machine: "area1/pump7"}, 0.5, geom.Vec2{420, 250}),
			entry("right", annotate.Mark{Author: "Anna", Colour: anna, Shape: annotate.Arrow}, 0.5, geom.Vec2{900, 200}, geom.Vec2{950, 100}),
			entry("right2", annotate.Mark{Author: "Anna", Colour: lin, Shape: annotate.Gesture, Action: annotate.Pull}, 0.5, geom.Vec2{920, 210}),
			entry("below", annotate.Mark{Author: "Anna", Colour: "#ff5db1", Shape: annotate.Text, Text: "x"}, 0.5, geom.Vec2{320, 900}),
			measure,
			entry("unsure", annotate.Mark{Author: "Anna", Colour: anna, Shape: annotate.Arrow}, 12, geom.Vec2{320, 240}, geom.Vec2{300, 200}),
		},
		Machines: []scene.Machine{pump()},
		Pointers: []annotate.Pointer{{Name: "Bob", Colour: "#5cc8ff", Pixel: geom.Vec2{560, 410}, Width: 640, Height: 480}},
	}
}

func gestures(w, h float64) scene.Input {
	in := every(w, h)
	in.Pointers = nil
	in.Marks = nil
	for i, a := range []annotate.Action{annotate.Point, annotate.Press, annotate.TurnLeft, annotate.TurnRight, annotate.Pull, annotate.Stop} {
		at := geom.Vec2{90 + 200*float64(i%3), 160 + 110*float64(i/3)}
		in.Marks = append(in.Marks, entry(string(a), annotate.Mark{Author: "Anna", Colour: "#3ddc84", Shape: annotate.Gesture, Action: a}, 0.5, at))
	}
	in.Marks = append(in.Marks, entry("pin", annotate.Mark{Colour: "#5cc8ff", Shape: annotate.Pin, Machine: "area1/valve3"}, 0.5, geom.Vec2{150, 380}))
	in.Machines = []scene.Machine{pump(), valve()}
	in.Estimate.Reason = "few landmarks"
	in.Drafts = []annotate.Mark{{Shape: annotate.Circle, Colour: "#ff5db1", Width: 640, Height: 480, Points: []geom.Vec2{{560, 420}, {590, 420}}},
		{Shape: annotate.Arrow, Colour: "#ff5db1", Width: 640, Height: 480, Points: []geom.Vec2{{470, 420}, {400, 400}}}}
	return in
}

func lost(w, h float64) scene.Input {
	in := every(w, h)
	in.Estimate.State = vision.Lost
	in.Notices = []scene.Notice{{Text: "Anna: turn it slowly · 慢慢转动", Level: scene.Info}, {Text: "Connection to the relay lost, trying again", Level: scene.Warning}}
	return in
}

func starting(w, h float64) scene.Input {
	in := every(w, h)
	in.Estimate, in.Machines, in.Pointers = vision.Estimate{State: vision.Initializing}, nil, nil
	return in
}

// holding is a fixed camera's view: no map, but marks hold on the panorama.
func holding(w, h float64) scene.Input {
	in := gestures(w, h)
	in.Estimate.State, in.Estimate.Reason = vision.Initializing, "waiting for parallax: move sideways"
	return in
}

// backdrop is a synthesised picture: bright and dark, busy and calm, so that legibility shows.
func backdrop(width, height int) *image.YCbCr {
	p := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	for y := range height {
		for x := range width {
			v := 60 + 130*float64(x)/float64(width) + 18*math.Sin(float64(x)/7)*math.Sin(float64(y)/11)
			if (x/40+y/40)%5 == 0 {
				v += 40
			}
			p.Y[y*p.YStride+x] = uint8(min(255, v))
		}
	}
	for i := range p.Cb {
		p.Cb[i], p.Cr[i] = 132, 124
	}
	return p
}

func paint(t testing.TB, in scene.Input) *image.RGBA {
	t.Helper()
	faces := newFaces(t)
	r := scene.NewBuilder(faces).Build(in)
	dst := image.NewRGBA(image.Rect(0, 0, int(in.Width), int(in.Height)))
	New(faces).Compose(dst, backdrop(in.Frame.X, in.Frame.Y), r.View, r.Items)
	return dst
}

func TestGolden(t *testing.T) {
	for name, in := range map[string]scene.Input{
		"every-854x480": every(854, 480), "every-1280x720": every(1280, 720), "gestures": gestures(854, 480),
		"lost": lost(854, 480), "starting": starting(640, 480), "holding": holding(640, 480),
	} {
		t.Run(name, func(t *testing.T) {
			got := paint(t, in)
			path := filepath.Join("testdata", name+".png")
			if *update {
				writePNG(t, path, got)
				return
			}
			want := readPNG(t, path)
			if want.Bounds() != got.Bounds() {
				t.Fatalf("picture of %v, golden of %v", got.Bounds(), want.Bounds())
			}
			if n, worst := differ(got, want); n > got.Rect.Dx()*got.Rect.Dy()/2000 {
				out := filepath.Join(t.TempDir(), name+".png")
				writePNG(t, out, got)
				t.Errorf("%d pixels differ from %s, by up to %d; run with -update and look at it if that is meant", n, path, worst)
			}
		})
	}
}

// differ counts the pixels that differ by more than rounding.
func differ(got *image.RGBA, want image.Image) (n, worst int) {
	for y := range got.Rect.Dy() {
		for x := range got.Rect.Dx() {
			a := got.RGBAAt(x, y)
			b := color.RGBAModel.Convert(want.At(x, y)).(color.RGBA)
			d := max(diff(a.R, b.R), diff(a.G, b.G), diff(a.B, b.B))
			worst = max(worst, d)
			if d > 6 {
				n++
			}
		}
	}
	return n, worst
}

func diff(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }

func writePNG(t testing.TB, path string, p image.Image) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	e := png.Encoder{CompressionLevel: png.BestCompression}
	if err := errors.Join(e.Encode(f, p), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func readPNG(t testing.TB, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatalf("%v; run with -update to make it", err)
	}
	defer f.Close()
	p, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPictureExact compares the fast conversion with the standard library's, pixel by pixel.
func TestPictureExact(t *testing.T) {
	src := backdrop(64, 48)
	for i := range src.Cb {
		src.Cb[i], src.Cr[i] = uint8(i*7), uint8(i*13)
	}
	dst := image.NewRGBA(image.Rect(0, 0, 80, 48))
	New(newFaces(t)).Picture(dst, src, scene.Fit(64, 48, 80, 48))
	for y := range 48 {
		for x := range 64 {
			r, g, b, _ := src.At(x, y).RGBA()
			got := dst.RGBAAt(x+8, y)
			if max(diff(got.R, uint8(r>>8)), diff(got.G, uint8(g>>8)), diff(got.B, uint8(b>>8))) > 1 {
				t.Fatalf("pixel %d,%d is %v, want %d %d %d", x, y, got, r>>8, g>>8, b>>8)
			}
		}
	}
	if c := dst.RGBAAt(2, 2); c != (color.RGBA{0, 0, 0, 255}) {
		t.Errorf("beside the picture is %v, want black", c)
	}
}

// TestPictureScaled wants a ramp to stay a ramp at the right place, enlarged and reduced.
func TestPictureScaled(t *testing.T) {
	src := image.NewYCbCr(image.Rect(0, 0, 101, 51), image.YCbCrSubsampleRatio420)
	for y := range 51 {
		for x := range 101 {
			src.Y[y*src.YStride+x] = uint8(x + y)
		}
	}
	for i := range src.Cb {
		src.Cb[i], src.Cr[i] = 128, 128
	}
	p := New(newFaces(t))
	for _, size := range [][2]int{{303, 153}, {60, 30}, {101, 51}, {1, 1}} {
		dst := image.NewRGBA(image.Rect(0, 0, size[0], size[1]))
		view := scene.Fit(101, 51, float64(size[0]), float64(size[1]))
		p.Picture(dst, src, view)
		for y := 2; y < size[1]-2; y++ {
			for x := 2; x < size[0]-2; x++ {
				f := view.ToFrame(geom.Vec2{float64(x) + 0.5, float64(y) + 0.5})
				if !view.Contains(geom.Vec2{float64(x), float64(y)}) {
					continue
				}
				if got := float64(dst.RGBAAt(x, y).G); math.Abs(got-f[0]-f[1]) > 2.5 {
					t.Fatalf("size %v: pixel %d,%d is %g, want %.1f", size, x, y, got, f[0]+f[1])
				}
			}
		}
	}
}

// TestAnywhere draws lists with points far off, without number, and on a picture of one pixel.
func TestAnywhere(t *testing.T) {
	p := New(newFaces(t))
	var items []scene.Item
	for _, at := range []geom.Vec2{{-1e5, 5}, {5, 1e5}, {math.NaN(), 0}, {math.Inf(1), 0}, {-3, -3}, {9, 9}} {
		for k := scene.Fill; k <= scene.Text; k++ {
			items = append(items, scene.Item{Kind: k, Points: []geom.Vec2{at, {5, 5}, {7, 2}}, Radius: 4, Width: 2, Halo: 1,
				Colour: color.NRGBA{255, 0, 0, 255}, Text: "Aé中\u0000\U0010ffff", Size: 12})
		}
	}
	items = append(items, scene.Item{Kind: scene.Line, Colour: color.NRGBA{A: 255}})
	for _, size := range []int{1, 10} {
		p.Draw(image.NewRGBA(image.Rect(0, 0, size, size)), items)
	}
}

// BenchmarkCompose is a headset's view with every shape: scene, picture and drawing.
func BenchmarkCompose(b *testing.B) {
	for _, c := range []struct{ w, h, fw, fh int }{{854, 480, 640, 480}, {854, 480, 1280, 720}, {1280, 720, 1280, 720}} {
		b.Run(fmt.Sprintf("%dx%d-in-%dx%d", c.fw, c.fh, c.w, c.h), func(b *testing.B) {
			faces := newFaces(b)
			builder, painter := scene.NewBuilder(faces), New(faces)
			in := every(float64(c.w), float64(c.h))
			in.Frame = image.Pt(c.fw, c.fh)
			in.Camera = lens.Resized(c.fw, c.fh)
			src := backdrop(c.fw, c.fh)
			dst := image.NewRGBA(image.Rect(0, 0, c.w, c.h))
			b.ReportAllocs()
			for b.Loop() {
				r := builder.Build(in)
				painter.Compose(dst, src, r.View, r.Items)
			}
		})
	}
}

// TestRealBackdrop writes the scene over a real picture, for looking at; it needs -update.
func TestRealBackdrop(t *testing.T) {
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "desk", "rgb", "00010.png"))
	if err != nil || !*update {
		t.Skip("only with -update and the shared footage")
	}
	defer f.Close()
	src, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	ycc := image.NewYCbCr(image.Rect(0, 0, 640, 480), image.YCbCrSubsampleRatio420)
	for y := range 480 {
		for x := range 640 {
			r, g, b, _ := src.At(x, y).RGBA()
			ycc.Y[ycc.YOffset(x, y)], ycc.Cb[ycc.COffset(x, y)], ycc.Cr[ycc.COffset(x, y)] = color.RGBToYCbCr(uint8(r>>8), uint8(g>>8), uint8(b>>8))
		}
	}
	faces := newFaces(t)
	r := scene.NewBuilder(faces).Build(every(854, 480))
	dst := image.NewRGBA(image.Rect(0, 0, 854, 480))
	New(faces).Compose(dst, ycc, r.View, r.Items)
	writePNG(t, filepath.Join(os.TempDir(), "sightline-scene.png"), dst)
}
