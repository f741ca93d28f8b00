package mapping

import (
	"maps"
	"slices"

	"sightline/vision/geom"
	"sightline/vision/solve"
)

// adjust runs a bundle adjustment over the newest key frames and the landmarks they see, and removes the
// observations that still disagree.
func (m *Mapper) adjust() {
	problem, ids := m.problem()
	if len(ids) == 0 {
		return
	}
	problem.Run(10)
	for i := range m.frames {
		if !problem.Fixed[i] {
			n := *m.frames[i]
			n.PoseCW = problem.Poses[i]
			m.frames[i] = &n
		}
	}
	for k, id := range ids {
		l := m.points[id]
		l.P = problem.Points[k]
		m.points[id] = l
	}
	m.dropOutliers(ids)
}

// problem gathers the newest key frames as free cameras, all others as fixed ones. The first two hold
// the world in place and in scale until there are more.
func (m *Mapper) problem() (*solve.Bundle, []FeatureID) {
	n := len(m.frames)
	b := &solve.Bundle{Poses: make([]geom.Pose, n), Fixed: make([]bool, n), Focal: m.focal, HuberPx: 1.5}
	index := map[FeatureID]int{}
	var ids []FeatureID
	for i, k := range m.frames {
		b.Poses[i] = k.PoseCW
		b.Fixed[i] = i == 0 || i < n-window
		if i < n-window {
			continue
		}
		for _, o := range k.Seen {
			l, has := m.points[o.ID]
			if _, known := index[o.ID]; has && !known {
				index[o.ID] = len(ids)
				ids = append(ids, o.ID)
				b.Points = append(b.Points, l.P)
			}
		}
	}
	for i, k := range m.frames {
		for _, o := range k.Seen {
			if p, has := index[o.ID]; has {
				b.Obs = append(b.Obs, solve.BundleObs{Pose: i, Point: p, N: o.N})
			}
		}
	}
	return b, ids
}

// dropOutliers removes observations that do not fit, then renews the covariance of each landmark.
func (m *Mapper) dropOutliers(ids []FeatureID) {
	for i, k := range m.frames {
		bad := func(o Observation) bool {
			l, has := m.points[o.ID]
			return has && solve.ReprojectionPx(k.PoseCW, l.P, o.N, m.focal) > maxReprojection
		}
		if slices.ContainsFunc(k.Seen, bad) {
			n := *k
			n.Seen = slices.DeleteFunc(slices.Clone(k.Seen), bad)
			m.frames[i] = &n
		}
	}
	m.dropUnseen()
	adjusted := map[FeatureID]bool{}
	for _, id := range ids {
		adjusted[id] = true
	}
	for id, v := range m.views(func(id FeatureID) bool { return adjusted[id] }) {
		l, has := m.points[id]
		if !has {
			continue
		}
		cov, ok := solve.PointCov(v, l.P, m.focal)
		if !ok {
			delete(m.points, id)
			continue
		}
		l.Cov, l.Views = cov, len(v)
		m.points[id] = l
	}
	maps.DeleteFunc(m.points, func(_ FeatureID, l Landmark) bool { return !l.P.Finite() })
}
