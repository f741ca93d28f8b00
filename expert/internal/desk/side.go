package desk

import (
	"cmp"
	"fmt"
	"image/color"
	"math"

	"sightline/annotate"
	"sightline/annotate/scene"
	"sightline/devices"
	"sightline/expert/internal/call"
	"sightline/vision/geom"
)

// side is the panel with people, machines, marks and what was said. seen are the readings on it.
type side struct {
	*Desk
	pn   *panel
	p    *pad
	s    float64
	x, w float64 // of the content
	y    float64
	seen []devices.Reading
}

func (d *Desk) sidePanel(pn *panel) []devices.Reading {
	r := d.lay.side
	v := &side{Desk: d, pn: pn, p: &pn.pad, s: d.scale, x: r.X0 + 16*d.scale, w: r.W() - 32*d.scale, y: r.Y0 + 6*d.scale}
	v.p.box(hairline, Rect{r.X0, r.Y0, r.X0 + 1, r.Y1}, 0)
	v.people()
	v.cameras()
	v.machines()
	v.markList()
	v.chat()
	return v.seen
}

// room says whether there is that much space left.
func (v *side) room(h float64) bool { return v.y+h*v.s <= v.lay.side.Y1-4*v.s }

func (v *side) heading(words, more string) {
	v.y += 20 * v.s
	v.p.text(dim, v.x, v.y, words, 11.5, true, v.w)
	v.p.right(dim, v.x+v.w, v.y, more, 11.5, false)
	v.y += 12 * v.s
}

func (v *side) people() {
	online := 0
	for _, p := range v.Desk.room.People {
		if p.Online {
			online++
		}
	}
	v.heading("IN THE ROOM", fmt.Sprintf("%d online", online))
	shown := 0
	for _, p := range v.Desk.room.People {
		gone := !p.Online && p.Reason == "left" && p.Role != "field"
		if gone || shown > 5 || !v.room(26) {
			continue
		}
		shown++
		y := v.y + 13*v.s
		c, name, note := green, bright, p.Role
		switch {
		case !p.Online && p.Reason == "left":
			c, name, note = dim, dim, "left"
		case !p.Online:
			c, name, note = red, bright, "lost "+span(v.ago(p.Since))
		case p.Reason == call.Interrupted:
			c, note = amber, "interrupted "+span(v.ago(p.Since))
		case p.ID == v.Desk.room.Self.ID:
			note = "you"
		}
		v.p.disc(c, geom.Vec2{v.x + 5*v.s, y}, 4.5)
		if p.Speaking {
			v.p.ring(c, geom.Vec2{v.x + 5*v.s, y}, 8, 1.8)
			note += " · speaks"
		}
		noteColour := muted
		if p.Speaking {
			noteColour = green
		}
		if c == red {
			noteColour = red
		}
		left := v.p.right(noteColour, v.x+v.w, y, note, 13, false)
		v.p.text(name, v.x+19*v.s, y, cmp.Or(p.Name, p.ID), 15, true, left-v.x-27*v.s)
		v.y += 26 * v.s
	}
	v.y += 4 * v.s
}

func (v *side) machines() {
	machines := v.aged(v.Desk.room.Machines)
	if len(machines) == 0 {
		return
	}
	v.heading("MACHINES", "")
	for i := range machines {
		if !v.room(34 + 29) {
			return
		}
		v.machine(&machines[i])
		v.y += 8 * v.s
	}
}

// rowHeight is a tag's, headHeight a machine's name.
const (
	rowHeight  = 29
	headHeight = 32
)

func (v *side) machine(m *scene.Machine) {
	p, s := v.p, v.s
	rows := m.Tags
	for len(rows) > 1 && !v.room(headHeight+rowHeight*float64(len(rows))+6) {
		rows = rows[:len(rows)-1]
	}
	card := Rect{v.x - 6*s, v.y, v.x + v.w + 6*s, v.y + (headHeight+rowHeight*float64(max(1, len(rows)))+5)*s}
	hover := v.press(v.pn, card, "machine:"+m.Machine.Name, "")
	alarm, stale := 0, 0
	for _, t := range m.Tags {
		if t.Reading.Alarm != "" && t.Reading.Quality != devices.Stale {
			alarm++
		}
		if t.Reading.Quality == devices.Stale {
			stale++
		}
	}
	back, line := color.NRGBA{24, 31, 41, 255}, hairline
	if hover {
		back = raised
	}
	c, word, wordColour := green, "", muted
	switch {
	case alarm > 0:
		c, line, word, wordColour = red, faded(red, 0.8), "ALARM", red
	case len(m.Tags) > 0 && stale == len(m.Tags):
		c, word, wordColour = dim, "silent", dim
	}
	if v.Desk.machine == m.Machine.Name && v.tool == Pin {
		line, word, wordColour = accent, "click the picture to pin", accent
	}
	p.box(back, card, 8)
	p.frame(line, card, 8, 1.2)
	y := v.y + headHeight/2*s
	p.disc(c, geom.Vec2{v.x + 8*s, y}, 4.5)
	left := p.right(wordColour, v.x+v.w-4*s, y, word, 11.5, true)
	p.text(bright, v.x+20*s, y, cmp.Or(m.Machine.Title, m.Machine.Name), 14.5, true, left-v.x-26*s)
	v.y += headHeight * s
	if len(rows) == 0 {
		p.text(dim, v.x+6*s, v.y+rowHeight/2*s, "no readings yet", 13, false, v.w)
		v.y += rowHeight * s
	}
	for i := range rows {
		v.row(m, &rows[i])
		v.seen = append(v.seen, rows[i].Reading)
		v.y += rowHeight * s
	}
	v.y += 5 * s
}

// row draws one tag: name, trend, value and unit.
func (v *side) row(m *scene.Machine, t *scene.Tag) {
	p, s, r := v.p, v.s, t.Reading
	def := m.Machine.Tags[r.Tag]
	name, value, unit, line := muted, bright, muted, trend
	note := ""
	switch {
	case r.Quality == devices.Stale:
		name, value, unit, line = dim, dim, dim, faded(dim, 0.7)
		note = span(float64(v.clock.UnixMicro()-r.Arrived)/1e6) + " old"
	case r.Alarm != "":
		p.box(redBox, Rect{v.x - 2*s, v.y + 1*s, v.x + v.w + 2*s, v.y + (rowHeight-1)*s}, 5)
		name, value, unit, line = bright, bright, bright, bright
	case r.Quality != devices.Good && r.Quality != "":
		value, note = amber, string(r.Quality)
	}
	y := v.y + rowHeight/2*s
	unitAt := v.x + v.w - 40*s
	p.text(unit, unitAt, y+1*s, cmp.Or(r.Unit, def.Unit), 12, false, 42*s)
	left := p.right(value, unitAt-5*s, y, p.clip(scene.Value(r), 16, true, 78*s), 16, true)
	box := Rect{v.x + v.w - 143*s, y - 7*s, v.x + v.w - 105*s, y + 7*s}
	if r.Alarm != "" {
		box.X0 += 14 * s // the name is worth more
	}
	room := left - v.x - 12*s
	if len(t.Trend) > 1 && left > box.X1+4*s && note == "" {
		v.spark(t.Trend, box, line)
		room = box.X0 - v.x - 13*s
	}
	if r.Alarm != "" && note == "" {
		up := map[string]float64{"low": 1}[r.Alarm]*2 - 1 // a triangle that points where the value went
		x := v.x + 6*s
		p.fill(bright, geom.Vec2{x + 4*s, y + 5*up*s}, geom.Vec2{x - 1*s, y - 4*up*s}, geom.Vec2{x + 9*s, y - 4*up*s})
		p.text(name, x+14*s, y, cmp.Or(def.Title, r.Tag), 12.5, false, room-14*s)
		return
	}
	if note != "" {
		w := p.width(note, 10.5, true)
		p.text(name, v.x+6*s+room-w, y+0.5*s, note, 10.5, true, w+2)
		room -= w + 6*s
	}
	p.text(name, v.x+6*s, y, cmp.Or(def.Title, r.Tag), 12.5, false, room)
}

// spark draws a trend; its range is its own.
func (v *side) spark(values []float64, r Rect, c color.NRGBA) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, x := range values {
		lo, hi = min(lo, x), max(hi, x)
	}
	extent := max(hi-lo, 1e-9, 0.01*max(math.Abs(hi), math.Abs(lo)))
	step := max(1, len(values)/30)
	var pts []geom.Vec2
	for i := (len(values) - 1) % step; i < len(values); i += step {
		pts = append(pts, geom.Vec2{r.X0 + r.W()*float64(i)/float64(len(values)-1), (r.Y0+r.Y1)/2 - r.H()*(values[i]-(lo+hi)/2)/extent})
	}
	v.p.line(c, 1.6, pts...)
	v.p.disc(c, pts[len(pts)-1], 2.4)
}

// markList has the marks, the newest first, with their author and what became of them.
func (v *side) markList() {
	if len(v.marks) == 0 || !v.room(64) || len(v.Desk.room.Chat) > 0 && !v.room(64+chatRoom) {
		return
	}
	v.heading("MARKS", fmt.Sprint(len(v.marks)))
	most, kept := 6, 30.0
	if len(v.Desk.room.Chat) > 0 {
		kept += chatRoom
	}
	for i := len(v.marks) - 1; i >= 0 && most > 0 && v.room(kept); i-- {
		v.markRow(v.marks[i])
		most--
	}
	v.y += 4 * v.s
}

func (v *side) markRow(e annotate.Entry) {
	p, s := v.p, v.s
	r := Rect{v.x - 6*s, v.y, v.x + v.w + 6*s, v.y + 26*s}
	if hover := v.press(v.pn, r, "mark:"+e.ID, ""); e.ID == v.selected {
		p.box(color.NRGBA{30, 62, 94, 255}, r, 5)
	} else if hover {
		p.box(raised, r, 5)
	}
	y := (r.Y0 + r.Y1) / 2
	p.disc(scene.Colour(e.Mark.Colour), geom.Vec2{v.x + 5*s, y}, 5)
	name := p.clip(shapeName(e), 13.5, true, 110*s)
	x := p.text(bright, v.x+19*s, y, name, 13.5, true, v.w) + 8*s
	x = p.text(muted, x, y, e.Mark.Author, 12.5, false, 64*s) + 8*s
	words, c := v.stateOf(e)
	words = p.clip(words, 12.5, false, v.x+v.w-x)
	p.right(c, v.x+v.w, y, words, 12.5, false)
	v.y += 27 * s
}

// stateOf says in words what became of a mark.
func (d *Desk) stateOf(e annotate.Entry) (string, color.NRGBA) {
	view, known := d.views[e.ID]
	switch {
	case e.Mark.Camera != d.camera:
		return "on another camera", dim
	case known && view.State == scene.Shown:
		return fmt.Sprintf("±%.0f px", math.Ceil(view.Sigma)), green
	case known && view.State == scene.Outside:
		return "out of view", muted
	case e.Anchor != nil && e.Anchor.State == annotate.Placed:
		return "hidden: " + cmp.Or(view.Reason, "no picture"), amber
	}
	c := amber
	if d.clock.Sub(d.firsts[e.ID].at) < placing {
		c = muted
	}
	return d.waitingFor(e), c
}

// chatRoom is the height that the list of marks leaves to what was said: a heading and a line or two.
const chatRoom = 96

// chat has the last lines that were said, at the foot of the panel.
func (v *side) chat() {
	lines := v.Desk.room.Chat
	if len(lines) == 0 || !v.room(70) {
		return
	}
	hint := "Enter: write"
	if v.cfg.Review != nil {
		hint = ""
	}
	v.heading("SAID", hint)
	type row struct {
		words string
		bold  bool
		c     color.NRGBA
	}
	var rows []row
	for i := len(lines) - 1; i >= 0; i-- {
		wrapped := v.p.faces.Wrap(lines[i].Text, v.p.size(13.5), false, v.w, 3)
		part := []row{{lines[i].From, true, muted}}
		for _, w := range wrapped {
			part = append(part, row{w, false, bright})
		}
		if !v.room(18 * float64(len(rows)+len(part))) {
			break
		}
		rows = append(part, rows...)
	}
	for _, r := range rows {
		size := 13.5
		if r.bold {
			size = 11.5
		}
		v.p.text(r.c, v.x, v.y+9*v.s, r.words, size, r.bold, v.w)
		v.y += 18 * v.s
	}
}
