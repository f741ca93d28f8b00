package scene

import (
	"strings"
	"testing"

	"sightline/annotate"
	"sightline/vision/geom"
)

// measure is a metric measure of 0.5 m across the picture, two metres away.
func measure(sigma float64) annotate.Entry {
	e := placed("m", annotate.Measure, sigma, geom.Vec3{-0.2, 0.1, 2}, geom.Vec3{0.3, 0.1, 2})
	e.Anchor.Metric = true
	return e
}

// TestLength wants the error of both ends and of the metre in the words: 3 mm at each end and 1 % of 500 mm
// are 6.6 mm, of which 1.96 times hold 95 of 100.
func TestLength(t *testing.T) {
	if got := Length(measure(0.003)); got != "500 ± 13 mm" {
		t.Errorf("length %q", got)
	}
	e := measure(0.003)
	e.Anchor.Down = &geom.Vec3{0.6, 0.8, 0}
	if got, want := Length(e), "500 ± 13 mm, height 300 ± 19"; got != want {
		t.Errorf("with gravity known the length is %q, want %q", got, want)
	}
	e.Anchor.Metric = false
	if got := Length(e); !strings.Contains(got, "no metres") {
		t.Errorf("without metres the length is %q", got)
	}
	e.Anchor.State = annotate.Waiting
	if got := Length(e); got != "" {
		t.Errorf("without a place the length is %q", got)
	}
	e.Anchor = nil
	if got := Length(e); got != "" {
		t.Errorf("without an anchor the length is %q", got)
	}
	if got := Length(placed("a", annotate.Arrow, 0.001, geom.Vec3{0, 0, 1}, geom.Vec3{0, 0, 2})); got != "" {
		t.Errorf("an arrow has the length %q", got)
	}
}

// words are the texts of a scene.
func words(r Result) string {
	var s strings.Builder
	for _, i := range r.Items {
		s.WriteString(i.Text + "|")
	}
	return s.String()
}

func TestMeasureIsDrawnWithItsLength(t *testing.T) {
	in := input(measure(0.001))
	r := builder(t).Build(in)
	a, _ := lens.Project(in.Marks[0].Anchor.Points[0].P)
	b, _ := lens.Project(in.Marks[0].Anchor.Points[1].P)
	found := false
	for _, i := range r.Items {
		found = found || i.Kind == Line && len(i.Points) == 2 && i.Points[0].Sub(r.View.ToViewport(a)).Norm() < 1e-6 && i.Points[1].Sub(r.View.ToViewport(b)).Norm() < 1e-6
	}
	if !found {
		t.Error("no line goes from the one place to the other")
	}
	if r.Marks[0].State != Shown || !strings.Contains(words(r), "500 ± 11 mm") {
		t.Errorf("%s: %s", r.Marks[0].State, words(r))
	}
	// One end that nobody knows well hides the whole: a wrong length is worse than none.
	far := measure(0.001)
	far.Anchor.Points[1].SetCov(geom.Identity3.Scale(0.1 * 0.1))
	if r := builder(t).Build(input(far)); r.Marks[0].State != Hidden || strings.Contains(words(r), "mm") {
		t.Errorf("with an end that may be anywhere it is %s: %s", r.Marks[0].State, words(r))
	}
	// It stays in view as long as one end is, and is named only with both before the camera.
	half := measure(0.001)
	half.Anchor.Points[1].P = geom.Vec3{0.3, 0.1, -1}
	if r := builder(t).Build(input(half)); strings.Contains(words(r), "mm") {
		t.Errorf("with an end behind the camera: %s", words(r))
	}
}
