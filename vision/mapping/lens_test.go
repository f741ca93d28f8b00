package mapping

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sightline/vision/geom"
)

// seen is a map of points that cameras saw who went round them, with the focal length taken as 1/zoom of what it was; and
// a square marker of side 0.2.
func seen(zoom float64) (frames []Keyframe, points []SavedLandmark) {
	rng := rand.New(rand.NewPCG(1, 2))
	uniform := func(r float64) float64 { return r * (2*rng.Float64() - 1) }
	for k := range 4 {
		at := geom.Vec3{[]float64{0, 0.2, 0.2, 0}[k], []float64{0, 0, 0.2, 0.2}[k], 3}
		points = append(points, SavedLandmark{ID: MarkerCorner(5, 3-k), Landmark: Landmark{P: at}})
	}
	for i := range 120 {
		points = append(points, SavedLandmark{ID: FeatureID(i + 1), Landmark: Landmark{P: geom.Vec3{uniform(1), uniform(0.8), 3 + uniform(0.7)}}})
	}
	for i := range 12 {
		a := 0.6 * (float64(i)/11 - 0.5)
		r := geom.ExpSO3(geom.Vec3{0.3 * math.Sin(9*a), a, 0.2 * a})
		k := Keyframe{Captured: int64(i), PoseCW: geom.Pose{R: r, T: r.MulVec(geom.Vec3{3 * math.Sin(a), 0.2 * math.Sin(5*a), 3 - 3*math.Cos(a)}).Scale(-1)}}
		for _, l := range points {
			c := k.PoseCW.Apply(l.P)
			k.Seen = append(k.Seen, Observation{ID: l.ID, N: geom.Vec2{c[0]/c[2] + 0.3/600*rng.NormFloat64(), c[1]/c[2] + 0.3/600*rng.NormFloat64()}.Scale(zoom)})
		}
		frames = append(frames, k)
	}
	return frames, points
}

func TestLensIsFoundAndZoomTaken(t *testing.T) {
	const zoom, readout = 1.07, 0.02
	frames, points := seen(zoom)
	s := &Snapshot{Landmarks: map[FeatureID]Landmark{}}
	rng := rand.New(rand.NewPCG(3, 4))
	for _, k := range frames { // as a rolling shutter that moves has it
		velocity := geom.Vec2{rng.NormFloat64(), 0.5 * rng.NormFloat64()}
		k.Seen = slices.Clone(k.Seen)
		for i := range k.Seen {
			o := &k.Seen[i]
			o.Roll = velocity.Scale(o.N[1])
			o.N = o.N.Add(o.Roll.Scale(readout))
		}
		s.Keyframes = append(s.Keyframes, &k)
	}
	for _, l := range points {
		s.Landmarks[l.ID] = l.Landmark
	}
	got, ok := s.Lens(600 / zoom)
	if !ok || math.Abs(math.Log(got.Zoom/zoom)) > 4*got.ZoomSigma || got.ZoomSigma > 0.02 {
		t.Fatalf("%+v, %v; want a zoom of %.2f", got, ok, zoom)
	}
	if math.Abs(got.Readout-readout) > 4*got.ReadoutSigma || got.ReadoutSigma > 0.002 {
		t.Fatalf("%+v; want a readout of %.3f s", got, readout)
	}

	// A map that was made with the wrong focal length, deeper than it is, becomes the true one, of the same size.
	var deep []SavedLandmark
	for _, l := range points {
		if l.ID > 0 {
			l.P[2] *= 1.05
		}
		deep = append(deep, l)
	}
	saved := Saved{Worlds: []SavedWorld{{Metric: true, Keyframes: frames, Landmarks: deep}}}
	mark := deep[20].P
	saved.Marks = []SavedMark{{ID: "m", Points: []SavedPoint{{Spot: geom.Spot{P: mark}}}}}
	saved.Zoom(zoom, 600/zoom)
	w := saved.Worlds[0]
	for i, l := range w.Landmarks {
		if e := l.P.Sub(points[i].P).Norm(); e > 0.05 {
			t.Errorf("landmark %d is %.3f from where it is, at a distance of 3", l.ID, e)
		}
	}
	side := w.Landmarks[0].P.Sub(w.Landmarks[1].P).Norm()
	if math.Abs(side-0.2) > 0.004 {
		t.Errorf("the marker's side is %.4f", side)
	}
	if was, is := mark.Sub(points[20].P).Norm(), saved.Marks[0].Points[0].P.Sub(points[20].P).Norm(); is > 0.5*was {
		t.Errorf("a mark that was %.3f off is %.3f off", was, is)
	}
}

func TestLensRefusesWhatDoesNotShowIt(t *testing.T) {
	frames, points := seen(1)
	s := &Snapshot{Keyframes: []*Keyframe{&frames[0], &frames[1], &frames[2]}, Landmarks: map[FeatureID]Landmark{}}
	for _, l := range points[:30] {
		s.Landmarks[l.ID] = l.Landmark
	}
	if lens, ok := s.Lens(600); ok {
		t.Errorf("thirty points give %+v", lens)
	}
	if _, ok := (&Snapshot{}).Lens(600); ok {
		t.Error("an empty map gives a focal length")
	}
}
