package solve

import (
	"math"

	"sightline/vision/geom"
)

// View is one camera that sees the point that is wanted.
type View struct {
	PoseCW geom.Pose
	N      geom.Vec2 // normalized coordinates
}

// Triangulate returns the world point that all views see, by the linear method on unit rays followed
// by Gauss-Newton on reprojection error with Huber's weights, and its covariance for a measurement
// error of one pixel. It returns false where there are fewer than two views, the rays do not meet in
// front of every camera, or the geometry leaves the point's depth open.
func Triangulate(views []View, focal float64) (p geom.Vec3, cov geom.Mat3, ok bool) {
	if len(views) < 2 {
		return p, cov, false
	}
	p, ok = nearestToRays(views)
	if !ok {
		return p, cov, false
	}
	var h geom.Mat3
	for range 5 {
		var g geom.Vec3
		h = geom.Mat3{}
		for _, v := range views {
			c := v.PoseCW.Apply(p)
			n, j, front := project(c, focal)
			if !front {
				return p, cov, false
			}
			r := geom.Vec2{focal * (n[0] - v.N[0]), focal * (n[1] - v.N[1])}
			w := huber(r.Norm(), 2)
			for k := range 2 {
				row := v.PoseCW.R.MulVecT(j[k])
				h = h.Add(geom.Outer(row, row).Scale(w))
				g = g.Add(row.Scale(w * r[k]))
			}
		}
		inv, regular := h.Inverse()
		if !regular {
			return p, cov, false
		}
		cov = inv
		p = p.Sub(inv.MulVec(g))
	}
	return p, cov, p.Finite() && inFront(views, p)
}

// nearestToRays is the point with the least sum of squared distances to the rays.
func nearestToRays(views []View) (geom.Vec3, bool) {
	var a geom.Mat3
	var b geom.Vec3
	for _, v := range views {
		d := v.PoseCW.R.MulVecT(geom.Vec3{v.N[0], v.N[1], 1}).Unit()
		q := geom.Identity3.Add(geom.Outer(d, d).Scale(-1))
		a = a.Add(q)
		b = b.Add(q.MulVec(v.PoseCW.Centre()))
	}
	inv, ok := a.Inverse()
	if !ok {
		return geom.Vec3{}, false
	}
	p := inv.MulVec(b)
	return p, p.Finite() && inFront(views, p)
}

func inFront(views []View, p geom.Vec3) bool {
	for _, v := range views {
		if v.PoseCW.Apply(p)[2] < 1e-6 {
			return false
		}
	}
	return true
}

// Parallax returns the widest angle, in radians, between the rays of the first view and of any other.
func Parallax(views []View) float64 {
	if len(views) == 0 {
		return 0
	}
	first := views[0].PoseCW.R.MulVecT(geom.Vec3{views[0].N[0], views[0].N[1], 1}).Unit()
	least := 1.0
	for _, v := range views[1:] {
		d := v.PoseCW.R.MulVecT(geom.Vec3{v.N[0], v.N[1], 1}).Unit()
		least = math.Min(least, first.Dot(d))
	}
	return math.Acos(math.Max(-1, math.Min(1, least)))
}

// PointCov returns the covariance of a world point seen by all views with an error of one pixel, or
// false where they leave it open.
func PointCov(views []View, p geom.Vec3, focal float64) (geom.Mat3, bool) {
	var h geom.Mat3
	for _, v := range views {
		_, j, ok := project(v.PoseCW.Apply(p), focal)
		if !ok {
			return h, false
		}
		for k := range 2 {
			row := v.PoseCW.R.MulVecT(j[k])
			h = h.Add(geom.Outer(row, row))
		}
	}
	return h.Inverse()
}
