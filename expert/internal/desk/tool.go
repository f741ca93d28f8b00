package desk

import (
	"fmt"
	"math"

	"sightline/annotate"
	"sightline/vision/geom"
)

// Tool is what the mouse does on the picture.
type Tool string

// The tools. Gestures are "gesture:" and the action.
const (
	Select Tool = "select"
	Arrow  Tool = "arrow"
	Circle Tool = "circle"
	Stroke Tool = "stroke"
	Text   Tool = "text"
	Pin    Tool = "pin"
	// Measure asks how far two places are from each other.
	Measure Tool = "measure"
)

// Gesture returns the tool that places a gesture.
func Gesture(a annotate.Action) Tool { return Tool("gesture:" + string(a)) }

// Action returns the gesture of a tool that places one.
func (t Tool) Action() (annotate.Action, bool) {
	if len(t) > 8 && t[:8] == "gesture:" {
		return annotate.Action(t[8:]), true
	}
	return "", false
}

// drags says whether a tool draws from where the pen goes down to where it is lifted.
func (t Tool) drags() bool { return t == Arrow || t == Circle || t == Stroke || t == Measure }

// pen is the mark in the making: points in pixels of the frame on which the pen went down.
type pen struct {
	tool   Tool
	points []geom.Vec2
}

// nearest is how far apart, in pixels of the frame, the points of a stroke are at least.
const nearest = 1.5

// move takes the pen to another pixel.
func (p *pen) move(to geom.Vec2) {
	n := len(p.points)
	switch {
	case p.tool == Arrow || p.tool == Circle || p.tool == Measure:
		p.points = append(p.points[:1], to)
	case p.tool == Stroke && to.Sub(p.points[n-1]).Norm() >= nearest:
		p.points = append(p.points, to)
		if len(p.points) >= annotate.MaxPoints {
			p.points = thinned(p.points)
		}
	}
}

// thinned leaves out every second point, but keeps the last.
func thinned(pts []geom.Vec2) []geom.Vec2 {
	out := pts[:0]
	for i, q := range pts {
		if i%2 == 0 || i == len(pts)-1 {
			out = append(out, q)
		}
	}
	return out
}

// shape returns the points as the mark of the tool has them, on a frame of that size. A press without a
// drag makes an arrow or a circle of a readable size around that point.
func (p *pen) shape(width, height int) []geom.Vec2 {
	first, last := p.points[0], p.points[len(p.points)-1]
	small := last.Sub(first).Norm() < 4
	unit := float64(min(width, height))
	switch p.tool {
	case Arrow: // drawn from tail to tip
		if small {
			tail := first.Add(geom.Vec2{0.14 * unit, -0.14 * unit})
			if tail[0] > float64(width) {
				tail[0] = first[0] - 0.14*unit
			}
			if tail[1] < 0 {
				tail[1] = first[1] + 0.14*unit
			}
			return []geom.Vec2{first, tail}
		}
		return []geom.Vec2{last, first}
	case Circle: // drawn from the centre to the rim
		if small {
			return []geom.Vec2{first, first.Add(geom.Vec2{0.07 * unit, 0})}
		}
		return []geom.Vec2{first, last}
	case Measure: // from one place to the other; a press alone has no other
		return []geom.Vec2{first, last}
	case Stroke:
		if len(p.points) == 1 {
			return []geom.Vec2{first, first.Add(geom.Vec2{1, 0})}
		}
		return p.points
	}
	return p.points[:1]
}

// Body makes the body of a mark from a tool's points, in pixels of a frame of that size. It fails where
// there is no such tool or the points are not what it draws.
func Body(t Tool, width, height int, points []geom.Vec2) (annotate.Mark, error) {
	m := annotate.Mark{Width: width, Height: height, Points: points}
	if a, ok := t.Action(); ok {
		m.Shape, m.Action = annotate.Gesture, a
	} else {
		m.Shape = annotate.Shape(t)
	}
	if t == Select {
		return m, fmt.Errorf("%s draws nothing", t)
	}
	return m, m.Valid()
}

// within moves a pixel to the nearest one of the frame.
func within(px geom.Vec2, width, height int) geom.Vec2 {
	return geom.Vec2{math.Max(0, math.Min(float64(width-1), px[0])), math.Max(0, math.Min(float64(height-1), px[1]))}
}
