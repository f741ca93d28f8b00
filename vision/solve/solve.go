// Package solve holds the estimators of tracking and mapping: a camera's pose from known points, a point
// from known cameras, and both together (bundle adjustment). Each minimises reprojection error.
//
// Measurements are in normalized camera coordinates (x/z, y/z, lens distortion taken off); one focal
// length in pixels turns residuals into pixels, so that every threshold can be said in pixels.
package solve

import (
	"math"

	"sightline/vision/geom"
)

// huber is the weight of a residual of length r past which influence stops growing (Huber, 1964).
func huber(r, k float64) float64 {
	if r <= k {
		return 1
	}
	return k / r
}

// tukey is the weight of a residual of length r; past k it has no influence at all (Beaton and Tukey, 1974).
func tukey(r, k float64) float64 {
	if r >= k {
		return 0
	}
	s := 1 - (r/k)*(r/k)
	return s * s
}

// project returns the normalized coordinates of a point in the camera's frame and the derivative of
// focal·(x/z, y/z) by that point, or false behind the camera.
func project(c geom.Vec3, focal float64) (n geom.Vec2, j [2]geom.Vec3, ok bool) {
	if c[2] < 1e-6 {
		return n, j, false
	}
	iz := 1 / c[2]
	n = geom.Vec2{c[0] * iz, c[1] * iz}
	j = [2]geom.Vec3{{focal * iz, 0, -focal * n[0] * iz}, {0, focal * iz, -focal * n[1] * iz}}
	return n, j, true
}

// poseRows returns the derivative of a residual by a step (w, v) of geom.Pose.Retract, given its
// derivative j by the point c in the camera's frame: c moves by w×c + v.
func poseRows(j [2]geom.Vec3, c geom.Vec3) (rows [2][6]float64) {
	for k := range 2 {
		a := c.Cross(j[k]) // jᵀ·(w×c) = w·(c×j)
		rows[k] = [6]float64{a[0], a[1], a[2], j[k][0], j[k][1], j[k][2]}
	}
	return rows
}

// ReprojectionPx returns the distance in pixels between a measurement and where poseCW puts the point;
// infinite behind the camera.
func ReprojectionPx(poseCW geom.Pose, p geom.Vec3, n geom.Vec2, focal float64) float64 {
	c := poseCW.Apply(p)
	if c[2] < 1e-6 {
		return math.Inf(1)
	}
	x, y := c[0]/c[2]-n[0], c[1]/c[2]-n[1]
	return focal * math.Sqrt(x*x+y*y) // math.Hypot minds overflow, and takes five times as long
}
