package track

import (
	"math"
	"math/rand/v2"
	"testing"

	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/mapping"
)

// walked is a tracker in a map of five key frames in a row, of which each shares so many landmarks with the next.
func walked(t *testing.T, shared int) *Tracker {
	rng := rand.New(rand.NewPCG(7, 8))
	points := make([]geom.Vec3, 6*shared)
	for i := range points {
		points[i] = geom.Vec3{rng.Float64() - 0.5, rng.Float64() - 0.5, 2 + rng.Float64()}
	}
	proposal := func(k int) mapping.Proposal {
		p := mapping.Proposal{Captured: int64(1000 * k), PoseCW: geom.Pose{R: geom.Identity3, T: geom.Vec3{-0.3 * float64(k), 0, 0}}}
		for i := k * shared; i < (k+2)*shared; i++ {
			c := p.PoseCW.Apply(points[i])
			p.Seen = append(p.Seen, mapping.Observation{ID: mapping.FeatureID(i + 1), N: geom.Vec2{c[0] / c[2], c[1] / c[2]}})
		}
		return p
	}
	cam := camera.FromFOV(640, 480, 1.1)
	m := mapping.New(mapping.Config{Camera: cam})
	if err := m.Begin([]mapping.Proposal{proposal(0), proposal(1)}); err != nil {
		t.Fatal(err)
	}
	for k := 2; k < 5; k++ {
		p := proposal(k)
		p.PoseCW.T = p.PoseCW.T.Scale(m.Snapshot().Unit)
		m.Insert(p)
	}
	tr := New(Config{Camera: cam, Mapper: m, Sync: true})
	tr.snapshot = m.Snapshot()
	return tr
}

// A mark claims less with every step of the map away from its frame, and as much again when the way back is known.
func TestMarksMayWander(t *testing.T) {
	tr := walked(t, 60)
	s := tr.snapshot
	last := len(s.Keyframes) - 1
	if last != 4 {
		t.Fatalf("%d key frames", last+1)
	}
	now := &frame{captured: s.Keyframes[last].Captured, tracked: true, poseCW: s.Keyframes[last].PoseCW, world: s.World, unit: s.Unit}
	at := now.poseCW.Inverse().Apply(geom.Vec3{0, 0, 2})
	for k := range s.Keyframes {
		tr.put(&anchor{Placement: Placement{ID: string(rune('a' + k)), State: Placed, Points: []Point{{Spot: geom.Spot{P: at, Cov: geom.Identity3.Scale(1e-6)}}}},
			frame: &frame{captured: s.Keyframes[k].Captured}, world: s.World, unit: s.Unit})
	}
	tr.wander(now)
	tr.wander(now) // again changes nothing
	for k, p := range tr.Placements() {
		want := 1e-6 + square(wanderPx*2/tr.focal)*float64(last-k)/60
		if got := p.Points[0].Cov[4]; math.Abs(got-want) > 0.02*want {
			t.Errorf("%d steps away: variance %.3g, want %.3g", last-k, got, want)
		}
	}
	tr.anchors["a"].transform(geom.Similarity{S: 2, R: geom.Identity3})
	tr.anchors["a"].loosen(0)
	if got := tr.anchors["a"].Points[0].Cov[4]; math.Abs(got-4e-6) > 1e-8 {
		t.Errorf("without its way in twice the unit: variance %.3g", got)
	}
}
