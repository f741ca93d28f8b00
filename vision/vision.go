// Package vision holds what tracking tells the rest of the house: where the camera was when a picture
// was taken, and how sure of it we are. The tracker itself is in vision/track.
package vision

import (
	"math"

	"sightline/vision/camera"
	"sightline/vision/geom"
)

// State is where the tracker stands. It is part of every pose message, in these words.
type State string

// The three states of the tracker.
const (
	Initializing State = "initializing" // no map yet: waiting for parallax or a marker
	Tracking     State = "tracking"     // the pose is known
	Lost         State = "lost"         // there is a map, and it is not recognised in the picture
)

// Estimate is what the tracker knows of one frame. It is a value; whoever receives it may keep it.
type Estimate struct {
	// Captured names the frame: microseconds on the publisher's clock.
	Captured int64
	State    State
	// PoseCW takes world to camera; only meaningful where Posed.
	PoseCW geom.Pose
	// Roll is how the camera moves while it reads the picture from its first row to its last: PoseCW is that of the middle
	// row. Zero where all rows are of one moment.
	Roll geom.Twist
	// Map names the world that PoseCW and anchors are in. Another name is another world. While
	// Initializing it is a panorama, in which only directions are known, or empty.
	Map string
	// Metric says that lengths are metres; otherwise they are in an arbitrary unit of this map.
	Metric bool
	// SigmaPx is the standard deviation, in pixels, of where the pose puts a well-known landmark.
	SigmaPx float64
	// Landmarks is how many landmarks the pose rests on.
	Landmarks int
	// Reason says in words why the state is not Tracking, or what makes tracking weak. Empty when all is well.
	Reason string
}

// Posed says whether the pose can be drawn by: in the map, or in a panorama while there is none yet.
func (e Estimate) Posed() bool { return e.Map != "" && e.State != Lost }

// Project returns where a point of the world is in this frame: in the camera's frame, and its pixel; ok is false behind it.
func (e Estimate) Project(p geom.Vec3, m camera.Model) (c geom.Vec3, px geom.Vec2, ok bool) {
	c = e.PoseCW.Apply(p)
	px, ok = m.ProjectRolling(c, e.Roll)
	return c, px, ok
}

// Error is how far from its pixel in this frame a point of the world may be: by what is not known of its place, and of the
// camera's. It says nothing of a point behind the camera.
func (e Estimate) Error(s geom.Spot, m camera.Model) camera.Error {
	c, r := e.PoseCW.Apply(s.P), e.PoseCW.R
	spread := func(cov geom.Mat3) float64 {
		return math.Hypot(m.SpreadPx(c, r.Mul(cov).Mul(r.Transpose())), e.SigmaPx)
	}
	return camera.Error{Near: spread(s.Cov), Doubt: s.Doubt, Far: spread(s.Elsewhere())}
}

// PoseMessage is the body of a pose message (relay/wire kind "pose"): an Estimate as it travels, with
// the camera it was made with, so that a receiver can project into the very same frame.
type PoseMessage struct {
	State  State        `json:"state"`
	Q      geom.Quat    `json:"q"` // rotation of poseCW, x y z w
	T      geom.Vec3    `json:"t"` // translation of poseCW
	Roll   geom.Twist   `json:"roll,omitzero"`
	Map    string       `json:"map,omitempty"`
	Metric bool         `json:"metric,omitempty"`
	Sigma  float64      `json:"sigma"` // px
	Marks  int          `json:"landmarks"`
	Reason string       `json:"reason,omitempty"`
	Camera camera.Model `json:"camera"`
}

// Message returns the estimate as it travels.
func (e Estimate) Message(m camera.Model) PoseMessage {
	return PoseMessage{State: e.State, Q: geom.QuatOf(e.PoseCW.R), T: e.PoseCW.T, Roll: e.Roll, Map: e.Map, Metric: e.Metric,
		Sigma: e.SigmaPx, Marks: e.Landmarks, Reason: e.Reason, Camera: m}
}

// Estimate returns the message as an estimate of the frame captured.
func (m PoseMessage) Estimate(captured int64) Estimate {
	return Estimate{Captured: captured, State: m.State, PoseCW: geom.Pose{R: m.Q.Mat(), T: m.T}, Roll: m.Roll, Map: m.Map,
		Metric: m.Metric, SigmaPx: m.Sigma, Landmarks: m.Marks, Reason: m.Reason}
}
