package mapping

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"sightline/vision/geom"
	"sightline/vision/solve"
)

// What is not known of a lens is found from the map: a focal length that was guessed, by cameras that go round a scene or
// turn, and how long reading a picture takes, by cameras that move.

// What is looked at for that, spread over the map: enough for the third digit.
const (
	lensFrames = 30
	lensPoints = 1000
	lensViews  = 3   // of a point, at least
	zoomMost   = 2   // more at once is an adjustment that has gone astray
	readMost   = 0.1 // s, likewise
)

// Lens is what a map shows of the lens it was made with: each with its standard deviation, what the noise of the measurements
// makes of it.
type Lens struct {
	// Zoom is by what the focal length is to be multiplied, and ZoomSigma a share of it.
	Zoom, ZoomSigma float64
	// Readout is how many seconds longer reading a picture takes.
	Readout, ReadoutSigma float64
}

// Lens finds out about the lens from all that a map has seen; false where the map does not show it. focal is in pixels. It
// takes about a tenth of a second; any goroutine may call it.
func (s *Snapshot) Lens(focal float64) (Lens, bool) {
	b := s.sample(focal)
	if b == nil {
		return Lens{}, false
	}
	b.FreeZoom, b.FreeReadout = true, true // a wrong one of them would be taken for the other
	b.Run(20)
	b.Obs = slices.DeleteFunc(b.Obs, func(o solve.BundleObs) bool { return b.ResidualPx(o) > maxReprojection })
	b.Run(20)
	sigmas, ok := b.Sigmas()
	if !ok || !(sigmas[0] < 1) || b.Zoom < 1/zoomMost || b.Zoom > zoomMost || math.Abs(b.Readout) > readMost {
		return Lens{}, false
	}
	return Lens{Zoom: b.Zoom, ZoomSigma: sigmas[0], Readout: b.Readout, ReadoutSigma: sigmas[1]}, true
}

// sample is a part of the map to find out something about the lens from; nil where there is too little. What did not fit with
// the lens as it was taken to be is in it as well.
func (s *Snapshot) sample(focal float64) *solve.Bundle {
	frames := slices.Clone(thin(s.Keyframes, lensFrames))
	views := map[FeatureID]int{}
	for i, k := range frames {
		frames[i] = k.with(k.Doubted...)
		for _, o := range frames[i].Seen {
			if _, has := s.Landmarks[o.ID]; has {
				views[o.ID]++
			}
		}
	}
	maps.DeleteFunc(views, func(_ FeatureID, n int) bool { return n < lensViews })
	ids := thin(slices.Sorted(maps.Keys(views)), lensPoints)
	if len(ids) < MinLandmarks {
		return nil
	}
	index, points := make(map[FeatureID]int, len(ids)), make([]geom.Vec3, len(ids))
	for i, id := range ids {
		index[id], points[i] = i, s.Landmarks[id].P
	}
	return bundle(frames, index, points, focal)
}

// Zoom makes the maps what they are for a focal length that is so many times focal, which they were made with, in pixels:
// measurements are others then, and places move.
func (s *Saved) Zoom(zoom, focal float64) {
	for i := range s.Worlds {
		was := s.Worlds[i].Landmarks
		s.Worlds[i] = s.Worlds[i].zoomed(zoom, focal)
		for _, m := range s.Marks {
			if m.World != i {
				continue
			}
			for k := range m.Points {
				m.Points[k].P = m.Points[k].P.Add(moved(was, s.Worlds[i].Landmarks, m.Points[k].P))
			}
		}
	}
}

func (w SavedWorld) zoomed(zoom, focal float64) SavedWorld {
	out := SavedWorld{Metric: w.Metric, Keyframes: slices.Clone(w.Keyframes), Landmarks: slices.Clone(w.Landmarks)}
	frames := make([]*Keyframe, len(out.Keyframes))
	for i := range frames {
		frames[i] = &out.Keyframes[i]
		frames[i].Seen = slices.Clone(frames[i].Seen)
		for k := range frames[i].Seen {
			o := &frames[i].Seen[k]
			o.N, o.Roll = o.N.Scale(1/zoom), o.Roll.Scale(1/zoom)
		}
	}
	n := len(out.Landmarks)
	ids, index, points := make([]FeatureID, n), make(map[FeatureID]int, n), make([]geom.Vec3, n)
	for i, l := range out.Landmarks {
		ids[i], index[l.ID], points[i] = l.ID, i, l.P
	}
	b := bundle(frames, index, points, zoom*focal)
	b.Run(20)
	scale := 1.0 // what is of known size stays as large as it was
	if before, after := sides(ids, points), sides(ids, b.Points); before > 0 && after > 0 {
		scale = before / after
	}
	first := b.Poses[0].Inverse() // the camera that holds still
	for i := range out.Keyframes {
		p := b.Poses[i]
		p.T = p.T.Scale(scale).Add(p.R.MulVec(first.T).Scale(scale - 1)) // about the first one's centre
		out.Keyframes[i].PoseCW = p
	}
	for i := range out.Landmarks {
		out.Landmarks[i].P = first.T.Add(b.Points[i].Sub(first.T).Scale(scale))
	}
	return out
}

// sides is the sum of the sides of all markers of which four corners are known; ids are in order.
func sides(ids []FeatureID, points []geom.Vec3) (sum float64) {
	for i := 0; i+3 < len(ids) && ids[i+3] < 0; i++ {
		if last := -ids[i] - 1; last%4 == 3 && ids[i+3] == ids[i]+3 {
			for k := range 4 {
				sum += points[i+k].Sub(points[i+(k+1)%4]).Norm()
			}
		}
	}
	return sum
}

// moved is by how much a place moves with the landmarks around it; was and is are the same ones, one for one.
func moved(was, is []SavedLandmark, at geom.Vec3) (by geom.Vec3) {
	type near struct {
		i int
		d float64
	}
	all := make([]near, len(was))
	for i := range was {
		all[i] = near{i, was[i].P.Sub(at).Norm()}
	}
	slices.SortFunc(all, func(a, b near) int { return cmp.Compare(a.d, b.d) })
	all = all[:min(len(all), 8)]
	for _, n := range all {
		by = by.Add(is[n.i].P.Sub(was[n.i].P).Scale(1 / float64(len(all))))
	}
	return by
}
