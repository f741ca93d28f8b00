package desk

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"math"

	"sightline/annotate/scene"
	"sightline/vision/geom"
)

// panel is a part of the window that is painted only when it looks different.
type panel struct {
	pad   pad
	drawn []scene.Item // as it was painted last; nil where it is to be painted anew
	hits  []hit
}

// paint brings a panel on the canvas and says whether that changed anything.
func (d *Desk) paint(i int, area Rect, build func(*panel)) bool {
	p := &d.panels[i]
	p.pad.reset(d.scale)
	p.hits = p.hits[:0]
	if area.W() < 1 {
		return false
	}
	build(p)
	if p.drawn != nil && same(p.drawn, p.pad.items) {
		return false
	}
	p.drawn = append([]scene.Item{}, p.pad.items...)
	r := image.Rect(int(area.X0), int(area.Y0), int(area.X1), int(area.Y1))
	flood(alias(d.canvas, area), surface)
	d.painter.Draw(d.canvas.SubImage(r).(*image.RGBA), p.pad.items)
	return true
}

// flood fills a picture with one opaque colour.
func flood(dst *image.RGBA, c color.NRGBA) {
	if dst.Rect.Empty() {
		return
	}
	first := dst.Pix[:4*dst.Rect.Dx()]
	for i := 0; i < len(first); i += 4 {
		first[i], first[i+1], first[i+2], first[i+3] = c.R, c.G, c.B, 255
	}
	for y := 1; y < dst.Rect.Dy(); y++ {
		copy(dst.Pix[y*dst.Stride:], first)
	}
}

// press adds a part that can be clicked and returns whether the mouse is on it.
func (d *Desk) press(p *panel, at Rect, id, tip string) bool {
	p.hits = append(p.hits, hit{at, id, tip})
	return d.hover == id
}

func tip(c command) string { return c.name + "   " + c.shortcut() }

// top is the bar with the room, the cameras, and what is done with the picture.
func (d *Desk) top(pn *panel) {
	p, r, s := &pn.pad, d.lay.top, d.scale
	p.box(hairline, Rect{r.X0, r.Y1 - 1, r.X1, r.Y1}, 0)
	y := (r.Y0 + r.Y1) / 2
	iconPoint(p, geom.Vec2{r.X0 + 29*s, y}, accent)
	x := r.X0 + toolsWidth*s
	x = p.text(bright, x, y, cmp.Or(d.room.Name, "…"), 17, true, 200*s) + 18*s
	right := d.topRight(pn, y)
	for i, c := range d.room.Cameras {
		w := min(p.width(c.Name, 14, true)+52*s, 190*s)
		if x+w > right-10*s {
			break
		}
		tab := Rect{x, y - 15*s, x + w, y + 15*s}
		on := c.Participant == d.camera
		back, text, state := raised, muted, green
		if !c.Online {
			state = red
		}
		if on {
			back, text = color.NRGBA{30, 62, 94, 255}, bright
		}
		if d.press(pn, tab, "camera:"+c.Participant, fmt.Sprintf("Camera of %s   %d", c.Name, i+1)) && !on {
			back = hovered
		}
		p.box(back, tab, 6)
		p.disc(state, geom.Vec2{tab.X0 + 14*s, y}, 4)
		p.text(text, tab.X0+26*s, y, c.Name, 14, true, w-46*s)
		p.right(dim, tab.X1-9*s, y, fmt.Sprint(i+1), 11, true)
		x = tab.X1 + 8*s
	}
}

// topRight has recording, snapshot and freeze; it returns where it begins.
func (d *Desk) topRight(pn *panel, y float64) float64 {
	p, s := &pn.pad, d.scale
	words, c, dot, about := d.recordingSign()
	x := p.right(c, d.lay.top.X1-16*s, y, words, 13, true) - 12*s
	p.disc(dot, geom.Vec2{x, y}, 5)
	d.press(pn, Rect{x - 10*s, y - 14*s, d.lay.top.X1 - 8*s, y + 14*s}, "privacy", about)
	x -= 22 * s
	for _, id := range []string{"snapshot", "freeze"} {
		cmd, _ := lookUp(id)
		words, back, text := "Snapshot", raised, bright
		if id == "freeze" {
			words = "Freeze"
			if d.frozen {
				words, back, text, cmd.draw = "Resume", accent, onAccent, iconPlay
			}
		}
		w := p.width(words, 14, true) + 48*s
		r := Rect{x - w, y - 16*s, x, y + 16*s}
		if d.press(pn, r, id, tip(cmd)) && !d.frozen {
			back = hovered
		}
		p.box(back, r, 6)
		cmd.draw(p, geom.Vec2{r.X0 + 20*s, y}, text)
		p.text(text, r.X0+37*s, y, words, 14, true, w)
		x = r.X0 - 8*s
	}
	return x
}

// toolbar has the tools and the colours.
func (d *Desk) toolbar(pn *panel) {
	p, r, s := &pn.pad, d.lay.tools, d.scale
	p.box(hairline, Rect{r.X1 - 1, r.Y0, r.X1, r.Y1}, 0)
	buttons := 0
	for _, g := range toolbarGroups {
		buttons += len(g)
	}
	const gap, swatches = 10, 92
	pitch := min(43*s, (r.H()-(float64(len(toolbarGroups))*gap+swatches+10)*s)/float64(buttons))
	y := r.Y0 + 6*s
	for _, group := range toolbarGroups {
		for _, c := range group {
			d.toolButton(pn, c, Rect{r.X0 + 7*s, y + 1*s, r.X1 - 8*s, y + pitch - 1*s})
			y += pitch
		}
		y += gap / 2 * s
		p.box(hairline, Rect{r.X0 + 12*s, y, r.X1 - 13*s, y + 1}, 0)
		y += gap / 2 * s
	}
	d.swatches(pn, Rect{r.X0, y + 4*s, r.X1, y + swatches*s})
}

func (d *Desk) toolButton(pn *panel, c command, r Rect) {
	p := &pn.pad
	on := c.id == "tool:"+string(d.tool) || c.id == "clear" && d.clearing
	hover := d.press(pn, r, c.id, tip(c))
	text := muted
	switch {
	case on:
		p.box(accent, r, 7)
		text = onAccent
	case hover:
		p.box(hovered, r, 7)
		text = bright
	}
	q := *p
	q.s = p.s * min(1, r.H()/(30*p.s))
	c.draw(&q, r.middle(), text)
	p.items = q.items
}

func (d *Desk) swatches(pn *panel, r Rect) {
	p, s := &pn.pad, d.scale
	for i, c := range Palette {
		at := geom.Vec2{r.X0 + (18.5+20*float64(i%2))*s, r.Y0 + (14+26*float64(i/2))*s}
		hit := Rect{at[0] - 10*s, at[1] - 13*s, at[0] + 10*s, at[1] + 13*s}
		over := d.press(pn, hit, "colour:"+c, "Colour   N: next")
		p.disc(scene.Colour(c), at, 7)
		if c == d.colour {
			p.ring(bright, at, 10, 2)
		} else if over {
			p.ring(dim, at, 10, 1.5)
		}
	}
}

// foot is the strip of figures.
func (d *Desk) foot(pn *panel) {
	p, r, s := &pn.pad, d.lay.foot, d.scale
	p.box(hairline, Rect{r.X0, r.Y0, r.X1, r.Y0 + 1}, 0)
	y := math.Round((r.Y0 + r.Y1) / 2)
	x := r.X0 + 16*s
	words, c := d.linkWords()
	x = d.figure(p, x, y, c, "", words)
	x = d.figure(p, x, y, color.NRGBA{}, "Delay", d.delayWords())
	rtt := "–"
	if v := d.cfg.Vitals().RTT; v > 0 && d.room.Link.Connected {
		rtt = fmt.Sprintf("%.0f ms", math.Ceil(v.Seconds()*1000))
	}
	x = d.figure(p, x, y, color.NRGBA{}, "Round trip", rtt)
	picture := "–"
	if f := d.shown(); f != nil {
		picture = fmt.Sprintf("%.0f fps  %d×%d", d.meter.rate(d.clock), f.Size().X, f.Size().Y)
	}
	x = d.figure(p, x, y, color.NRGBA{}, "Picture", picture)
	if n := d.cfg.Vitals().Pending; n > 0 {
		x = d.figure(p, x, y, amber, "", fmt.Sprintf("%d unsent", n))
	}
	words, c = d.tracking()
	p.disc(c, geom.Vec2{x + 4*s, y}, 4.2)
	p.text(bright, x+14*s, y, words, 13, true, r.X1-x-28*s)
}

// figure draws a label with its value, and a dot where c is a colour; it returns where the next begins.
func (d *Desk) figure(p *pad, x, y float64, c color.NRGBA, label, value string) float64 {
	s := d.scale
	if c.A > 0 {
		p.disc(c, geom.Vec2{x + 4*s, y}, 4.2)
		x += 14 * s
	}
	if label != "" {
		x = p.text(dim, x, y, label, 13, false, d.lay.foot.X1-x) + 7*s
	}
	x = p.text(bright, x, y, value, 13, true, d.lay.foot.X1-x-12*s)
	p.box(hairline, Rect{x + 14*s, d.lay.foot.Y0 + 8*s, x + 14*s + 1, d.lay.foot.Y1 - 8*s}, 0)
	return x + 29*s
}

func (d *Desk) linkWords() (string, color.NRGBA) {
	l := d.room.Link
	switch {
	case l.Connected:
		return "Connected", green
	case l.Closed:
		return "Disconnected", red
	case l.Ever:
		return "Reconnecting", amber
	}
	return "Connecting", amber
}

func (d *Desk) delayWords() string {
	delay, agree := d.meter.delay()
	switch {
	case d.shown() == nil || len(d.meter.delays) == 0 || d.lostField() != nil || !d.room.Link.Connected:
		return "–"
	case !agree:
		return "clock differs"
	}
	return fmt.Sprintf("%d ms", delay.Milliseconds())
}
