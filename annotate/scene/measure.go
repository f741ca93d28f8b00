package scene

import (
	"fmt"
	"image/color"
	"math"

	"sightline/annotate"
	"sightline/vision/camera"
	"sightline/vision/geom"
)

// metreError is the standard deviation of a map's metre as a share of it: the printed square that it comes
// from is checked by ruler to half a millimetre of 80, and its corners are seen to about as much.
const metreError = 0.01

// plumbError is the standard deviation, in radians, of how upright a board hangs: a degree.
const plumbError = 0.017

// Length says how far the two places of a measure are from each other, in millimetres with the error of 95
// in 100, or why that is not known; where gravity is known also how much higher one is than the other. It is empty where the measure has no place yet.
func Length(e annotate.Entry) string {
	a := e.Anchor
	switch {
	case e.Mark.Shape != annotate.Measure || a == nil || a.State != annotate.Placed || len(a.Points) != 2:
		return ""
	case !a.Metric:
		return "no metres yet: look at a printed board or marker"
	}
	d, sigma := geom.Distance(a.Points[0].Spot(), a.Points[1].Spot(), metreError)
	// 1.96 standard deviations hold 95 of 100 of a normal distribution; an error is rounded up.
	mm, within := 1000*d, math.Ceil(1.96*1000*sigma)
	if !(mm < 1e6) || !(within < 1e6) {
		return "not known: its places are no numbers"
	}
	words := fmt.Sprintf("%.0f ± %.0f mm", mm, within)
	if a.Down == nil {
		return words
	}
	height := math.Abs(1000 * a.Points[1].P.Sub(a.Points[0].P).Dot(*a.Down))
	level := math.Sqrt(math.Max(0, mm*mm-height*height))
	return words + fmt.Sprintf(", height %.0f ± %.0f", height, math.Ceil(1.96*math.Hypot(1000*sigma, plumbError*level)))
}

// errorAt is a point's error on screen, in pixels of the frame; none where the lens does not see it.
func (s *stage) errorAt(p annotate.AnchorPoint) camera.Error {
	if _, ok := s.see(p.P); !ok {
		return camera.Error{}
	}
	return s.in.Estimate.Error(p.Spot(), s.in.Camera)
}

// ends are where the places of a measure lie in the viewport; ok is false where one is out of the lens's field.
func (s *stage) ends(points []annotate.AnchorPoint) (a, b geom.Vec2, ok bool) {
	nowhere := geom.Vec2{math.Inf(1), 0}
	a, b = s.project(points[0], nowhere), s.project(points[1], nowhere)
	return a, b, a != nowhere && b != nowhere
}

// measure draws the line between two places of the world.
func (s *stage) measure(points []annotate.AnchorPoint, c color.NRGBA) {
	if a, b, ok := s.ends(points); ok {
		s.between(a, b, c)
	}
}

// between draws a dimension line: a thin line with a bar across at each end, which stands on the place.
func (s *stage) between(a, b geom.Vec2, c color.NRGBA) {
	p := s.pen
	d := b.Sub(a)
	length := d.Norm()
	if length < 1e-6 {
		d, length = geom.Vec2{1, 0}, 1
	}
	d = d.Scale(1 / length)
	bar := geom.Vec2{-d[1], d[0]}.Scale(11 * p.s)
	p.line(c, 3, 2, false, a, b)
	for _, end := range []geom.Vec2{a, b} {
		p.line(c, 3, 2, false, end.Sub(bar), end.Add(bar))
		p.disc(white, end, 2.6, 1)
		s.keepOff(end, 12)
	}
	for along := 0.0; along < length; along += 30 * p.s {
		s.keepOff(a.Add(d.Scale(along)), 10)
	}
}

// lengthSize is the size of a length's words.
const lengthSize = 17

// length writes a measure's length on the middle of its line, as far as that is in view.
func (s *stage) length(e *annotate.Entry, c color.NRGBA) {
	a, b, ok := s.ends(e.Anchor.Points)
	if !ok {
		return
	}
	p, words := s.pen, Length(*e)
	r := p.pillRect(0, 0, words, lengthSize, true, true)
	w, h := r.x1, r.y1-r.y0
	middle := a.Add(b).Scale(0.5)
	x := max(4, min(p.width-w-4, middle[0]-w/2))
	y := max(h/2+4, min(p.height-h/2-4, middle[1]))
	p.taken = append(p.taken, p.pill(x, y, words, lengthSize, true, c, glass))
}
