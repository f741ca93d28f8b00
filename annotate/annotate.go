// Package annotate is about marks: what they are (here), how they merge (replica), how they become a
// display list (scene) and how that becomes a picture (raster).
package annotate

import (
	"cmp"
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

// The rest of what is taken. A screen draws what is in a mark at every frame, and the tracker reckons with what is in an
// anchor, so neither may be as large as a message can be.
const (
	maxName  = 256  // bytes of a name: of a person, a participant, a machine, a map, a colour
	maxText  = 500  // bytes of a text and of a reason
	maxPixel = 1e5  // from the frame's corner
	maxPlace = 1e6  // of a coordinate in the world, either way
	maxCov   = 1e12 // of an entry of a covariance: as unsure as the largest place
)

// short returns an error that names the first text that is longer than most bytes, or nil. The texts come in pairs: what it
// is, and it.
func short(of string, most int, texts ...string) error {
	for i := 0; i < len(texts); i += 2 {
		if n := len(texts[i+1]); n > most {
			return fmt.Errorf("%s has a %s of %d bytes, at most %d", of, texts[i], n, most)
		}
	}
	return nil
}

// onFrame returns an error where a frame's size or a pixel of it cannot be, or nil.
func onFrame(of string, width, height int, pixels ...geom.Vec2) error {
	if width < 1 || height < 1 || width > 16384 || height > 16384 {
		return fmt.Errorf("%s is drawn on a frame of %dx%d pixels", of, width, height)
	}
	for _, p := range pixels {
		if !within(maxPixel, p[:]...) {
			return fmt.Errorf("%s has a point that is not a pixel", of)
		}
	}
	return nil
}

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
		return fmt.Errorf("mark has the unknown shape %.40q", m.Shape)
	case len(m.Points) < want[0] || len(m.Points) > want[1]:
		return fmt.Errorf("mark of shape %s has %d points, want %d to %d", m.Shape, len(m.Points), want[0], want[1])
	}
	return cmp.Or(
		onFrame("mark", m.Width, m.Height, m.Points...),
		short("mark", maxText, "text", m.Text),
		short("mark", maxName, "author", m.Author, "colour", m.Colour, "action", string(m.Action), "machine", m.Machine, "camera", m.Camera),
	)
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

// Valid returns an error that names what is wrong with an anchor, or nil.
func (a Anchor) Valid() error {
	switch a.State {
	case Placed, Waiting, Refused:
	default:
		return fmt.Errorf("anchor has the unknown state %.40q", a.State)
	}
	if len(a.Points) > MaxPoints {
		return fmt.Errorf("anchor has %d points, at most %d", len(a.Points), MaxPoints)
	}
	if a.Down != nil && !within(maxPlace, a.Down[:]...) {
		return errors.New("anchor has a direction of gravity that is none")
	}
	for _, p := range a.Points {
		if !within(maxPlace, p.P[:]...) || !within(maxPlace, p.Normal[:]...) || !within(maxPlace, p.Off[:]...) ||
			!within(maxCov, p.Cov[:]...) || !(p.Doubt >= 0 && p.Doubt <= 1) {
			return errors.New("anchor has a point that is not a place")
		}
	}
	return cmp.Or(short("anchor", maxText, "reason", a.Reason), short("anchor", maxName, "map", a.Map))
}

// within says whether all numbers are at most that large, either way; what is not a number is not.
func within(most float64, numbers ...float64) bool {
	for _, x := range numbers {
		if !(math.Abs(x) <= most) {
			return false
		}
	}
	return true
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

// Valid returns an error that names what is wrong with a pointer, or nil. One that is off needs nothing.
func (p Pointer) Valid() error {
	if p.Off {
		return nil
	}
	return cmp.Or(
		onFrame("pointer", p.Width, p.Height, p.Pixel),
		short("pointer", maxName, "name", p.Name, "colour", p.Colour, "camera", p.Camera),
	)
}
