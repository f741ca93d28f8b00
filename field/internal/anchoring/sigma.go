package anchoring

import (
	"math"

	"sightline/vision"
	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/track"
)

// hideSigma is the standard deviation, in pixels, past which a mark is hidden: 95 % of a two-dimensional
// normal error lie within 2.45 of them, and what is shown has to be within 10 px.
const hideSigma = 4.0

// Projected is where a placed point is in a frame.
type Projected struct {
	Px geom.Vec2
	// SigmaPx is the standard deviation of Px along its worst direction: of the point and of the pose.
	SigmaPx float64
	State   string // shown, hidden or outside
	Reason  string
}

// Project says where a placed point lies in the frame of an estimate.
func Project(p track.Placement, i int, e vision.Estimate, cam camera.Model) Projected {
	switch {
	case !e.Posed():
		return Projected{State: "hidden", Reason: e.Reason}
	case p.State != track.Placed:
		return Projected{State: "hidden", Reason: p.Reason}
	case p.Map != e.Map:
		return Projected{State: "hidden", Reason: "place not known: the mark belongs to another map"}
	}
	c := e.PoseCW.Apply(p.Points[i].P)
	px, front := cam.Project(c)
	if !front || !cam.Contains(px, 0) {
		return Projected{Px: px, State: "outside"}
	}
	sigma := math.Hypot(PointSigmaPx(p.Points[i].Cov, c, e.PoseCW, cam), e.SigmaPx)
	if sigma > hideSigma {
		return Projected{Px: px, SigmaPx: sigma, State: "hidden", Reason: "surface not known well enough: move sideways"}
	}
	return Projected{Px: px, SigmaPx: sigma, State: "shown"}
}

// PointSigmaPx is the standard deviation, in pixels along its worst direction, of a world point's
// projection; c is the point in the camera's frame.
func PointSigmaPx(cov geom.Mat3, c geom.Vec3, poseCW geom.Pose, cam camera.Model) float64 {
	inCam := poseCW.R.Mul(cov).Mul(poseCW.R.Transpose())
	iz := 1 / c[2]
	u := geom.Vec3{cam.Fx * iz, 0, -cam.Fx * c[0] * iz * iz}
	v := geom.Vec3{0, cam.Fy * iz, -cam.Fy * c[1] * iz * iz}
	a, b, d := u.Dot(inCam.MulVec(u)), u.Dot(inCam.MulVec(v)), v.Dot(inCam.MulVec(v))
	return math.Sqrt((a+d)/2 + math.Sqrt((a-d)*(a-d)/4+b*b)) // larger eigenvalue of [a b; b d]
}
