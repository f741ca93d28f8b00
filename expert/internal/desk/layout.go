package desk

import "math"

// layout is where the parts of the window are.
type layout struct {
	top, tools, side, foot, picture Rect
}

// Sizes of the parts, in units of the scale.
const (
	topHeight  = 46
	footHeight = 30
	toolsWidth = 58
	sideWidth  = 316
	// reviewHeight is the foot's with a timeline in it.
	reviewHeight = 186
)

// newLayout gives the picture all that the bars leave.
func newLayout(width, height int, s float64, hidden, review bool) layout {
	w, h := float64(width), float64(height)
	r := math.Round
	top, foot := min(r(topHeight*s), h/4), min(r(footHeight*s), h/4)
	tools, side := min(r(toolsWidth*s), w/5), min(r(sideWidth*s), r(0.36*w))
	if review { // nothing is drawn on the past
		foot, tools = min(r(reviewHeight*s), h/2), 0
	}
	if hidden {
		side = 0
	}
	foot, tools, top = math.Floor(foot), math.Floor(tools), math.Floor(top)
	return layout{
		top:     Rect{0, 0, w, top},
		tools:   Rect{0, top, tools, h - foot},
		side:    Rect{w - side, top, w, h - foot},
		foot:    Rect{0, h - foot, w, h},
		picture: Rect{tools, top, w - side, h - foot},
	}
}

// hit is a part of the window that does something when it is clicked.
type hit struct {
	at  Rect
	id  string
	tip string
}
