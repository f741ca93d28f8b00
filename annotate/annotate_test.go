package annotate

import (
	"strings"
	"testing"

	"sightline/vision/geom"
)

// TestMarkValid spoils a good mark in one way after another.
func TestMarkValid(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for _, c := range []struct {
		change func(*Mark)
		want   string // a part of the error, nothing where it stays good
	}{
		{func(*Mark) {}, ""},
		{func(m *Mark) { m.Author, m.Machine, m.Camera = "", "", "" }, ""},
		{func(m *Mark) { m.Author = strings.Repeat("阀", 33) }, ""},
		{func(m *Mark) { *m = Mark{Deleted: true} }, ""},
		{func(m *Mark) { m.Shape = Shape(long) }, "shape"},
		{func(m *Mark) { m.Author = long }, "author of 200000 bytes"},
		{func(m *Mark) { m.Machine = long }, "machine"},
		{func(m *Mark) { m.Colour = long }, "colour"},
		{func(m *Mark) { m.Camera = long }, "camera"},
		{func(m *Mark) { m.Action = Action(long) }, "action"},
		{func(m *Mark) { m.Text = long }, "text"},
		{func(m *Mark) { m.Points = m.Points[:1] }, "points"},
		{func(m *Mark) { m.Points[1][0] = 1e6 }, "pixel"},
		{func(m *Mark) { m.Width = 0 }, "frame"},
	} {
		m := Mark{Author: "Anna", Colour: "#ff0000", Shape: Arrow, Action: Press, Text: "here", Machine: "hall/pump", Camera: "p-1",
			Points: []geom.Vec2{{1, 2}, {3, 4}}, Width: 640, Height: 480}
		c.change(&m)
		wantError(t, m.Valid(), c.want)
	}
}

func TestAnchorValid(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for _, c := range []struct {
		change func(*Anchor)
		want   string
	}{
		{func(*Anchor) {}, ""},
		{func(a *Anchor) { *a = Anchor{State: Waiting, Reason: "the wall has no texture"} }, ""},
		{func(a *Anchor) { a.State = "nowhere" }, "state"},
		{func(a *Anchor) { a.Reason = long }, "reason"},
		{func(a *Anchor) { a.Map = long }, "map"},
		{func(a *Anchor) { a.Points = make([]AnchorPoint, MaxPoints+1) }, "points"},
		{func(a *Anchor) { a.Points[0].P[1] = 1e30 }, "place"},
		{func(a *Anchor) { a.Points[0].Normal[2] = -1e30 }, "place"},
		{func(a *Anchor) { a.Points[0].Off[0] = 1e30 }, "place"},
		{func(a *Anchor) { a.Points[0].Cov[0] = 1e40 }, "place"},
		{func(a *Anchor) { a.Points[0].Cov[1], a.Points[0].Cov[2] = 1e300, -1e300 }, "place"},
		{func(a *Anchor) { a.Points[0].Doubt = 1.5 }, "place"},
		{func(a *Anchor) { a.Down[1] = 1e30 }, "gravity"},
	} {
		a := Anchor{State: Placed, Map: "m", Down: &geom.Vec3{0, 1, 0}, Points: []AnchorPoint{
			{P: geom.Vec3{1, 2, 3}, Normal: geom.Vec3{0, 0, -1}, Cov: [6]float64{1, 0, 0, 1, 0, 1}, Doubt: 0.1, Off: geom.Vec3{0, 0, 1}}}}
		c.change(&a)
		wantError(t, a.Valid(), c.want)
	}
}

func TestPointerValid(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for _, c := range []struct {
		change func(*Pointer)
		want   string
	}{
		{func(*Pointer) {}, ""},
		{func(p *Pointer) { *p = Pointer{Off: true} }, ""},
		{func(p *Pointer) { p.Name = long }, "name"},
		{func(p *Pointer) { p.Colour = long }, "colour"},
		{func(p *Pointer) { p.Camera = long }, "camera"},
		{func(p *Pointer) { p.Pixel[0] = -1e9 }, "pixel"},
		{func(p *Pointer) { p.Height = 1 << 20 }, "frame"},
	} {
		p := Pointer{Name: "Anna", Colour: "#ff0000", Camera: "p-1", Pixel: geom.Vec2{1, 2}, Width: 640, Height: 480}
		c.change(&p)
		wantError(t, p.Valid(), c.want)
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("a good one is refused: %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("the error is %v, want one about %q", err, want)
	case err != nil && len(err.Error()) > 200:
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}
