package track

import (
	"fmt"
	"math"

	"sightline/vision/geom"
)

// panorama is the world before there is a map: only directions, taken from a camera that turns. It lets
// a mark hold from the very first frame, as long as the camera hardly moves, and says by the residual
// how well that works. Points of it lie at distance one from the camera.
type panorama struct {
	serial    int
	reference *frame
}

// Limits of the panorama.
const (
	// panoramaLeast is the fewest shared features that a turn is taken from.
	panoramaLeast = 20
	// panoramaGate is the residual in pixels past which a feature does not follow the turn.
	panoramaGate = 6.0
)

// turn takes the turn of the camera since the reference from the features that both see. Where too few
// are left the last frame becomes the reference, and where that is of no use a new panorama begins.
func (t *Tracker) turn(f *frame) {
	p := &t.panorama
	if p.reference == nil || !t.turnFrom(p.reference, f) {
		if t.last == nil || t.last == p.reference || !t.last.tracked || !t.turnFrom(t.last, f) {
			p.serial++
			f.poseCW, f.tracked, f.world = geom.IdentityPose, true, fmt.Sprintf("turn-%d", p.serial)
			p.reference = f
			return
		}
		p.reference = t.last
	}
}

// turnFrom sets the pose of f from that of a reference; false where they do not share enough that
// follows one turn.
func (t *Tracker) turnFrom(ref, f *frame) bool {
	a, b, _ := pairs(ref, f)
	if len(a) < panoramaLeast || 3*len(a) < len(ref.features) {
		return false
	}
	r := geom.Identity3
	var rms float64
	var inliers int
	for _, k := range [...]float64{60, 30, 15, 2 * panoramaGate, panoramaGate, panoramaGate} {
		r, rms, inliers = t.turnStep(r, a, b, k)
	}
	if inliers < panoramaLeast {
		return false
	}
	f.poseCW = geom.Pose{R: r.Mul(ref.poseCW.R)}
	f.tracked, f.world = true, ref.world
	f.rms = math.Hypot(rms, ref.rms)
	t.takeTwist(f)
	return true
}

// turnStep is a Gauss-Newton step on the rotation that takes rays a to rays b, with Tukey's weights.
func (t *Tracker) turnStep(r geom.Mat3, a, b []geom.Vec2, gatePx float64) (geom.Mat3, float64, int) {
	var h geom.Mat3
	var g geom.Vec3
	sum, inliers := 0.0, 0
	for i := range a {
		c := r.MulVec(geom.Vec3{a[i][0], a[i][1], 1}).Unit()
		d := geom.Vec3{b[i][0], b[i][1], 1}.Unit()
		e := c.Sub(d) // radians, across the ray
		px := t.focal * e.Norm()
		if px >= gatePx {
			continue
		}
		w := 1 - (px/gatePx)*(px/gatePx)
		w *= w
		// c moves by ω×c, so the residual's derivative is -[c]×.
		j := geom.Skew(c).Scale(-1)
		h = h.Add(j.Transpose().Mul(j).Scale(w))
		g = g.Add(j.MulVecT(e).Scale(w))
		sum += px * px
		inliers++
	}
	inv, ok := h.Inverse()
	if !ok || inliers == 0 {
		return r, 0, 0
	}
	return geom.Orthonormal(geom.ExpSO3(inv.MulVec(g).Scale(-1)).Mul(r)), math.Sqrt(sum / float64(2*inliers)), inliers
}

// placeOnPanorama puts a mark in the directions it was drawn in.
func (t *Tracker) placeOnPanorama(a *anchor) {
	if !a.frame.tracked {
		return
	}
	a.Points = make([]Point, len(a.pixels))
	for i, px := range a.pixels {
		a.Points[i] = direction(a.frame, t.level(a.frame, px), lateralSigma/t.focal)
	}
	a.State, a.Reason, a.Map, a.Metric = Placed, "", a.frame.world, false
	a.Changed++
}

// direction is the point of a panorama that a frame sees at n; sigma is its error in radians.
func direction(f *frame, n geom.Vec2, sigma float64) Point {
	ray := f.poseCW.R.MulVecT(geom.Vec3{n[0], n[1], 1}).Unit()
	return Point{Spot: geom.Spot{P: ray, Cov: geom.Identity3.Scale(sigma * sigma)}, Normal: ray.Scale(-1)}
}
