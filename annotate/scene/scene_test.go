package scene

import (
	"image"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sightline/annotate"
	"sightline/annotate/typeset"
	"sightline/devices"
	"sightline/vision"
	"sightline/vision/camera"
	"sightline/vision/geom"
)

var lens = camera.Model{Width: 640, Height: 480, Fx: 600, Fy: 610, Cx: 320, Cy: 240, K1: -0.1, P1: 0.001}

func builder(t testing.TB) *Builder {
	t.Helper()
	f, err := typeset.New()
	if err != nil {
		t.Fatal(err)
	}
	return NewBuilder(f)
}

// placed is a mark at a place of the world, seen from the front.
func placed(id string, shape annotate.Shape, sigma float64, at ...geom.Vec3) annotate.Entry {
	e := annotate.Entry{ID: id, Mark: annotate.Mark{Author: "Anna", Colour: "#ffb72b", Shape: shape, Action: annotate.Press,
		Text: "Here", Width: 640, Height: 480}, Anchor: &annotate.Anchor{State: annotate.Placed, Map: "m"}}
	for _, p := range at {
		a := annotate.AnchorPoint{P: p, Normal: geom.Vec3{0, 0, -1}}
		a.SetCov(geom.Identity3.Scale(sigma * sigma))
		e.Anchor.Points = append(e.Anchor.Points, a)
		e.Mark.Points = append(e.Mark.Points, geom.Vec2{1, 1})
	}
	return e
}

func input(marks ...annotate.Entry) Input {
	return Input{Width: 854, Height: 480, Frame: image.Pt(640, 480), Camera: lens, Status: true, Marks: marks,
		Estimate: vision.Estimate{State: vision.Tracking, PoseCW: geom.IdentityPose, Map: "m", SigmaPx: 0.5}}
}

// TestStates goes through what can become of a mark.
func TestStates(t *testing.T) {
	front := geom.Vec3{0.1, 0.1, 2}
	arrow := func() annotate.Entry { return placed("a", annotate.Arrow, 1e-4, front, geom.Vec3{0.3, 0.3, 2}) }
	for _, c := range []struct {
		name   string
		change func(*Input)
		want   State
		reason string
	}{
		{"in view", func(*Input) {}, Shown, ""},
		{"lost", func(in *Input) { in.Estimate.State = vision.Lost }, Hidden, "tracking is lost"},
		{"starting", func(in *Input) { in.Estimate.State, in.Estimate.Map = vision.Initializing, "" }, Hidden, "not begun"},
		{"on a panorama", func(in *Input) { in.Estimate.State = vision.Initializing }, Shown, ""},
		{"on another panorama", func(in *Input) { in.Estimate.State, in.Estimate.Map = vision.Initializing, "n" }, Hidden, "another map"},
		{"no tracker", func(in *Input) { in.Estimate = vision.Estimate{} }, Hidden, "not begun"},
		{"no lens", func(in *Input) { in.Camera = camera.Model{} }, Hidden, "lens"},
		{"no anchor", func(in *Input) { in.Marks[0].Anchor = nil }, Hidden, "not placed yet"},
		{"waiting", func(in *Input) {
			*in.Marks[0].Anchor = annotate.Anchor{State: annotate.Waiting, Reason: "the wall has no texture"}
		}, Hidden, "the wall has no texture"},
		{"refused", func(in *Input) { *in.Marks[0].Anchor = annotate.Anchor{State: annotate.Refused, Reason: "sky"} }, Hidden, "cannot be placed: sky"},
		{"other map", func(in *Input) { in.Marks[0].Anchor.Map = "n" }, Hidden, "another map"},
		{"too few points", func(in *Input) { in.Marks[0].Anchor.Points = in.Marks[0].Anchor.Points[:1] }, Hidden, "incomplete"},
		{"not a number", func(in *Input) { in.Marks[0].Anchor.Points[0].P[1] = math.NaN() }, Hidden, "not a number"},
		{"covariance not a number", func(in *Input) { in.Marks[0].Anchor.Points[0].Cov[0] = math.NaN() }, Hidden, "may be off"},
		{"unsure anchor", func(in *Input) { in.Marks[0] = placed("a", annotate.Arrow, 0.1, front, front) }, Hidden, "may be off by 75 px"},
		{"unsure pose", func(in *Input) { in.Estimate.SigmaPx = 4.7 }, Hidden, "may be off by 12 px"},
		{"likely elsewhere", func(in *Input) {
			p := &in.Marks[0].Anchor.Points[0]
			p.Doubt, p.Off = 0.3, geom.Vec3{0.5, 0, 0}
		}, Hidden, "may be off by"},
		{"hardly elsewhere", func(in *Input) {
			p := &in.Marks[0].Anchor.Points[0]
			p.Doubt, p.Off = 0.05, geom.Vec3{0.5, 0, 0}
		}, Shown, ""},
		{"from behind", func(in *Input) { in.Marks[0].Anchor.Points[0].Normal = geom.Vec3{0, 0, 1} }, Hidden, "far side"},
		{"beside", func(in *Input) { in.Marks[0].Anchor.Points[0].P = geom.Vec3{3, 0, 2} }, Outside, ""},
		{"behind the camera", func(in *Input) { in.Marks[0].Anchor.Points[0].P = geom.Vec3{0, 0, -2} }, Outside, ""},
		{"in the camera", func(in *Input) { in.Marks[0].Anchor.Points[0].P = geom.Vec3{} }, Outside, ""},
	} {
		in := input(arrow())
		c.change(&in)
		r := builder(t).Build(in)
		m := r.Marks[0]
		if m.State != c.want || !strings.Contains(m.Reason, c.reason) || (c.reason == "") != (m.Reason == "") {
			t.Errorf("%s: %s, %q; want %s, %q", c.name, m.State, m.Reason, c.want, c.reason)
		}
		if hidden := len(r.Hidden()) == 1; hidden != (c.want == Hidden) {
			t.Errorf("%s: listed as hidden: %v", c.name, hidden)
		}
	}
}

// TestTipIsExact wants the tip of an arrow where the world's point is in the picture, whatever the size of
// the viewport.
func TestTipIsExact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		at := geom.Vec3{rapid.Float64Range(-0.8, 0.8).Draw(rt, "x"), rapid.Float64Range(-0.6, 0.6).Draw(rt, "y"), 2}
		in := input(placed("a", annotate.Arrow, 1e-4, at, geom.Vec3{0, 0, 3}))
		in.Width, in.Height = rapid.Float64Range(200, 2000).Draw(rt, "w"), rapid.Float64Range(200, 2000).Draw(rt, "h")
		r := builder(t).Build(in)
		px, _ := lens.Project(at)
		if m := r.Marks[0]; m.U != px[0] || m.V != px[1] {
			rt.Fatalf("u, v %g, %g; want %v", m.U, m.V, px)
		}
		for _, i := range r.Items {
			if i.Kind == Fill && len(i.Points) == 7 {
				if d := r.View.ToFrame(i.Points[0]).Sub(px).Norm(); d > 1e-6 {
					rt.Fatalf("the tip is %g px off", d)
				}
				return
			}
		}
		rt.Fatal("there is no arrow")
	})
}

// TestFade pins how strongly a mark of a certain error is drawn.
func TestFade(t *testing.T) {
	for _, c := range []struct{ sigma, least, most float64 }{{1, 1, 1}, {2, 0.99, 1}, {3.5, 0.8, 0.9}, {4.6, 0.3, 0.4}, {4.7, 0, 0}} {
		in := input(placed("a", annotate.Circle, 0, geom.Vec3{0, 0, 2}, geom.Vec3{0.1, 0, 2}))
		in.Estimate.SigmaPx = c.sigma
		if a := builder(t).Build(in).Marks[0].Alpha; a < c.least || a > c.most {
			t.Errorf("sigma %g: alpha %g, want %g to %g", c.sigma, a, c.least, c.most)
		}
	}
}

// TestLabelsStay moves the camera a little: boxes keep their side. The list of the same input is the same.
func TestLabelsStay(t *testing.T) {
	b := builder(t)
	in := input(placed("a", annotate.Text, 1e-4, geom.Vec3{0, 0, 2}), placed("b", annotate.Text, 1e-4, geom.Vec3{0.12, 0.02, 2}))
	b.Build(in)
	first := [2]int{b.spots["a"], b.spots["b"]}
	for i := range 40 {
		in.Estimate.PoseCW.T = geom.Vec3{0.02 * math.Sin(float64(i)/3), 0.01 * math.Cos(float64(i)/5), 0}
		b.Build(in)
		if now := [2]int{b.spots["a"], b.spots["b"]}; now != first {
			t.Fatalf("frame %d: labels went from %v to %v", i, first, now)
		}
	}
	one, two := builder(t).Build(in), builder(t).Build(in)
	if !reflect.DeepEqual(one.Items, two.Items) {
		t.Error("the same input gives two scenes")
	}
	in.Marks = nil
	if b.Build(in); len(b.spots) != 0 {
		t.Error("the spots of gone marks are kept")
	}
}

func TestView(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := Fit(rapid.IntRange(1, 4000).Draw(t, "fw"), rapid.IntRange(1, 4000).Draw(t, "fh"),
			rapid.Float64Range(1, 4000).Draw(t, "w"), rapid.Float64Range(1, 4000).Draw(t, "h"))
		px := geom.Vec2{rapid.Float64Range(-100, 4000).Draw(t, "u"), rapid.Float64Range(-100, 4000).Draw(t, "v")}
		if back := v.ToFrame(v.ToViewport(px)); back.Sub(px).Norm() > 1e-6 {
			t.Fatalf("%v comes back as %v", px, back)
		}
		if v.Left < -1e-9 || v.Top < -1e-9 || v.Left > 1e-9 && v.Top > 1e-9 {
			t.Fatalf("the picture is cropped or has bars on all sides: %+v", v)
		}
	})
}

// TestAlarmIsNeverMissed shows an alarm on its panel, and as a bar where the panel is not in view.
func TestAlarmIsNeverMissed(t *testing.T) {
	v := 99.0
	machine := Machine{Machine: devices.Machine{Name: "a/pump"}, Tags: []Tag{{Reading: devices.Reading{Machine: "a/pump", Tag: "heat",
		Number: &v, Alarm: "high", Quality: devices.Good}}}}
	pin := placed("p", annotate.Pin, 1e-4, geom.Vec3{0, 0, 2})
	pin.Mark.Machine = "a/pump"
	for name, change := range map[string]func(*Input){
		"panel": func(*Input) {}, "lost": func(in *Input) { in.Estimate.State = vision.Lost },
		"outside": func(in *Input) { in.Marks[0].Anchor.Points[0].P = geom.Vec3{9, 0, 2} }, "no pin": func(in *Input) { in.Marks = nil },
	} {
		in := input(pin)
		anchor := *pin.Anchor
		anchor.Points = append([]annotate.AnchorPoint(nil), anchor.Points...)
		in.Marks[0].Anchor = &anchor
		in.Machines = []Machine{machine}
		change(&in)
		found := 0
		for _, i := range builder(t).Build(in).Items {
			if i.Kind == Text && strings.Contains(strings.ToLower(i.Text), "too high") {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s: the alarm is shown %d times", name, found)
		}
	}
}

func TestWords(t *testing.T) {
	for v, want := range map[float64]string{0: "0.00", 4.217: "4.22", -12.34: "-12.3", 91.44: "91.4", 1483: "1483", 2.5e7: "2.5e+07", math.Inf(1): "–"} {
		if got := Value(devices.Reading{Number: &v}); got != want {
			t.Errorf("%g reads %q, want %q", v, got, want)
		}
	}
	for micros, want := range map[int64]string{-5: "0 s", 14_000_000: "14 s", 600_000_000: "10 min", 3 * 3600 * 1_000_000: "3 h"} {
		if got := Age(micros); got != want {
			t.Errorf("%d µs is %q, want %q", micros, got, want)
		}
	}
	if Colour("#3ddc84") != green || Colour("green") != amber || Colour("#zzzzzz") != amber {
		t.Error("colours are not read")
	}
}

// FuzzBuild throws poses, lenses and places at the builder: nothing may break it, and nothing that is not a
// number may be drawn.
func FuzzBuild(f *testing.F) {
	f.Add(0.1, 0.2, 2.0, 0.0, 600.0, 0.5)
	f.Add(0.0, 0.0, 0.0, 3.1, 1.0, 0.0)
	f.Add(math.NaN(), math.Inf(1), -1.0, 1e300, 1e-300, -1.0)
	faces, err := typeset.New()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, x, y, z, turn, focal, sigma float64) {
		var marks []annotate.Entry
		for _, shape := range []annotate.Shape{annotate.Arrow, annotate.Circle, annotate.Stroke, annotate.Text, annotate.Gesture, annotate.Pin} {
			marks = append(marks, placed(string(shape), shape, sigma, geom.Vec3{x, y, z}, geom.Vec3{y, z, x}))
		}
		in := input(marks...)
		in.Estimate.PoseCW.R = geom.ExpSO3(geom.Vec3{turn, x, y})
		in.Camera.Fx, in.Camera.K1 = focal, sigma
		in.Drafts = []annotate.Mark{{Shape: annotate.Circle, Width: 640, Height: 480, Points: []geom.Vec2{{x, y}, {y, z}}}}
		in.Pointers = []annotate.Pointer{{Pixel: geom.Vec2{x, y}, Width: 640, Height: 480}}
		for _, i := range NewBuilder(faces).Build(in).Items {
			for _, p := range i.Points {
				if math.IsNaN(p[0] + p[1]) {
					t.Fatalf("item %+v is not anywhere", i)
				}
			}
		}
	})
}

// BenchmarkBuild is the making of a list of 30 marks with words.
func BenchmarkBuild(b *testing.B) {
	builder := builder(b)
	var marks []annotate.Entry
	for i := range 30 {
		shape := []annotate.Shape{annotate.Arrow, annotate.Circle, annotate.Text, annotate.Gesture, annotate.Pin}[i%5]
		at := geom.Vec3{0.8 * math.Sin(float64(i)), 0.6 * math.Cos(float64(i)*1.7), 2}
		marks = append(marks, placed(string(rune('A'+i)), shape, 1e-4, at, at.Add(geom.Vec3{0.1, 0, 0})))
	}
	for i := range marks {
		if s := marks[i].Mark.Shape; s != annotate.Arrow && s != annotate.Circle {
			marks[i].Mark.Points, marks[i].Anchor.Points = marks[i].Mark.Points[:1], marks[i].Anchor.Points[:1]
		}
	}
	in := input(marks...)
	b.ReportAllocs()
	for b.Loop() {
		builder.Build(in)
	}
}

// TestCircleAtAnEdge draws a circle whose rim was found on the wall behind, as it was recorded of the plant: it is about
// as large as it was drawn, not as the way to the wall.
func TestCircleAtAnEdge(t *testing.T) {
	e := placed("a", annotate.Circle, 0, geom.Vec3{}, geom.Vec3{})
	e.Anchor.Points = []annotate.AnchorPoint{
		{P: geom.Vec3{-0.13985, -0.0326665, 0.794516}, Normal: geom.Vec3{0.259, -0.902, -0.345}, Cov: [6]float64{1.3e-6, 9.4e-7, -8.5e-6, 1.4e-6, -8.9e-6, 8e-5}},
		{P: geom.Vec3{-0.160166, -0.115509, 1.52374}, Normal: geom.Vec3{-0.019, 0.133, -0.991}, Cov: [6]float64{0.0042, 0.0069, -0.061, 0.011, -0.1, 0.89}},
	}
	in := input(e)
	in.Estimate.PoseCW = geom.IdentityPose
	for _, it := range builder(t).Build(in).Items {
		if it.Kind != Line || !it.Closed {
			continue
		}
		x0, x1 := math.Inf(1), math.Inf(-1)
		for _, p := range it.Points {
			x0, x1 = min(x0, p[0]), max(x1, p[0])
		}
		if wide := x1 - x0; wide < 20 || wide > 200 {
			t.Errorf("it is %.0f px wide", wide)
		}
		return
	}
	t.Error("no circle is drawn")
}
