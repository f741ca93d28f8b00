package scene

import (
	"image/color"
	"math"

	"sightline/annotate"
	"sightline/vision/geom"
)

// world draws the marks that are shown and lie in the picture itself: arrows, circles, strokes. What has
// words goes over them, in labels.
func (s *stage) world() {
	for i, m := range s.builder.marks {
		if m.State != Shown {
			continue
		}
		e := &s.in.Marks[i]
		s.pen.alpha = m.Alpha
		c := Colour(e.Mark.Colour)
		switch e.Mark.Shape {
		case annotate.Arrow:
			tip := s.at(m)
			s.arrow(tip, s.project(e.Anchor.Points[1], tip.Add(geom.Vec2{70, -90}.Scale(s.pen.s))), c, e.Mark.Author)
		case annotate.Circle:
			s.circle(e, c)
		case annotate.Stroke:
			s.stroke(e.Anchor.Points, c)
		case annotate.Measure:
			s.measure(e.Anchor.Points, c)
		}
		s.keepOff(s.at(m), 12)
	}
	s.pen.alpha = 1
}

// at is the first point of a mark in the viewport.
func (s *stage) at(m MarkView) geom.Vec2 { return s.view.ToViewport(geom.Vec2{m.U, m.V}) }

// keepOff asks labels to leave a point free.
func (s *stage) keepOff(p geom.Vec2, radius float64) {
	r := radius * s.pen.s
	s.pen.taken = append(s.pen.taken, rect{p[0] - r, p[1] - r, p[0] + r, p[1] + r})
}

// project returns a point of the world in the viewport, or otherwise where it is out of the lens's field.
func (s *stage) project(p annotate.AnchorPoint, otherwise geom.Vec2) geom.Vec2 {
	if px, ok := s.see(p.P); ok {
		return s.view.ToViewport(px)
	}
	return otherwise
}

// Lengths of an arrow on screen, whatever the world makes of it.
const (
	shortestArrow = 64
	longestArrow  = 230
)

// arrow draws an arrow whose tip is exact. Its tail keeps the direction; its length is kept readable.
func (s *stage) arrow(tip, tail geom.Vec2, c color.NRGBA, author string) {
	p := s.pen
	d := tail.Sub(tip)
	length := d.Norm()
	if length < 1e-6 {
		d, length = geom.Vec2{0.6, -0.8}, 1
	}
	d = d.Scale(1 / length)
	length = max(shortestArrow*p.s, min(longestArrow*p.s, length))
	n := geom.Vec2{-d[1], d[0]}
	at := func(along, across float64) geom.Vec2 {
		return tip.Add(d.Scale(along * p.s)).Add(n.Scale(across * p.s))
	}
	l := length / p.s
	for along := 0.0; along < l; along += 30 {
		s.keepOff(at(along, 0), 15)
	}
	p.fill(c, 2.6, at(0, 0), at(31, 15.5), at(26, 5.2), at(l, 3), at(l, -3), at(26, -5.2), at(31, -15.5))
	s.author(tip.Add(d.Scale(length+4*p.s)), d, author, c)
}

// author puts a name at the end of a mark, on the side that dir points to.
func (s *stage) author(at, dir geom.Vec2, name string, c color.NRGBA) {
	if name == "" {
		return
	}
	p := s.pen
	name = p.clip(name, authorSize, true, 110*p.s)
	r := p.pillRect(0, 0, name, authorSize, true, true)
	w, h := r.x1, r.y1-r.y0
	x := at[0] - w/2 + dir[0]*w/2
	y := at[1] + dir[1]*h/2
	x = max(2, min(p.width-w-2, x))
	y = max(h/2+2, min(p.height-h/2-2, y))
	p.taken = append(p.taken, p.pill(x, y, name, authorSize, true, c, glass))
}

const authorSize = 13

// ellipseSteps is how many straight pieces make an ellipse.
const ellipseSteps = 48

// circle draws a circle that lies on the surface around its centre.
func (s *stage) circle(e *annotate.Entry, c color.NRGBA) {
	p, centre := s.pen, e.Anchor.Points[0]
	n := s.facing(centre)
	arm := e.Anchor.Points[1].P.Sub(centre.P)
	u := arm.Sub(n.Scale(arm.Dot(n))) // the rim may have been found on what lies behind
	radius := u.Norm()
	if radius < 1e-3*arm.Norm() || radius == 0 {
		return
	}
	u = u.Scale(1 / radius)
	if seen := aside(centre, e.Anchor.Points[1]); seen > 0 && radius > mostStretched*seen {
		radius = seen
	}
	v := n.Cross(u)
	start, whole := len(p.arena), true
	top := geom.Vec2{0, math.Inf(1)}
	for i := range ellipseSteps {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / ellipseSteps)
		q := centre.P.Add(u.Scale(radius * cos)).Add(v.Scale(radius * sin))
		px, ok := s.see(q)
		if !ok {
			whole = false
			continue
		}
		at := s.view.ToViewport(px)
		if at[1] < top[1] {
			top = at
		}
		p.arena = append(p.arena, at)
	}
	rim := p.arena[start:len(p.arena):len(p.arena)]
	if len(rim) < 2 {
		return
	}
	if whole {
		p.add(Item{Kind: Fill, Points: rim, Colour: faded(c, 0.13)})
	}
	for i := 0; i < len(rim); i += 6 {
		s.keepOff(rim[i], 12)
	}
	s.keepOff(s.project(centre, rim[0]), 24)
	p.add(Item{Kind: Line, Points: rim, Closed: whole, Width: 4.5 * p.s, Colour: c, Halo: 2.2 * p.s})
	s.author(top.Sub(geom.Vec2{0, 6 * p.s}), geom.Vec2{0, -1}, e.Mark.Author, c)
}

// mostStretched is how much longer than it was drawn the radius of a circle may be for lying on a slanted surface; what
// is longer was not measured on that surface.
const mostStretched = 3

// aside is how far a place passes the line on which another one was seen, metres: the length between the two as it was
// drawn. The line is the longest axis of the other's error, for what is known least of a place is how far off it is. 0
// where that is not known.
func aside(place, other annotate.AnchorPoint) float64 {
	cov, d := other.CovMat(), geom.Vec3{1, 1, 1}
	for range 30 { // by powers
		d = cov.MulVec(d).Unit()
	}
	if long, all := d.Dot(cov.MulVec(d)), cov[0]+cov[4]+cov[8]; !(long > 0.8*all) {
		return 0 // there is no such axis
	}
	arm := other.P.Sub(place.P)
	return arm.Sub(d.Scale(arm.Dot(d))).Norm()
}

// facing returns the surface's normal, turned as far towards the camera as an ellipse needs to be read.
func (s *stage) facing(p annotate.AnchorPoint) geom.Vec3 {
	look := s.in.Estimate.PoseCW.Centre().Sub(p.P).Unit()
	n := p.Normal.Unit()
	if n == (geom.Vec3{}) || !n.Finite() {
		return look
	}
	if d := n.Dot(look); d < flattest {
		n = n.Add(look.Scale(flattest - d)).Unit()
	}
	return n
}

// flattest is the cosine of the steepest view of a circle.
const flattest = 0.35

// stroke draws a line in the world point by point, with gaps where it leaves the lens's field.
func (s *stage) stroke(points []annotate.AnchorPoint, c color.NRGBA) {
	p := s.pen
	start := len(p.arena)
	end := func() {
		if run := p.arena[start:len(p.arena):len(p.arena)]; len(run) > 1 {
			p.add(Item{Kind: Line, Points: run, Width: 5 * p.s, Colour: c, Halo: 2.2 * p.s})
			for i := 0; i < len(run); i += 1 + len(run)/12 {
				s.keepOff(run[i], 10)
			}
		}
		start = len(p.arena)
	}
	for _, a := range points {
		px, ok := s.see(a.P)
		if !ok {
			end()
			continue
		}
		p.arena = append(p.arena, s.view.ToViewport(px))
	}
	end()
}

// draft draws a mark in pixels of the frame on screen.
func (s *stage) draft(m *annotate.Mark) {
	if m.Valid() != nil || m.Deleted {
		return
	}
	p, c := s.pen, Colour(m.Colour)
	n := len(p.arena)
	sx, sy := float64(s.in.Frame.X)/float64(m.Width), float64(s.in.Frame.Y)/float64(m.Height)
	for _, q := range m.Points {
		p.arena = append(p.arena, s.view.ToViewport(geom.Vec2{(q[0]+0.5)*sx - 0.5, (q[1]+0.5)*sy - 0.5}))
	}
	pts := p.arena[n:len(p.arena):len(p.arena)]
	switch m.Shape {
	case annotate.Arrow:
		s.arrow(pts[0], pts[1], c, "")
	case annotate.Circle:
		r := pts[1].Sub(pts[0]).Norm() / p.s
		p.disc(faded(c, 0.13), pts[0], r, 0)
		p.ring(c, pts[0], r, 4.5, 2.2)
	case annotate.Stroke:
		p.add(Item{Kind: Line, Points: pts, Width: 5 * p.s, Colour: c, Halo: 2.2 * p.s})
	case annotate.Measure:
		s.between(pts[0], pts[1], c)
	case annotate.Gesture:
		s.gesture(pts[0], m, c)
	case annotate.Text:
		s.callout("draft", pts[0], m, c)
	case annotate.Pin:
		p.ring(white, pts[0], 7, 2.5, 1.5)
		p.disc(c, pts[0], 4, 0)
	}
}
