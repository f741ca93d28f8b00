package scene

import (
	"image/color"

	"sightline/annotate"
	"sightline/annotate/typeset"
	"sightline/vision/geom"
)

// labels draws the marks with words: panels of machines first, then gestures, then texts over them.
func (s *stage) labels() {
	for _, shape := range []annotate.Shape{annotate.Gesture, annotate.Pin, annotate.Text} {
		for i, m := range s.builder.marks {
			if m.State != Shown || m.Shape != shape {
				continue
			}
			mark := &s.in.Marks[i].Mark
			s.pen.alpha = m.Alpha
			switch c := Colour(mark.Colour); shape {
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

// directions are where a label may stand from its point, the preferred first: up right, up left, right,
// left, down right, down left, up, down; then the same farther away.
var directions = [8]geom.Vec2{{0.55, -1}, {-0.55, -1}, {1, -0.15}, {-1, -0.15}, {0.55, 1}, {-0.55, 1}, {0, -1}, {0, 1}}

// spot finds room for a box of w x h pixels near its point and remembers it, so that a label does not
// jump about: it moves only when its old spot has no room any more.
func (s *stage) spot(id string, at geom.Vec2, w, h float64) rect {
	p, b := s.pen, s.builder
	b.used[id] = true
	tries := 3 * len(directions)
	old, had := b.spots[id]
	if had {
		if r := s.candidate(old, at, w, h); s.free(r) {
			p.taken = append(p.taken, r)
			return r
		}
	}
	for i := range tries {
		if r := s.candidate(i, at, w, h); s.free(r) {
			b.spots[id] = i
			p.taken = append(p.taken, r)
			return r
		}
	}
	r := s.candidate(old, at, w, h)
	x, y := max(4, min(p.width-w-4, r.x0)), max(4, min(p.height-h-4, r.y0))
	r = rect{x, y, x + w, y + h}
	p.taken = append(p.taken, r)
	return r
}

// candidate is the box at the spot of that number.
func (s *stage) candidate(i int, at geom.Vec2, w, h float64) rect {
	d := directions[i%len(directions)]
	far := (34 + 46*float64(i/len(directions))) * s.pen.s
	cx, cy := at[0]+d[0]*(far+w/2), at[1]+d[1]*(far+h/2)
	return rect{cx - w/2, cy - h/2, cx + w/2, cy + h/2}
}

func (s *stage) free(r rect) bool {
	p := s.pen
	if !r.within(rect{4, 4, p.width - 4, p.height - 4}) {
		return false
	}
	g := r.grown(4 * p.s)
	for _, t := range p.taken {
		if g.overlaps(t) {
			return false
		}
	}
	return true
}
