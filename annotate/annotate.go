// Package annotate is about marks: what they are (here), how they merge (replica), how they become a
// display list (scene) and how that becomes a picture (raster).
package annotate

import (
	"errors"
	"fmt"
	"math"

	"sightline/vision/geom"
)

// Shape is what a mark looks like.
type Shape string

// The shapes. What Points mean stands beside each.
const (
	Arrow   Shape = "arrow"   // tip, tail
	Circle  Shape = "circle"  // centre, a point on the rim
	Stroke  Shape = "stroke"  // the line as drawn
	Text    Shape = "text"    // where the callout points
	Gesture Shape = "gesture" // where the hand is to act
	Pin     Shape = "pin"     // a machine's tags hang here
	Measure Shape = "measure" // the two places whose distance is asked for
)

// Action is what a gesture marker asks for.
type Action string

// The gestures.
const (
	Point     Action = "point"
	Press     Action = "press"
	TurnLeft  Action = "turn-left"
	TurnRight Action = "turn-right"
	Pull      Action = "pull"
	Stop      Action = "stop"
)

// Mark is what an author drew on one frame: the body of a message of kind "mark". The envelope's ID is
// the mark's, its Captured names the frame. A deleted mark stays as a tombstone; undo is a new message.
type Mark struct {
	Author string `json:"author"` // the author's name, for people
	Colour string `json:"colour"` // #rrggbb
	Shape  Shape  `json:"shape"`
	Action Action `json:"action,omitempty"`
	Text   string `json:"text,omitempty"`
	// Machine is the machine whose tags hang on a pin, "<area>/<machine>".
	Machine string `json:"machine,omitempty"`
	// Camera is the participant whose frame was drawn on.
	Camera string `json:"camera"`
	// Points are pixels of that frame, whose size is Width x Height; what they mean is the shape's.
	Points []geom.Vec2 `json:"points"`
	Width  int         `json:"width"`
	Height int         `json:"height"`
	// Deleted marks are not drawn.
	Deleted bool `json:"deleted,omitempty"`
}

// MaxPoints is the length of the longest stroke that is taken.
const MaxPoints = 2000

var wantPoints = map[Shape][2]int{
	Arrow: {2, 2}, Circle: {2, 2}, Stroke: {2, MaxPoints}, Text: {1, 1}, Gesture: {1, 1}, Pin: {1, 1}, Measure: {2, 2},
}

// Valid returns an error that names what is wrong with a mark, or nil. A tombstone needs nothing.
func (m Mark) Valid() error {
	if m.Deleted {
		return nil
	}
	want, ok := wantPoints[m.Shape]
	switch {
	case !ok:
		return fmt.Errorf("mark has the unknown shape %q", m.Shape)
	case len(m.Points) < want[0] || len(m.Points) > want[1]:
		return fmt.Errorf("mark of shape %s has %d points, want %d to %d", m.Shape, len(m.Points), want[0], want[1])
	case m.Width < 1 || m.Height < 1 || m.Width > 16384 || m.Height > 16384:
		return fmt.Errorf("mark is drawn on a frame of %dx%d pixels", m.Width, m.Height)
	case len(m.Text) > 500:
		return fmt.Errorf("mark has a text of %d bytes, at most 500", len(m.Text))
	}
	for _, p := range m.Points {
		if math.IsNaN(p[0]+p[1]) || math.Abs(p[0]) > 1e5 || math.Abs(p[1]) > 1e5 {
			return errors.New("mark has a point that is not a pixel")
		}
	}
	return nil
}

// AnchorState says how far a mark has come into the world.
type AnchorState string

// The states of an anchor.
const (
	Placed  AnchorState = "placed"  // Points are in the world
	Waiting AnchorState = "waiting" // the surface is not known yet; Reason says what is waited for
	Refused AnchorState = "refused" // it cannot be placed; Reason says why
)

// Anchor is where the tracker put a mark: the body of a message of kind "anchor", under the mark's ID.
// The field client whose frame was drawn on writes it, again whenever the map has moved it visibly.
type Anchor struct {
	// MarkTime is the session time of the mark it places, so that a moved mark does not keep an old place.
	MarkTime int64       `json:"mark_time"`
	State    AnchorState `json:"state"`
	Reason   string      `json:"reason,omitempty"`
	// Map names the world the points are in (vision.Estimate.Map); Metric says its unit is metres.
	Map    string `json:"map,omitempty"`
	Metric bool   `json:"metric,omitempty"`
	// Down is the direction of gravity in that world, of length one, where a board that hangs upright was seen.
	Down *geom.Vec3 `json:"down,omitempty"`
	// Points are the mark's points in the world, one for one.
	Points []AnchorPoint `json:"points,omitempty"`
}

// AnchorPoint is a point in the world with its uncertainty.
type AnchorPoint struct {
	P geom.Vec3 `json:"p"` // world
	// Normal is the unit normal of the surface, towards the camera that saw it.
	Normal geom.Vec3 `json:"n"`
	// Cov is the covariance of P, the upper triangle by rows: xx xy xz yy yz zz, in the map's unit squared.
	Cov [6]float64 `json:"cov"`
	// Doubt is the probability that it is elsewhere on the line on which it was seen, and Off how far then: one standard
	// deviation, along that line. The first two points of a mark have them, by which it is shown or not.
	Doubt float64   `json:"doubt,omitempty"`
	Off   geom.Vec3 `json:"off,omitzero"`
}

// Spot returns the point with its error.
func (a AnchorPoint) Spot() geom.Spot {
	return geom.Spot{P: a.P, Cov: a.CovMat(), Doubt: a.Doubt, Off: a.Off}
}

// CovMat returns the covariance as a matrix.
func (a AnchorPoint) CovMat() geom.Mat3 {
	c := a.Cov
	return geom.Mat3{c[0], c[1], c[2], c[1], c[3], c[4], c[2], c[4], c[5]}
}

// SetCov sets the covariance from a symmetric matrix.
func (a *AnchorPoint) SetCov(m geom.Mat3) { a.Cov = [6]float64{m[0], m[1], m[2], m[4], m[5], m[8]} }

// Pointer is a participant's laser pointer on a frame: the body of kind "pointer". It is never kept.
type Pointer struct {
	Name   string    `json:"name"`
	Colour string    `json:"colour"`
	Camera string    `json:"camera"`
	Pixel  geom.Vec2 `json:"pixel"`
	Width  int       `json:"width"`
	Height int       `json:"height"`
	Off    bool      `json:"off,omitempty"`
}
