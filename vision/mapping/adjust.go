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

// problem gathers the newest key frames as free cameras, all others as fixed ones, and the first in any case.
func (w *world) problem(newest int) (*solve.Bundle, []FeatureID) {
	n := len(w.frames)
	index := map[FeatureID]int{}
	var ids []FeatureID
	var points []geom.Vec3
	for _, k := range w.frames[max(0, n-newest):] {
		for _, o := range k.Seen {
			l, has := w.points[o.ID]
			if _, known := index[o.ID]; has && !known {
				index[o.ID] = len(ids)
				ids, points = append(ids, o.ID), append(points, l.P)
			}
		}
	}
	b := bundle(w.frames, index, points, w.focal)
	for i := range n - newest {
		b.Fixed[i] = true
	}
	return b, ids
}

// bundle is all that frames saw of some points, whose places in points are in index; the first frame holds still.
func bundle(frames []*Keyframe, index map[FeatureID]int, points []geom.Vec3, focal float64) *solve.Bundle {
	b := &solve.Bundle{Points: points, Focal: focal, HuberPx: 1.5}
	for i, k := range frames {
		b.Poses, b.Fixed = append(b.Poses, k.PoseCW), append(b.Fixed, i == 0)
		for _, o := range k.Seen {
			if p, has := index[o.ID]; has {
				b.Obs = append(b.Obs, solve.BundleObs{Pose: i, Point: p, N: o.N, Roll: o.Roll})
			}
		}
	}
	return b
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
			n.Seen, n.Doubted = nil, slices.Clip(k.Doubted)
			for _, o := range k.Seen {
				if bad(o) {
					n.Doubted = append(n.Doubted, o)
				} else {
					n.Seen = append(n.Seen, o)
				}
			}
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
