package mapping

import (
	"cmp"
	"maps"
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
	lensViews  = 3 // of a point, at least
	zoomMost   = 2 // more at once is an adjustment that has gone astray
)

// Zoom finds out from all that a map has seen by what the focal length is to be multiplied that it was made with, and the
// standard deviation of that as a share of it; false where the map does not show it. focal is in pixels. It takes about
// a tenth of a second; any goroutine may call it.
func (s *Snapshot) Zoom(focal float64) (zoom, sigma float64, ok bool) {
	b := s.sample(focal, false)
	if b == nil {
		return 0, 0, false
	}
	b.FreeZoom = true
	sigma, ok = settle(b)
	return b.Zoom, sigma, ok && sigma < 1 && b.Zoom > 1/zoomMost && b.Zoom < zoomMost
}

// Shutter finds out in the same way by how many seconds longer it takes to read a picture than the map was made for, and the
// standard deviation of that; false where the map does not show it. It takes about a tenth of a second; any goroutine
// may call it.
func (s *Snapshot) Shutter(focal float64) (more, sigma float64, ok bool) {
	b := s.sample(focal, true)
	if b == nil {
		return 0, 0, false
	}
	b.FreeReadout = true
	sigma, ok = settle(b)
	return b.Readout, sigma, ok
}

// sample is a part of the map to find out something about the lens from; nil where there is too little.
func (s *Snapshot) sample(focal float64, all bool) *solve.Bundle {
	frames := thin(s.Keyframes, lensFrames)
	if all {
		whole := make([]*Keyframe, len(frames))
		for i, k := range frames {
			whole[i] = k.with(k.Doubted...)
		}
		frames = whole
	}
	views := map[FeatureID]int{}
	for _, k := range frames {
		for _, o := range k.Seen {
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

// settle adjusts, leaves out what does not fit, adjusts again, and says how sure what is free is.
func settle(b *solve.Bundle) (sigma float64, ok bool) {
	b.Run(20)
	b.Obs = slices.DeleteFunc(b.Obs, func(o solve.BundleObs) bool { return b.ResidualPx(o) > maxReprojection })
	b.Run(20)
	return b.Sigma()
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
