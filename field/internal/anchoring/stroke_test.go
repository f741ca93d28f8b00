package anchoring

import (
	"math"
	"testing"

	"sightline/devices/sim"
	"sightline/vision"
	"sightline/vision/geom"
	"sightline/vision/track"
)

// TestLongStrokeIsDraped draws a stroke of 400 points along the pipe and compares each with the truth.
func TestLongStrokeIsDraped(t *testing.T) {
	r := newRig(t, sim.Options{Seed: 2, Motion: sim.Calm}, Config{Markers: map[int]float64{sim.MarkerPump: 0.15}})
	for f := range 100 {
		r.track(f)
	}
	from, to := r.pixelOf(99, geom.Vec3{0.62, -0.09, 0.66}), r.pixelOf(99, geom.Vec3{1.2, -0.09, 0.66})
	var line []geom.Vec2
	for i := range 400 {
		line = append(line, from.Add(to.Sub(from).Scale(float64(i)/399)))
	}
	r.Place("stroke", captured(99), line)
	var e vision.Estimate
	for f := 100; f < 106; f++ { // a long stroke is measured over a few frames
		e = r.track(f)
	}
	p := r.Placements()[0]
	if p.State != track.Placed || len(p.Points) != len(line) {
		t.Fatalf("state %v (%s), %d points", p.State, p.Reason, len(p.Points))
	}
	worst, sum := 0.0, 0.0
	for i := 0; i < len(line); i += 21 {
		truth, ok := r.world.Surface(99, line[i])
		if !ok {
			t.Fatal("no surface under the stroke")
		}
		want, _, _ := r.world.Project(105, truth)
		got, _ := r.world.Camera().Project(e.PoseCW.Apply(p.Points[i].P))
		d := got.Sub(want).Norm()
		worst, sum = math.Max(worst, d), sum+d
	}
	t.Logf("mean %.2f, worst %.2f px", sum/20, worst)
	if worst > 5 {
		t.Errorf("a point of the stroke is %.1f px off", worst)
	}
}

// TestFrozenFrameCanBeDrawnOn marks a frame of ten seconds ago, whose picture is gone.
func TestFrozenFrameCanBeDrawnOn(t *testing.T) {
	r := newRig(t, sim.Options{Seed: 2, Motion: sim.Calm, FPS: 10}, Config{})
	step := func(f int) int64 { return int64(f)*100_000 + 1 }
	cam := r.world.Camera()
	var spot geom.Vec2
	for f := range 160 {
		y := r.world.Picture(f).Y
		e, err := r.Track(grey(y, cam.Width, cam.Height), step(f))
		if err != nil {
			t.Fatal(err)
		}
		if f == 50 {
			spot = r.pixelOf(50, geom.Vec3{-0.62, -0.226, 0.66})
		}
		if f < 150 {
			continue
		}
		if f == 150 {
			r.Place("late", step(50), []geom.Vec2{spot})
			continue
		}
		if p := r.Placements()[0]; p.State == track.Placed {
			truth, _ := r.world.Surface(50, spot)
			want, _, _ := r.world.Project(f, truth)
			if d := Project(p, 0, e, cam).Px.Sub(want).Norm(); d > 4 {
				t.Errorf("frame %d: %.1f px off", f, d)
			}
			return
		}
	}
	t.Errorf("never placed: %+v", r.Placements()[0])
}
