package scene

import (
	"image/color"
	"math"

	"sightline/annotate"
	"sightline/vision/geom"
)

// gestureWords is what each action is called on screen.
var gestureWords = map[annotate.Action]string{
	annotate.Point: "Here", annotate.Press: "Press", annotate.TurnLeft: "Turn left",
	annotate.TurnRight: "Turn right", annotate.Pull: "Pull", annotate.Stop: "Stop",
}

// Sizes of a gesture's badge.
const (
	badge     = 31 // radius
	badgeTail = 17 // from the badge to the point it means
	wordSize  = 17
)

// gesture draws a badge whose tail ends at the point, with its word beside it. The badge stands above the
// point, below it where there is no room.
func (s *stage) gesture(at geom.Vec2, m *annotate.Mark, c color.NRGBA) {
	p := s.pen
	if m.Action == annotate.Stop {
		c = red
	}
	up := -1.0
	if at[1]-(2*badge+badgeTail)*p.s < 0 {
		up = 1
	}
	centre := at.Add(geom.Vec2{0, up * (badge + badgeTail) * p.s})
	half := 13 * p.s
	foot := centre[1] - up*badge*0.88*p.s
	p.fill(c, 2.2, at, geom.Vec2{at[0] + up*half, foot}, geom.Vec2{at[0] - up*half, foot})
	p.disc(c, centre, badge, 2.2)
	p.disc(color.NRGBA{12, 16, 22, 255}, centre, badge-4.2, 0)
	icon{s, centre, c}.draw(m.Action)
	words := gestureWords[m.Action]
	if m.Text != "" {
		words = p.clip(m.Text, wordSize, true, 190*p.s)
	}
	w := p.pillRect(0, 0, words, wordSize, true, false).x1
	right, left := centre[0]+(badge+6)*p.s, centre[0]-(badge+6)*p.s-w
	x := right
	if right+w > p.width-4 || left > 4 && s.covered(right, centre[1], words) > s.covered(left, centre[1], words) {
		x = left
	}
	r := p.pill(x, centre[1], words, wordSize, true, color.NRGBA{}, glass)
	p.taken = append(p.taken, r)
	s.keepOff(centre, badge+4)
}

// covered is how much of what is drawn already a gesture's word would cover at x, y, in square pixels.
func (s *stage) covered(x, y float64, words string) float64 {
	r := s.pen.pillRect(x, y, words, wordSize, true, false)
	area := 0.0
	for _, t := range s.pen.taken {
		area += r.shared(t)
	}
	return area
}

// icon draws a pictogram around the middle of a badge.
type icon struct {
	*stage
	centre geom.Vec2
	colour color.NRGBA
}

func (i icon) at(x, y float64) geom.Vec2 { return i.centre.Add(geom.Vec2{x, y}.Scale(i.pen.s)) }

func (i icon) draw(a annotate.Action) {
	switch a {
	case annotate.Press:
		i.shaft(-17, 3)
		i.bar(12)
	case annotate.Pull:
		i.shaft(8, -16)
		i.bar(13)
	case annotate.TurnLeft:
		i.turn(-1)
	case annotate.TurnRight:
		i.turn(1)
	case annotate.Stop:
		i.octagon()
	default:
		i.target()
	}
}

// shaft is an arrow up or down the middle, from y0 to its tip at y1.
func (i icon) shaft(y0, y1 float64) {
	d := math.Copysign(1, y1-y0)
	i.pen.line(white, 6, 0, false, i.at(0, y0), i.at(0, y1-7*d))
	i.pen.fill(white, 0, i.at(0, y1+2*d), i.at(d*10, y1-9*d), i.at(-d*10, y1-9*d))
}

// bar is what is pressed, or pulled from.
func (i icon) bar(y float64) { i.pen.line(i.colour, 6, 0, false, i.at(-13, y), i.at(13, y)) }

// turn is an arc of 270 degrees with an arrowhead: dir 1 is clockwise.
func (i icon) turn(dir float64) {
	const radius, steps = 14.5, 20
	var arc [steps + 1]geom.Vec2
	// from lower left, over the top, to lower right; the mirror image for a turn to the left
	for k := range arc {
		a := math.Pi * (0.75 + 1.25*float64(k)/steps)
		sin, cos := math.Sincos(a)
		arc[k] = i.at(dir*radius*cos, radius*sin)
	}
	i.pen.line(white, 5.5, 0, false, arc[:]...)
	x := dir * radius
	i.pen.fill(white, 0, i.at(x, 15), i.at(x-10.5, 1), i.at(x+10.5, 1))
	i.pen.disc(i.colour, i.centre, 4.5, 0)
}

// octagon is a stop sign with its bar.
func (i icon) octagon() {
	var corners [8]geom.Vec2
	for k := range corners {
		sin, cos := math.Sincos(math.Pi / 4 * (float64(k) + 0.5))
		corners[k] = i.at(20*cos, 20*sin)
	}
	i.pen.fill(red, 0, corners[:]...)
	i.pen.line(white, 7, 0, false, i.at(-9, 0), i.at(9, 0))
}

// target is two rings and their middle: here.
func (i icon) target() {
	i.pen.ring(white, i.centre, 15, 4, 0)
	i.pen.disc(i.colour, i.centre, 6.5, 0)
	for k := range 4 {
		sin, cos := math.Sincos(math.Pi / 2 * float64(k))
		i.pen.line(white, 4, 0, false, i.at(15*cos, 15*sin), i.at(20*cos, 20*sin))
	}
}
