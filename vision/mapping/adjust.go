package mapping

import (
	"maps"
	"slices"

	"sightline/vision/geom"
	"sightline/vision/solve"
)

// adjust runs a bundle adjustment over so many of the newest key frames and the landmarks they see, and removes the
// observations that still disagree.
func (w *world) adjust(newest int) {
	problem, ids := w.problem(newest)
	if len(ids) == 0 {
		return
	}
	problem.Run(10)
	for i := range w.frames {
		if !problem.Fixed[i] {
			n := *w.frames[i]
			n.PoseCW = problem.Poses[i]
			w.frames[i] = &n
		}
	}
	for k, id := range ids {
		l := w.points[id]
		l.P = problem.Points[k]
		w.points[id] = l
	}
	w.dropOutliers(ids)
}

// problem gathers the newest key frames as free cameras, all others as fixed ones. The first two hold
// the world in place and in scale until there are more.
func (w *world) problem(newest int) (*solve.Bundle, []FeatureID) {
	n := len(w.frames)
	b := &solve.Bundle{Poses: make([]geom.Pose, n), Fixed: make([]bool, n), Focal: w.focal, HuberPx: 1.5}
	index := map[FeatureID]int{}
	var ids []FeatureID
	for i, k := range w.frames {
		b.Poses[i] = k.PoseCW
		b.Fixed[i] = i == 0 || i < n-newest
		if i < n-newest {
			continue
		}
		for _, o := range k.Seen {
			l, has := w.points[o.ID]
			if _, known := index[o.ID]; has && !known {
				index[o.ID] = len(ids)
				ids = append(ids, o.ID)
				b.Points = append(b.Points, l.P)
			}
		}
	}
	for i, k := range w.frames {
		for _, o := range k.Seen {
			if p, has := index[o.ID]; has {
				b.Obs = append(b.Obs, solve.BundleObs{Pose: i, Point: p, N: o.N})
			}
		}
	}
	return b, ids
}

// dropOutliers removes observations that do not fit, then renews the covariance of each landmark.
func (w *world) dropOutliers(ids []FeatureID) {
	for i, k := range w.frames {
		bad := func(o Observation) bool {
			l, has := w.points[o.ID]
			return has && solve.ReprojectionPx(k.PoseCW, l.P, o.N, w.focal) > maxReprojection
		}
		if slices.ContainsFunc(k.Seen, bad) {
			n := *k
			n.Seen = slices.DeleteFunc(slices.Clone(k.Seen), bad)
			w.frames[i] = &n
		}
	}
	w.dropUnseen()
	adjusted := map[FeatureID]bool{}
	for _, id := range ids {
		adjusted[id] = true
	}
	for id, v := range w.views(func(id FeatureID) bool { return adjusted[id] }) {
		l, has := w.points[id]
		if !has {
			continue
		}
		cov, ok := solve.PointCov(v, l.P, w.focal)
		if !ok {
			delete(w.points, id)
			continue
		}
		l.Cov, l.Views = cov, len(v)
		w.points[id] = l
	}
	maps.DeleteFunc(w.points, func(_ FeatureID, l Landmark) bool { return !l.P.Finite() })
}
