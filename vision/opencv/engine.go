package opencv

import (
	"image"

	"sightline/vision/geom"
	"sightline/vision/track"
)

// Engine is OpenCV as the tracker wants it: track.Imager, track.Solver and track.Recogniser, and the
// mapper's MarkerFinder. The zero value is ready; it keeps no state, so one serves all goroutines.
type Engine struct{ Solvers }

// Prepare builds a pyramid.
func (Engine) Prepare(g *image.Gray) (track.Picture, error) {
	p, err := NewPyramid(g)
	if err != nil {
		return nil, err // a typed nil would not be nil
	}
	return p, nil
}

// Flow follows points between two pictures that this Engine prepared.
func (Engine) Flow(from, to track.Picture, at, guess []geom.Vec2, halvings int) ([]geom.Vec2, []bool, error) {
	return from.(*Pyramid).Flow(to.(*Pyramid), at, guess, halvings)
}

// Corners returns corners of a picture that this Engine prepared.
func (Engine) Corners(p track.Picture, taken []geom.Vec2, most int, distance float64) ([]geom.Vec2, error) {
	return p.(*Pyramid).Corners(taken, most, distance)
}

// Small returns a picture that this Engine prepared at an eighth of its size.
func (Engine) Small(p track.Picture) *image.Gray { return p.(*Pyramid).Small() }
