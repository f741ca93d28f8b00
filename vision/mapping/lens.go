package mapping

import (
	"cmp"
	"maps"
	"slices"

	"sightline/vision/geom"
	"sightline/vision/solve"
)

// A focal length that was guessed is found from the map: cameras that go round a scene, or turn, show it.

// What Zoom looks at, spread over the map: enough for the third digit.
const (
	zoomFrames = 30
	zoomPoints = 1000
	zoomViews  = 3 // of a point, at least
	zoomMost   = 2 // more at once is an adjustment that has gone astray
)

// Zoom finds out from all that a map has seen by what the focal length is to be multiplied that it was made with, and the
// standard deviation of that as a share of it; false where the map does not show it. focal is in pixels. It takes about
// a tenth of a second; any goroutine may call it.
func (s *Snapshot) Zoom(focal float64) (zoom, sigma float64, ok bool) {
	frames := thin(s.Keyframes, zoomFrames)
	views := map[FeatureID]int{}
	for _, k := range frames {
		for _, o := range k.Seen {
			if _, has := s.Landmarks[o.ID]; has {
				views[o.ID]++
			}
		}
	}
	maps.DeleteFunc(views, func(_ FeatureID, n int) bool { return n < zoomViews })
	ids := thin(slices.Sorted(maps.Keys(views)), zoomPoints)
	if len(ids) < MinLandmarks {
		return 0, 0, false
	}
	index, points := make(map[FeatureID]int, len(ids)), make([]geom.Vec3, len(ids))
	for i, id := range ids {
		index[id], points[i] = i, s.Landmarks[id].P
	}
	b := bundle(frames, index, points, focal)
	b.FreeZoom = true
	b.Run(20)
	b.Obs = slices.DeleteFunc(b.Obs, func(o solve.BundleObs) bool {
		return solve.ReprojectionPx(b.Poses[o.Pose], b.Points[o.Point], o.N.Scale(1/b.Zoom), b.Zoom*focal) > maxReprojection
	})
	b.Run(20)
	sigma, ok = b.ZoomSigma()
	return b.Zoom, sigma, ok && sigma < 1 && b.Zoom > 1/zoomMost && b.Zoom < zoomMost
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
			frames[i].Seen[k].N = frames[i].Seen[k].N.Scale(1 / zoom)
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
