package camera

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sightline/vision/geom"
)

func TestNormalizeUndoesProject(t *testing.T) {
	m := Model{Width: 640, Height: 480, Fx: 600, Fy: 605, Cx: 322, Cy: 241, K1: -0.12, K2: 0.03, P1: 0.001, P2: -0.002}
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.Float64Range(0.2, 20).Draw(t, "z")
		n := geom.Vec2{rapid.Float64Range(-0.5, 0.5).Draw(t, "x"), rapid.Float64Range(-0.4, 0.4).Draw(t, "y")}
		px, ok := m.Project(geom.Vec3{n[0] * z, n[1] * z, z})
		if !ok {
			t.Fatal("a point in front is behind")
		}
		if e := m.Normalize(px).Sub(n).Norm(); e > 1e-7 {
			t.Fatalf("comes back %g off", e)
		}
	})
	if _, ok := m.Project(geom.Vec3{0, 0, -1}); ok {
		t.Error("a point behind the camera has a pixel")
	}
}

func TestResizedSeesTheSameRays(t *testing.T) {
	m := Model{Width: 640, Height: 480, Fx: 600, Fy: 605, Cx: 322, Cy: 241}
	r := m.Resized(320, 240)
	p := geom.Vec3{0.3, -0.2, 1}
	a, _ := m.Project(p)
	b, _ := r.Project(p)
	// Pixel centres are whole numbers, so the corner of the picture is at -0.5.
	if e := b.Add(geom.Vec2{0.5, 0.5}).Scale(2).Sub(a.Add(geom.Vec2{0.5, 0.5})).Norm(); e > 1e-9 {
		t.Errorf("%v at half size for %v", b, a)
	}
}

// A rolling shutter sees a point where the pose of the row that it is in then has it.
func TestProjectRolling(t *testing.T) {
	m := Model{Width: 640, Height: 480, Fx: 600, Fy: 605, Cx: 322, Cy: 241, K1: -0.1}
	roll := geom.Twist{Turn: geom.Vec3{0.02, -0.03, 0.01}, Move: geom.Vec3{0.01, 0.02, -0.01}} // 28 ms of a fast turn
	for _, p := range []geom.Vec3{{0.1, -0.7, 2}, {-0.4, 0.6, 1.8}, {0.5, 0, 1.5}} {
		px, ok := m.ProjectRolling(p, roll)
		want, _ := m.Project(geom.IdentityPose.Moved(roll.Scale(m.Down(px))).Apply(p))
		still, _ := m.Project(p)
		if e := px.Sub(want).Norm(); !ok || e > 0.2 {
			t.Errorf("%v is seen at %v, by its row's pose at %v (without rolling %v)", p, px, want, still)
		}
		if same, _ := m.ProjectRolling(p, geom.Twist{}); same != still {
			t.Errorf("a camera that stands still sees %v at %v instead of %v", p, same, still)
		}
	}
	if px, ok := m.ProjectRolling(geom.Vec3{0, 0.3, 2}, geom.Twist{Move: geom.Vec3{1e308, 1e308, 0}}); ok {
		t.Errorf("a motion beyond all bounds gives %v", px)
	}
}

func TestParse(t *testing.T) {
	m, err := Parse(strings.NewReader("# fx fy\n\n600 601 320 240 640 480 0.1 0 0 0 -0.2\n"))
	if err != nil || m.Fy != 601 || m.K1 != 0.1 || m.K3 != -0.2 || m.Width != 640 {
		t.Errorf("%+v, %v", m, err)
	}
	m = Model{Width: 640, Height: 480, Fx: 601.25, Fy: 602.5, Cx: 319.125, Cy: 240, K1: -0.28123, K2: 0.0791, P1: 1e-4, P2: -2.5e-05, K3: 0.004, Readout: 0.028}
	if back, err := Parse(strings.NewReader(m.Row())); err != nil || back != m {
		t.Errorf("%+v came back as %+v, %v", m, back, err)
	}
	for in, want := range map[string]string{
		"":                                     "no row",
		"600 600 320":                          "want at least",
		"a 600 320 240 640 480":                "not a number",
		"600 600 320 240 64.5 48":              "whole pixels",
		"-1 600 320 240 640 480":               "focal length",
		"600 600 320 240 4 4":                  "picture of 4x4",
		"600 NaN 320 240 640 480":              "focal length",
		"600 600 NaN 240 640 480":              "not a number",
		"600 600 320 240 640 480 0 0 0 0 0 28": "28 seconds to read",
	} {
		if _, err := Parse(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", in, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("600 600 320 240 640 480")
	f.Add("# nothing\n1e309 1 1 1 1 1")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := Parse(strings.NewReader(s))
		if err != nil {
			return
		}
		if px, ok := m.Project(geom.Vec3{0, 0, 1}); !ok || math.IsNaN(px[0]+px[1]) {
			t.Errorf("accepted %+v, but its axis projects to %v", m, px)
		}
	})
}

// A lens that folds the picture over in its corners gives rays that are numbers, and says so; a strong one that does not
// is undone to the corners (that of a Kinect as in the TUM RGB-D benchmark, freiburg1).
func TestInvertible(t *testing.T) {
	for _, c := range []struct {
		m    Model
		want bool
	}{
		{Model{Width: 640, Height: 480, Fx: 300, Fy: 300, Cx: 320, Cy: 240, K1: -0.35}, false},
		{Model{Width: 640, Height: 480, Fx: 517.3, Fy: 516.5, Cx: 318.6, Cy: 255.3, K1: 0.2624, K2: -0.9531, P1: -0.0054, P2: 0.0026, K3: 1.1633}, true},
		{Model{Width: 640, Height: 480, Fx: 600, Fy: 600, Cx: 320, Cy: 240}, true},
	} {
		if got := c.m.Invertible(); got != c.want {
			t.Errorf("%+v: invertible %v", c.m, got)
		}
		for _, px := range []geom.Vec2{{0, 0}, {639, 0}, {0, 479}, {639, 479}, {320, 0}} {
			if n := c.m.Normalize(px); !(n.Norm() < 10) {
				t.Errorf("%+v sees %v at %v", c.m, px, n)
			}
		}
	}
}
