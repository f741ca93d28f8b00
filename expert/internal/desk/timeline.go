package desk

import (
	"fmt"
	"image/color"
	"math"

	"sightline/expert/internal/tape"
	"sightline/vision/geom"
)

// The rows of the timeline, in units of the scale.
const (
	transportHeight = 44
	rulerHeight     = 20
	laneLabels      = 92
)

// lane is a row of the timeline.
type lane struct {
	name   string
	kind   tape.Kind
	colour color.NRGBA
}

var laneList = [...]lane{
	{"Marks", tape.Marked, color.NRGBA{255, 183, 43, 255}},
	{"Words", tape.Spoken, color.NRGBA{92, 200, 255, 255}},
	{"Alarms", tape.Alarmed, color.NRGBA{255, 77, 77, 255}},
	{"Snapshots", tape.Pictured, color.NRGBA{61, 220, 132, 255}},
	{"Gaps", tape.Missing, color.NRGBA{150, 160, 172, 255}},
	{"Filled in", tape.Filled, color.NRGBA{178, 132, 255, 255}},
}

// lanes is the part of the window in which a click is an instant.
func (d *Desk) lanes() Rect {
	r, s := d.lay.foot, d.scale
	return Rect{r.X0 + laneLabels*s, r.Y0 + transportHeight*s, r.X1 - 20*s, r.Y1}
}

func (d *Desk) instantAt(x float64) int64 {
	l, t := d.lanes(), d.cfg.Review.Tape
	f := max(0, min(1, (x-l.X0)/max(1, l.W())))
	return t.Start + int64(f*float64(t.End-t.Start))
}

func (d *Desk) xOf(session int64) float64 {
	l, t := d.lanes(), d.cfg.Review.Tape
	return l.X0 + l.W()*float64(session-t.Start)/float64(t.End-t.Start)
}

// timeline is the foot: the transport, a ruler, and a lane for each kind of thing that happened.
func (d *Desk) timeline(pn *panel) {
	p, r, s := &pn.pad, d.lay.foot, d.scale
	p.box(hairline, Rect{r.X0, r.Y0, r.X1, r.Y0 + 1}, 0)
	d.transport(pn)
	l := d.lanes()
	d.ruler(p, l)
	y0 := l.Y0 + rulerHeight*s
	pitch := (r.Y1 - 8*s - y0) / float64(len(laneList))
	for i, lane := range laneList {
		y := y0 + pitch*(float64(i)+0.5)
		p.text(muted, r.X0+16*s, y, lane.name, 12, false, (laneLabels-20)*s)
		p.box(color.NRGBA{255, 255, 255, 10}, Rect{l.X0, y - pitch/2 + 1.5*s, l.X1, y + pitch/2 - 1.5*s}, 3)
		d.laneOf(p, lane, y, pitch)
	}
	x := d.xOf(d.cfg.Review.Deck.Position())
	p.box(bright, Rect{x - 1*s, l.Y0 + 4*s, x + 1*s, r.Y1 - 6*s}, 0)
	p.fill(bright, geom.Vec2{x - 6*s, l.Y0}, geom.Vec2{x + 6*s, l.Y0}, geom.Vec2{x, l.Y0 + 9*s})
	d.hoverNote(p, l, y0, pitch)
}

// laneOf draws what happened of a kind.
func (d *Desk) laneOf(p *pad, lane lane, y, pitch float64) {
	s, h := d.scale, pitch/2-3.5*d.scale
	for _, m := range d.cfg.Review.Tape.Moments {
		if m.Kind != lane.kind {
			continue
		}
		x0, x1 := d.xOf(m.At), d.xOf(m.To)
		if x1-x0 > 6*s {
			p.box(faded(lane.colour, 0.45), Rect{x0, y - h, x1, y + h}, 3)
			p.box(lane.colour, Rect{x0, y - h, x0 + 3*s, y + h}, 1)
			continue
		}
		p.box(lane.colour, Rect{x0 - 2*s, y - h, x0 + 2.5*s, y + h}, 2)
	}
}

// ruler draws times at round distances.
func (d *Desk) ruler(p *pad, l Rect) {
	s, t := d.scale, d.cfg.Review.Tape
	length := float64(t.End-t.Start) / 1e6
	step := 3600.0
	for _, v := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800} {
		if l.W()*v/length >= 70*s {
			step = v
			break
		}
	}
	for at := 0.0; at <= length; at += step {
		x := l.X0 + l.W()*at/length
		p.box(hairline, Rect{x, l.Y0 + 4*s, x + 1, d.lay.foot.Y1 - 8*s}, 0)
		if x+40*s < l.X1 {
			p.text(dim, x+5*s, l.Y0+10*s, clockOf(int64(at*1e6), false), 11, false, 60*s)
		}
	}
}

// clockOf writes a time since the beginning, with milliseconds where they count.
func clockOf(us int64, fine bool) string {
	ms := max(0, us) / 1000
	words := fmt.Sprintf("%d:%02d", ms/60_000%60, ms/1000%60)
	if ms >= 3_600_000 {
		words = fmt.Sprintf("%d:%02d:%02d", ms/3_600_000, ms/60_000%60, ms/1000%60)
	}
	if fine {
		words += fmt.Sprintf(".%03d", ms%1000)
	}
	return words
}

// hoverNote tells of what is under the mouse.
func (d *Desk) hoverNote(p *pad, l Rect, y0, pitch float64) {
	if !l.Has(d.mouse) || d.mouse[1] < y0 {
		return
	}
	s, t := d.scale, d.cfg.Review.Tape
	i := min(int((d.mouse[1]-y0)/pitch), len(laneList)-1)
	best, near := -1, 9*s
	for k, m := range t.Moments {
		if m.Kind != laneList[i].kind {
			continue
		}
		x0, x1 := d.xOf(m.At), d.xOf(m.To)
		dist := max(0, x0-d.mouse[0], d.mouse[0]-x1)
		if dist < near {
			best, near = k, dist
		}
	}
	words := clockOf(d.instantAt(d.mouse[0])-t.Start, true)
	if best >= 0 {
		m := t.Moments[best]
		words = clockOf(m.At-t.Start, true) + "  " + m.Text
		if m.Who != "" {
			words = clockOf(m.At-t.Start, true) + "  " + m.Who + ": " + m.Text
		}
	}
	words = p.clip(words, 12.5, true, 460*s)
	w := p.width(words, 12.5, true) + 20*s
	x := max(d.lay.foot.X0+8*s, min(d.mouse[0]-w/2, d.lay.foot.X1-w-8*s))
	y := y0 + pitch*float64(i) - 14*s
	p.box(color.NRGBA{44, 56, 72, 255}, Rect{x, y - 12*s, x + w, y + 12*s}, 6)
	p.text(bright, x+10*s, y, words, 12.5, true, w)
}

// transport has the buttons that play and step, the time, and the search.
func (d *Desk) transport(pn *panel) {
	p, r, s, k, t := &pn.pad, d.lay.foot, d.scale, d.cfg.Review.Deck, d.cfg.Review.Tape
	y := r.Y0 + transportHeight/2*s
	x := r.X0 + 16*s
	x = d.roundButton(pn, x, y, "step:-1", "One frame back   Left", func(at geom.Vec2, c color.NRGBA) { stepIcon(p, at, c, -1) })
	play := iconPlay
	if k.Playing() {
		play = iconFreeze
	}
	x = d.roundButton(pn, x, y, "play", "Play or pause   Space", func(at geom.Vec2, c color.NRGBA) { play(p, at, c) })
	x = d.roundButton(pn, x, y, "step:1", "One frame on   Right", func(at geom.Vec2, c color.NRGBA) { stepIcon(p, at, c, 1) }) + 6*s
	for _, v := range []int{1, 2, 4} {
		words := fmt.Sprintf("%d×", v)
		box := Rect{x, y - 14*s, x + 36*s, y + 14*s}
		back, c := color.NRGBA{}, muted
		switch id := fmt.Sprintf("speed:%d", v); {
		case d.press(pn, box, id, "Pace   "+fmt.Sprint(v)):
			back = hovered
		case k.Speed() == float64(v):
			back, c = color.NRGBA{30, 62, 94, 255}, bright
		}
		p.box(back, box, 6)
		p.centred(c, box, words, 13, true)
		x = box.X1 + 3*s
	}
	x = p.text(bright, x+14*s, y, clockOf(k.Instant()-t.Start, true), 17, true, 140*s)
	x = p.text(dim, x+8*s, y, "of "+clockOf(t.End-t.Start, false), 13, false, 100*s)
	x = p.text(muted, x+18*s, y, d.clock.UTC().Format("15:04:05.000 UTC"), 13, false, 160*s)
	if f := d.shown(); f != nil {
		words, c := d.tracking()
		p.disc(c, geom.Vec2{x + 24*s, y}, 4)
		p.text(muted, x+34*s, y, words, 13, false, r.X1-x-320*s)
	}
	d.searchBox(pn, Rect{r.X1 - 262*s, y - 15*s, r.X1 - 20*s, y + 15*s})
}

func (d *Desk) roundButton(pn *panel, x, y float64, id, tip string, draw func(geom.Vec2, color.NRGBA)) float64 {
	s := d.scale
	box := Rect{x, y - 15*s, x + 34*s, y + 15*s}
	back := raised
	if d.press(pn, box, id, tip) {
		back = hovered
	}
	pn.pad.box(back, box, 7)
	q := pn.pad.s
	pn.pad.s = q * 0.72
	draw(box.middle(), bright)
	pn.pad.s = q
	return box.X1 + 6*s
}

// stepIcon is a triangle against a bar.
func stepIcon(p *pad, at geom.Vec2, c color.NRGBA, dir float64) {
	p.fill(c, p.off(at, -6*dir, -7), p.off(at, 3*dir, 0), p.off(at, -6*dir, 7))
	p.line(c, 2.6, p.off(at, 7*dir, -6), p.off(at, 7*dir, 6))
}

// searchBox is where words are typed.
func (d *Desk) searchBox(pn *panel, box Rect) {
	p, s := &pn.pad, d.scale
	over := d.press(pn, box, "search", "Search what was said, drawn and measured   /")
	p.box(raised, box, 7)
	c := hairline
	if d.search.open || over {
		c = accent
	}
	p.frame(c, box, 7, 1.4)
	y := (box.Y0 + box.Y1) / 2
	p.ring(muted, geom.Vec2{box.X0 + 16*s, y - 1.5*s}, 5, 1.8)
	p.line(muted, 1.8, geom.Vec2{box.X0 + 20*s, y + 2.5*s}, geom.Vec2{box.X0 + 23.5*s, y + 6*s})
	if !d.search.open {
		p.text(dim, box.X0+32*s, y, "Search", 13.5, false, box.W())
		p.right(dim, box.X1-12*s, y, "/", 12, true)
		return
	}
	typed := d.search.text
	for p.width(string(typed), 13.5, false) > box.W()-50*s {
		typed = typed[1:]
	}
	x := p.text(bright, box.X0+32*s, y, string(typed), 13.5, false, box.W())
	p.box(accent, Rect{x + 1*s, y - 8*s, x + 2.4*s, y + 8*s}, 0)
}

// found lists what a search found, in place of the side panel.
func (d *Desk) found(pn *panel) {
	p, r, s, t := &pn.pad, d.lay.side, d.scale, d.cfg.Review.Tape
	p.box(hairline, Rect{r.X0, r.Y0, r.X0 + 1, r.Y1}, 0)
	x, w, y := r.X0+16*s, r.W()-32*s, r.Y0+26*s
	words := fmt.Sprintf("%d FOUND", len(d.search.hits))
	if len(d.search.text) == 0 {
		words = "TYPE TO SEARCH"
	}
	p.text(dim, x, y, words, 11.5, true, w)
	p.right(dim, x+w, y, "Enter: go · Esc: close", 11.5, false)
	y += 18 * s
	const row = 46
	fits := int(math.Max(1, (r.Y1-y)/(row*s)))
	first := max(0, min(d.search.pick-fits/2, len(d.search.hits)-fits))
	for i := first; i < len(d.search.hits) && i < first+fits; i++ {
		h := d.search.hits[i]
		box := Rect{x - 6*s, y, x + w + 6*s, y + (row-4)*s}
		over := d.press(pn, box, fmt.Sprintf("hit:%d", i), "")
		switch {
		case i == d.search.pick:
			p.box(color.NRGBA{30, 62, 94, 255}, box, 6)
		case over:
			p.box(raised, box, 6)
		}
		p.text(accent, x, y+12*s, clockOf(h.At-t.Start, true), 12, true, w)
		p.right(dim, x+w, y+12*s, h.Kind, 11.5, false)
		p.text(bright, x, y+30*s, h.Text, 13.5, false, w)
		y += row * s
	}
}
