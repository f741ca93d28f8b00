package scene

import (
	"image/color"
	"math"

	"sightline/annotate"
	"sightline/annotate/typeset"
	"sightline/vision/geom"
)

// labels draws the marks with words: lengths and gestures first, which stand by their place, then panels of
// machines, then texts over them.
func (s *stage) labels() {
	for _, shape := range []annotate.Shape{annotate.Measure, annotate.Gesture, annotate.Pin, annotate.Text} {
		for i, m := range s.builder.marks {
			if m.State != Shown || m.Shape != shape {
				continue
			}
			mark := &s.in.Marks[i].Mark
			s.pen.alpha = m.Alpha
			switch c := Colour(mark.Colour); shape {
			case annotate.Measure:
				s.length(&s.in.Marks[i], c)
			case annotate.Pin:
				s.pin(m.ID, s.at(m), mark, c)
			case annotate.Gesture:
				s.gesture(s.at(m), mark, c)
			case annotate.Text:
				s.callout(m.ID, s.at(m), mark, c)
			}
		}
	}
	s.pen.alpha = 1
}

// Sizes of a text callout.
const (
	calloutSize  = 17
	calloutWidth = 230
	calloutLines = 4
)

// callout draws a text in a box with a leader to its point.
func (s *stage) callout(id string, at geom.Vec2, m *annotate.Mark, c color.NRGBA) {
	p := s.pen
	lines := p.faces.Wrap(m.Text, p.size(calloutSize), false, calloutWidth*p.s, calloutLines)
	w := 0.0
	for _, l := range lines {
		w = max(w, p.measure(l, calloutSize, false))
	}
	lineHeight := typeset.LineHeight(calloutSize) * p.s
	author := p.clip(m.Author, authorSize, true, calloutWidth*p.s)
	w = max(w, p.measure(author, authorSize, true))
	h := float64(len(lines))*lineHeight + 12*p.s
	if author != "" {
		h += 18 * p.s
	}
	box := s.spot(id, at, w+30*p.s, h)
	s.leader(at, box, c)
	p.box(glass, box, 9*p.s)
	p.box(c, rect{box.x0, box.y0 + 5*p.s, box.x0 + 5*p.s, box.y1 - 5*p.s}, 2.5*p.s)
	x, y := box.x0+16*p.s, box.y0+6*p.s
	if author != "" {
		p.text(c, x, y+10*p.s, author, authorSize, true)
		y += 18 * p.s
	}
	for i, l := range lines {
		p.text(white, x, y+(float64(i)+0.5)*lineHeight, l, calloutSize, false)
	}
}

// leader joins a point to a box.
func (s *stage) leader(at geom.Vec2, box rect, c color.NRGBA) {
	p := s.pen
	end := geom.Vec2{max(box.x0+8*p.s, min(box.x1-8*p.s, at[0])), max(box.y0, min(box.y1, at[1]))}
	if at[1] > box.y0 && at[1] < box.y1 {
		end[0] = max(box.x0, min(box.x1, at[0]))
	}
	p.line(white, 2, 1.4, false, at, end)
	p.disc(white, at, 6.5, 1.6)
	p.disc(c, at, 4.2, 0)
}

// directions are where a label may stand from its point, the preferred first, and then the same farther
// away.
var directions = [12]geom.Vec2{
	{0.55, -1}, {-0.55, -1}, {1, -0.15}, {-1, -0.15}, {0.55, 1}, {-0.55, 1},
	{0, -1}, {0, 1}, {0.9, -1}, {-0.9, -1}, {0.9, 1}, {-0.9, 1},
}

// spots is how many places are tried for a label.
const spots = 4 * len(directions)

// spot finds room for a box of w x h pixels near its point, where it covers least. It remembers the
// choice, so that a label does not jump about: it moves only for a clearly better place.
func (s *stage) spot(id string, at geom.Vec2, w, h float64) rect {
	b := s.builder
	b.used[id] = true
	best, lowest := 0, math.Inf(1)
	for i := range spots {
		if c := s.cost(i, at, w, h); c < lowest {
			best, lowest = i, c
		}
	}
	if old, had := b.spots[id]; had && s.cost(old, at, w, h) < lowest+0.08 {
		best = old
	}
	b.spots[id] = best
	r := s.candidate(best, at, w, h)
	s.pen.taken = append(s.pen.taken, r)
	return r
}

// candidate is the box at the spot of that number, pushed into the viewport.
func (s *stage) candidate(i int, at geom.Vec2, w, h float64) rect {
	d := directions[i%len(directions)]
	far := (34 + 46*float64(i/len(directions))) * s.pen.s
	x, y := at[0]+d[0]*(far+w/2)-w/2, at[1]+d[1]*(far+h/2)-h/2
	x, y = max(4, min(s.pen.width-w-4, x)), max(4, min(s.pen.height-h-4, y))
	return rect{x, y, x + w, y + h}
}

// cost is how much the box covers of other things, or they of it, each by the share of the smaller: a line of words under a
// panel is gone. Its own point counts most, and a little each step away from the preferred spot.
func (s *stage) cost(i int, at geom.Vec2, w, h float64) float64 {
	r := s.candidate(i, at, w, h)
	g := r.grown(5 * s.pen.s)
	covered := 0.0
	for _, t := range s.pen.taken {
		if both := g.shared(t); both > 0 {
			covered += both / min(w*h, t.area())
		}
	}
	c := covered + 0.004*float64(i%len(directions)) + 0.03*float64(i/len(directions))
	if g.x0 < at[0] && at[0] < g.x1 && g.y0 < at[1] && at[1] < g.y1 {
		c += 2
	}
	return c
}
