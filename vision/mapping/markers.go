package mapping

import (
	"maps"
	"math"
	"slices"

	"sightline/vision/geom"
)

// sideSpread is how far the four sides of a square marker may differ before its corners are not yet
// known well enough to take the scale from them.
const sideSpread = 0.04

// measureScale makes the world metric as soon as the corners of a marker of known size are landmarks
// and its four sides agree.
func (m *Mapper) measureScale() {
	w := m.active
	if w.metric {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(m.cfg.Sizes)) { // a run repeats exactly
		size := m.cfg.Sizes[id]
		c, ok := w.corners(id)
		if !ok || size <= 0 {
			continue
		}
		if side, ok := squareSide(c); ok {
			w.rescale(size / side)
			w.metric = true
			return
		}
	}
}

// SetSize makes the side of a marker known, in metres, while the mapper runs: a map that has seen it
// becomes metric. It is called where Begin and Insert are: through Post, or in step with them.
func (m *Mapper) SetSize(marker int, metres float64) {
	if m.cfg.Sizes[marker] == metres {
		return
	}
	m.cfg.Sizes[marker] = metres
	if m.active != nil {
		m.measureScale()
		m.publish()
	}
}

// squareSide returns the mean side of a square, or false where the corners are not one.
func squareSide(c [4]geom.Vec3) (float64, bool) {
	lo, hi, sum := math.Inf(1), 0.0, 0.0
	for k := range 4 {
		l := c[k].Sub(c[(k+1)%4]).Norm()
		lo, hi, sum = math.Min(lo, l), math.Max(hi, l), sum+l
	}
	return sum / 4, lo > 0 && hi-lo < sideSpread*hi
}

func (w *world) corners(marker int) (c [4]geom.Vec3, ok bool) {
	for k := range 4 {
		l, has := w.points[MarkerCorner(marker, k)]
		if !has || l.Views < 3 {
			return c, false
		}
		c[k] = l.P
	}
	return c, true
}

// markers returns the markers whose four corners are known.
func (m *Mapper) markers() map[int][4]geom.Vec3 {
	found := map[int][4]geom.Vec3{}
	for id := range m.cfg.Sizes {
		if c, ok := m.active.corners(id); ok {
			found[id] = c
		}
	}
	return found
}
