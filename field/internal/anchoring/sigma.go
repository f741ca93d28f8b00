package anchoring

import (
	"sightline/annotate/scene"
	"sightline/vision"
	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/track"
)

// Projected is where a placed point is in a frame.
type Projected struct {
	Px geom.Vec2
	// SigmaPx is the standard deviation of Px, of the point and of the pose: camera.Error.Sigma.
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
	_, px, front := e.Project(p.Points[i].P, cam)
	if !front || !cam.Contains(px, 0) {
		return Projected{Px: px, State: "outside"}
	}
	off := e.Error(p.Points[i].Spot, cam)
	at := Projected{Px: px, SigmaPx: off.Sigma(), State: "shown"}
	switch {
	case !scene.Sure(camera.Error{Near: e.SigmaPx}):
		at.State, at.Reason = "hidden", "place hardly known yet: move slowly"
	case !scene.Sure(off):
		at.State, at.Reason = "hidden", "surface not known well enough: move sideways"
	}
	return at
}
