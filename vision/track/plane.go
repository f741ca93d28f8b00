package track

import (
	"math"

	"sightline/vision/geom"
)

// Limits of holding a mark by the motion of what is around it.
const (
	// planeReach is the standard deviation, in normalized coordinates, of the bell that weighs the features around
	// a mark: 5 degrees, within which most surfaces of a machine are flat.
	planeReach = 0.09
	// planeLeast is the fewest features, by weight, that move a mark.
	planeLeast = 3.0
	// planeSlope is the standard deviation of how motion by parallax changes per unit of normalized distance, as a
	// multiple of a pixel's noise: without it three features in a row would tilt the plane.
	planeSlope = 30.0
	// planeStep is by how many pixels a mark must be off to be moved: each move is told to everybody.
	planeStep = 1.0
)

// holdOnPlanes moves the marks that are on a panorama, where there is no map yet: a camera that moves sideways shifts
// what is near by more than its turn does, and the features around a mark say by how much. Their motion beside the turn
// is taken to be affine, which it is on a plane.
func (t *Tracker) holdOnPlanes(f *frame) {
	if !f.tracked {
		return
	}
	for _, id := range t.order {
		a := t.anchors[id]
		if a.world != "" || a.State != Placed || a.Map != f.world || a.frame == f || a.frame.world != f.world {
			continue
		}
		if m, ok := t.motionAround(a.centre(t), a.frame, f); ok {
			t.moveOnPanorama(a, f, m)
		}
	}
}

// centre is the mean of a mark's pixels, in normalized coordinates.
func (a *anchor) centre(t *Tracker) geom.Vec2 {
	var sum geom.Vec2
	for _, px := range a.pixels {
		sum = sum.Add(t.level(a.frame, px))
	}
	return sum.Scale(1 / float64(len(a.pixels)))
}

// motion is how the surroundings of a point move from one frame to another: with the turn of the camera, and beside it, in
// normalized coordinates.
type motion struct {
	turn  geom.Mat3
	at    geom.Vec2   // the point
	coef  geom.Affine // about the point
	sigma float64     // of the shift at the point
}

// takes is where a point goes.
func (m motion) takes(n geom.Vec2) geom.Vec2 { return turned(m.turn, n).Add(m.shift(n)) }

// shift is how far it goes beside the turn.
func (m motion) shift(n geom.Vec2) geom.Vec2 {
	return m.coef.At(n.Sub(m.at))
}

// motionAround fits the motion of the features around a point of frame `from`, as far as they are still seen in f, with
// Tukey's weights; false where they are too few.
func (t *Tracker) motionAround(at geom.Vec2, from, f *frame) (motion, bool) {
	a, b, _ := pairs(from, f)
	m := motion{turn: f.poseCW.R.Mul(from.poseCW.R.Transpose()), at: at}
	for _, gatePx := range [...]float64{60, 20, 8, 8} {
		var h geom.Mat3
		var g [2]geom.Vec3
		total, sum := 0.0, 0.0
		h[4], h[8] = 1/(planeSlope*planeSlope), 1/(planeSlope*planeSlope)
		for i := range a {
			d := a[i].Sub(at)
			w := math.Exp(-square(d.Norm()/planeReach) / 2)
			if w < 0.01 {
				continue
			}
			moved := b[i].Sub(turned(m.turn, a[i]))
			r := moved.Sub(m.shift(a[i]))
			k := t.focal * r.Norm() / gatePx
			if k >= 1 {
				continue
			}
			w *= (1 - k*k) * (1 - k*k)
			row := geom.Vec3{1, d[0], d[1]}
			h = h.Add(geom.Outer(row, row).Scale(w))
			g[0], g[1] = g[0].Add(row.Scale(w*moved[0])), g[1].Add(row.Scale(w*moved[1]))
			total += w
			sum += w * square(r.Norm())
		}
		inv, ok := h.Inverse()
		if !ok || total < planeLeast {
			return motion{}, false
		}
		m.coef = geom.Affine{inv.MulVec(g[0]), inv.MulVec(g[1])}
		m.sigma = math.Sqrt(sum / (2 * total)) // how the surroundings differ, not how well their mean is known
	}
	return m, true
}

// turned is where a turn of the camera takes a point, in normalized coordinates.
func turned(turn geom.Mat3, n geom.Vec2) geom.Vec2 {
	c := turn.MulVec(geom.Vec3{n[0], n[1], 1})
	return geom.Vec2{c[0] / c[2], c[1] / c[2]}
}

// moveOnPanorama puts a mark's points where the motion of its surroundings takes them.
func (t *Tracker) moveOnPanorama(a *anchor, f *frame, m motion) {
	points, most := make([]Point, len(a.pixels)), 0.0
	sigma := math.Hypot(lateralSigma/t.focal, m.sigma)
	for i, px := range a.pixels {
		points[i] = direction(f, m.takes(t.level(a.frame, px)), sigma)
		most = math.Max(most, t.focal*points[i].P.Sub(a.Points[i].P).Norm())
	}
	if most > planeStep {
		a.Points = points
		a.Changed++
	}
}

func square(x float64) float64 { return x * x }
