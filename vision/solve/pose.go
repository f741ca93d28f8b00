package solve

import (
	"math"

	"sightline/vision/geom"
)

// Sighting is one known point seen by the camera whose pose is wanted.
type Sighting struct {
	P geom.Vec3 // world
	N geom.Vec2 // normalized coordinates in the picture
	// Sigma is the standard deviation of the residual in pixels: of the measurement and of the point's
	// own place together.
	Sigma float64
}

// PoseResult is what Pose found.
type PoseResult struct {
	PoseCW geom.Pose
	// Inlier tells of each sighting whether it agrees within the gate.
	Inlier  []bool
	Inliers int
	// RMS is the root mean square residual of the inliers in pixels, by both coordinates.
	RMS float64
	// Cov is the 6x6 covariance of a Retract step (rotation, translation), by rows; nil if unknown.
	Cov []float64
}

// gate is the residual, in standard deviations, past which a sighting is an outlier: 95 % of a
// two-dimensional normal error lies within 2.45.
const gate = 2.45

// Pose refines poseCW so that known points land where they were seen: Gauss-Newton on the six degrees
// of freedom, with Tukey's weights, from wide to narrow so that a start some pixels off still finds in.
func Pose(start geom.Pose, s []Sighting, focal float64) PoseResult {
	pose := start
	var h [36]float64
	for _, k := range [...]float64{8 * gate, 4 * gate, 2 * gate, 2 * gate, 2 * gate} {
		next, ok := poseStep(pose, s, focal, k, &h)
		if !ok {
			break
		}
		pose = next
	}
	return poseResult(pose, s, focal, h[:])
}

func poseStep(pose geom.Pose, s []Sighting, focal, k float64, h *[36]float64) (geom.Pose, bool) {
	var g [6]float64
	clear(h[:])
	for _, o := range s {
		c := pose.Apply(o.P)
		n, j, ok := project(c, focal)
		if !ok {
			continue
		}
		r := geom.Vec2{focal * (n[0] - o.N[0]), focal * (n[1] - o.N[1])}
		w := tukey(r.Norm()/o.Sigma, k) / (o.Sigma * o.Sigma)
		if w == 0 {
			continue
		}
		rows := poseRows(j, c)
		for m := range 2 {
			accumulate(h, &g, &rows[m], r[m], w)
		}
	}
	a, b := *h, g
	for i := range 6 {
		a[i*7] += 1e-9 * (1 + a[i*7])
	}
	if !geom.SolveSPD(a[:], b[:]) {
		return pose, false
	}
	return pose.Retract(geom.Vec3{-b[0], -b[1], -b[2]}, geom.Vec3{-b[3], -b[4], -b[5]}), true
}

func accumulate(h *[36]float64, g *[6]float64, row *[6]float64, r, w float64) {
	for i := range 6 {
		wi := w * row[i]
		g[i] += wi * r
		for j := range 6 {
			h[i*6+j] += wi * row[j]
		}
	}
}

func poseResult(pose geom.Pose, s []Sighting, focal float64, h []float64) PoseResult {
	res := PoseResult{PoseCW: pose, Inlier: make([]bool, len(s))}
	sum := 0.0
	for i, o := range s {
		r := ReprojectionPx(pose, o.P, o.N, focal)
		if r < gate*o.Sigma {
			res.Inlier[i] = true
			res.Inliers++
			sum += r * r
		}
	}
	if res.Inliers > 0 {
		res.RMS = math.Sqrt(sum / float64(2*res.Inliers))
	}
	if cov, ok := geom.InvertSPD(h, 6); ok {
		res.Cov = cov
	}
	return res
}
