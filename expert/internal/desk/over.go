package desk

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"time"

	"sightline/annotate/scene"
	"sightline/expert/internal/call"
	"sightline/vision/geom"
)

// pill draws words on dark glass, pushed into the picture's part of the window; y is its middle.
func (d *Desk) pill(x, y float64, words string, c, back color.NRGBA, size float64) Rect {
	p := &d.overlay
	h := size * 1.9 * d.scale
	room := d.lay.picture
	words = p.clip(words, size, true, room.W()-h-16*d.scale)
	w := p.width(words, size, true) + 0.9*h
	x = max(room.X0+6*d.scale, min(room.X1-w-6*d.scale, x))
	y = max(room.Y0+h/2+4*d.scale, min(room.Y1-h/2-4*d.scale, y))
	r := Rect{x, y - h/2, x + w, y + h/2}
	p.box(back, r, h/2)
	p.text(c, x+0.45*h, y, words, size, true, w)
	return r
}

// overPicture draws what lies over the picture: banners, the live inset, the question, the tooltip.
func (d *Desk) overPicture(f *call.Frame) {
	switch {
	case f == nil:
		d.noPicture()
	case d.lostField() != nil:
		d.lostBanner(*d.lostField())
	}
	d.frozenSigns()
	d.linkBanner()
	if d.cfg.Review != nil {
		d.overPast()
	}
	if d.clearing {
		d.question()
	}
	if d.asking() {
		d.consent()
	}
	if d.typing != nil && d.typing.chat {
		d.chatLine()
	}
	d.tooltip()
}

// noPicture says what is waited for.
func (d *Desk) noPicture() {
	p, m := &d.overlay, d.lay.picture.middle()
	title, words := "Waiting for a camera", "Nobody in this room sends video yet."
	switch {
	case !d.room.Link.Connected && !d.room.Link.Ever:
		title, words = "Connecting", cmp.Or(d.room.Link.Reason, "Reaching the relay.")
	case d.camera != "":
		title, words = "Waiting for the first picture", "The camera is there; its picture is on the way."
	}
	p.ring(dim, geom.Vec2{m[0], m[1] - 52*d.scale}, 20, 2.4)
	p.disc(dim, geom.Vec2{m[0], m[1] - 52*d.scale}, 7)
	r := d.lay.picture
	p.centred(bright, Rect{r.X0, m[1] - 18*d.scale, r.X1, m[1] + 14*d.scale}, title, 22, true)
	p.centred(muted, Rect{r.X0 + 20, m[1] + 16*d.scale, r.X1 - 20, m[1] + 40*d.scale}, words, 14, false)
	y := r.Y1 - 24*d.scale
	for i := len(d.toasts) - 1; i >= 0; i-- {
		d.pill(m[0]-p.width(d.toasts[i].text, 14, true)/2, y, d.toasts[i].text, bright, glass, 14)
		y -= 32 * d.scale
	}
}

// lostBanner says big that the field is gone.
func (d *Desk) lostBanner(c call.Camera) {
	p, r := &d.overlay, d.lay.picture
	m, s := r.middle(), d.scale
	back, title := redBar, "FIELD LOST"
	words := fmt.Sprintf("The connection to %s broke %s ago. This is the last picture.", c.Name, span(d.ago(c.Since)))
	if c.Reason == "left" {
		back, title = color.NRGBA{30, 38, 49, 255}, "FIELD HAS LEFT"
		words = fmt.Sprintf("%s left %s ago. This is the last picture.", c.Name, span(d.ago(c.Since)))
	}
	box := Rect{r.X0, m[1] - 52*s, r.X1, m[1] + 52*s}
	p.box(back, box, 0)
	p.centred(bright, Rect{r.X0, m[1] - 40*s, r.X1, m[1] + 6*s}, title, 34, true)
	p.centred(bright, Rect{r.X0, m[1] + 10*s, r.X1, m[1] + 40*s}, words, 16, false)
}

// linkBanner says that the relay is away, and that drawing goes on; or that the link is too narrow.
func (d *Desk) linkBanner() {
	l := d.room.Link
	if l.Connected && d.room.Recorded.Paused {
		d.warn(d.pausedWords() + "   ·   Ctrl+P: record again")
		return
	}
	if l.Connected || !l.Ever {
		for _, c := range d.room.Cameras {
			switch {
			case !l.Connected || c.Participant != d.camera || !c.Online:
			case c.Reason == call.Interrupted:
				d.warn(fmt.Sprintf("The connection of %s is interrupted for %s. It comes back by itself.", c.Name, span(d.ago(c.Since))))
			case c.Thin != "":
				d.warn(c.Thin)
			}
		}
		return
	}
	words := fmt.Sprintf("Reconnecting for %s. Go on drawing: it is sent when the connection is back.", span(d.ago(l.Since)))
	if n := d.cfg.Vitals().Pending; n > 0 {
		words = fmt.Sprintf("Reconnecting for %s. Go on drawing: %d changes wait to be sent.", span(d.ago(l.Since)), n)
	}
	if l.Closed {
		words = "Disconnected: " + cmp.Or(l.Reason, "the call was closed")
	}
	d.warn(words)
}

// warn writes words across the top of the picture.
func (d *Desk) warn(words string) {
	p, r, s := &d.overlay, d.lay.picture, d.scale
	box := Rect{r.X0, r.Y0, r.X1, r.Y0 + 34*s}
	p.box(color.NRGBA{122, 82, 6, 246}, box, 0)
	p.centred(bright, box, words, 14, true)
}

// insetAfter is how long a frame is held before the live picture is shown beside it.
const insetAfter = 300 * time.Millisecond

// frozenSigns says that the picture stands, and shows the live one small beside it.
func (d *Desk) frozenSigns() {
	if d.held == nil {
		return
	}
	s, r := d.scale, d.lay.picture
	old := d.ago(d.heldAt)
	if d.frozen {
		words := fmt.Sprintf("FROZEN %s ago · Space goes on", span(old))
		c, back := onAccent, accent
		if old > remembered.Seconds() {
			words, c, back = fmt.Sprintf("FROZEN %s ago: too old for the field to place marks; they stay on this picture and its snapshot", span(old)), onAccent, amber
		}
		d.pill(r.X0+12*s, r.Y0+24*s, words, c, back, 13)
		d.overlay.frame(back, r, 0, 3)
	}
	if d.insetShown() {
		d.inset()
	}
}

// insetShown says whether the live picture is in the corner.
func (d *Desk) insetShown() bool {
	return d.held != nil && d.live != nil && (d.frozen || d.clock.Sub(d.heldAt) >= insetAfter)
}

// inset draws the live picture into a corner.
func (d *Desk) inset() {
	s, r := d.scale, d.lay.picture
	size := d.live.Size()
	w := max(80, r.W()*0.26)
	h := w * float64(size.Y) / float64(size.X)
	box := Rect{float64(int(r.X1 - w - 12*s)), float64(int(r.Y0 + 12*s)), float64(int(r.X1 - 12*s)), float64(int(r.Y0 + 12*s + h))}
	if box.H() > r.H()-24*s {
		return
	}
	d.flush() // the picture goes over what was drawn so far
	part := alias(d.canvas, box)
	d.small.Picture(part, d.live.Picture, scene.Fit(size.X, size.Y, box.W(), box.H()))
	d.overlay.frame(color.NRGBA{0, 0, 0, 200}, box.inset(-2), 2, 2)
	d.overlay.frame(bright, box.inset(-1), 2, 1.4)
	tag := Rect{box.X0 + 6*s, box.Y0 + 6*s, box.X0 + 50*s, box.Y0 + 24*s}
	d.overlay.box(glass, tag, 9)
	d.overlay.disc(red, geom.Vec2{tag.X0 + 10*s, (tag.Y0 + tag.Y1) / 2}, 3.4)
	d.overlay.text(bright, tag.X0+18*s, (tag.Y0+tag.Y1)/2, "LIVE", 10.5, true, 40*s)
}

// flush draws what the overlay has collected.
func (d *Desk) flush() {
	d.painter.Draw(d.canvas.SubImage(image.Rect(int(d.lay.picture.X0), int(d.lay.picture.Y0), int(d.lay.picture.X1), int(d.lay.picture.Y1))).(*image.RGBA), d.overlay.items)
	d.overlay.items = d.overlay.items[:0]
}

// question guards the clearing of marks.
func (d *Desk) question() {
	p, r, s := &d.overlay, d.lay.picture, d.scale
	mine := 0
	for _, e := range d.marks {
		if d.mine(e) {
			mine++
		}
	}
	w, h := 420*s, 128*s
	box := Rect{r.X0 + 14*s, r.Y1 - h - 58*s, r.X0 + 14*s + w, r.Y1 - 58*s}
	p.box(color.NRGBA{0, 0, 0, 120}, box.inset(-3), 13)
	p.box(surface, box, 10)
	p.frame(hairline, box, 10, 1)
	p.text(bright, box.X0+18*s, box.Y0+26*s, "Clear marks for everybody?", 17, true, w)
	p.text(muted, box.X0+18*s, box.Y0+50*s, "Ctrl+Z brings them back.", 13, false, w)
	y := box.Y1 - 50*s
	x := box.X0 + 18*s
	x = d.button(x, y, fmt.Sprintf("Mine (%d)", mine), "clear:mine", raised, bright)
	x = d.button(x, y, fmt.Sprintf("All (%d)", len(d.marks)), "clear:all", redBox, bright)
	d.button(x, y, "Cancel", "escape", raised, muted)
}

// button draws a button on the picture and returns where the next one begins.
func (d *Desk) button(x, y float64, words, id string, back, c color.NRGBA) float64 {
	p, s := &d.overlay, d.scale
	r := Rect{x, y, x + p.width(words, 14, true) + 32*s, y + 34*s}
	if d.hover == id {
		back = hovered
	}
	p.box(back, r, 6)
	p.centred(c, r, words, 14, true)
	d.hits = append(d.hits, hit{at: r, id: id})
	return r.X1 + 10*s
}

// chatLine is where a message to the room is typed.
func (d *Desk) chatLine() {
	p, r, s := &d.overlay, d.lay.picture, d.scale
	box := Rect{r.X0 + 14*s, r.Y1 - 56*s, r.X1 - 14*s, r.Y1 - 14*s}
	p.box(surface, box, 8)
	p.frame(accent, box, 8, 1.6)
	y := (box.Y0 + box.Y1) / 2
	typed := d.typing.text
	if len(typed) == 0 {
		words := "Write to everybody in the room · Enter sends · Esc cancels"
		if d.typing.why {
			words = "Why is the recording to pause? Everybody sees it · Enter pauses · Esc cancels"
		}
		p.text(dim, box.X0+16*s, y, words, 15, false, box.W())
	}
	for p.width(string(typed), 15, false) > box.W()-40*s {
		typed = typed[1:]
	}
	x := p.text(bright, box.X0+14*s, y, string(typed), 15, false, box.W())
	p.box(accent, Rect{x + 1*s, y - 9*s, x + 2.6*s, y + 9*s}, 0)
}

// tooltip names the button under the mouse and its key.
func (d *Desk) tooltip() {
	h, ok := d.hitAt(d.mouse)
	if !ok || h.tip == "" || h.id != d.hover {
		return
	}
	s := d.scale
	x, y := h.at.X1+10*s, (h.at.Y0+h.at.Y1)/2
	if h.at.Y0 < d.lay.top.Y1 {
		x, y = h.at.X0, d.lay.top.Y1+22*s
	}
	d.pill(x, y, h.tip, bright, color.NRGBA{34, 44, 57, 252}, 13)
}

// span is a number of seconds as people say it.
func span(seconds float64) string { return scene.Age(int64(seconds * 1e6)) }
