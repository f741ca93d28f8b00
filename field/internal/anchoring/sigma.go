package anchoring

import (
	"math"

	"sightline/annotate/scene"
	"sightline/vision"
	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/track"
)

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
	r := e.PoseCW.R
	sigma := math.Hypot(cam.SpreadPx(c, r.Mul(p.Points[i].Cov).Mul(r.Transpose())), e.SigmaPx)
	if e.SigmaPx > scene.HideSigma {
		return Projected{Px: px, SigmaPx: sigma, State: "hidden", Reason: "place hardly known yet: move slowly"}
	}
	if sigma > scene.HideSigma {
		return Projected{Px: px, SigmaPx: sigma, State: "hidden", Reason: "surface not known well enough: move sideways"}
	}
	return Projected{Px: px, SigmaPx: sigma, State: "shown"}
}
