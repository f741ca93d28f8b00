package desk

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"

	"sightline/annotate"
	"sightline/annotate/scene"
	"sightline/vision/geom"
)

// Handle takes one event. What the mouse draws belongs to the frame that was on screen at the last Render.
func (d *Desk) Handle(e Event) {
	d.clock = d.cfg.Now()
	if d.cfg.Review != nil {
		d.reviewed(e)
		return
	}
	if d.asking() && d.answering(e) {
		return
	}
	switch e.Kind {
	case Moved:
		d.moved(e.At)
	case Pressed:
		d.mouse = e.At
		d.pressed(e.At)
	case Released:
		d.mouse = e.At
		d.released(e.At)
	case Struck:
		d.struck(e.Key, e.Ctrl)
	case Typed:
		d.typed(e)
	}
}

// typed takes a character: a part of the text that is being typed, or else a shortcut.
func (d *Desk) typed(e Event) {
	switch {
	case d.typing == nil && e.Again: // a shortcut counts once
	case d.typing == nil && e.Rune == ' ':
		d.struck(KeySpace, false)
	case d.typing == nil:
		d.struck(Key(string(unicode.ToUpper(e.Rune))), false)
	case unicode.IsPrint(e.Rune) && len(d.typing.text) < 150:
		d.typing.text = append(d.typing.text, e.Rune)
		d.pictureDirty, d.panelsDirty = true, true
	}
}

func (d *Desk) hitAt(p geom.Vec2) (hit, bool) {
	for i := len(d.hits) - 1; i >= 0; i-- {
		if d.hits[i].at.Has(p) {
			return d.hits[i], true
		}
	}
	for i := range d.panels {
		for _, h := range d.panels[i].hits {
			if h.at.Has(p) {
				return h, true
			}
		}
	}
	return hit{}, false
}

func (d *Desk) moved(p geom.Vec2) {
	d.mouse = p
	h, _ := d.hitAt(p)
	if h.id != d.hover {
		d.hover = h.id
		d.panelsDirty, d.pictureDirty = true, true
	}
	v, ok := d.view()
	if !ok {
		return
	}
	size := d.shown().Size()
	px := within(v.ToFrame(p), size.X, size.Y)
	switch {
	case d.pen != nil:
		d.pen.move(px)
		d.pictureDirty = true
	case d.move != nil:
		d.drag(px)
	}
}

func (d *Desk) pressed(p geom.Vec2) {
	if h, ok := d.hitAt(p); ok {
		d.Do(h.id)
		return
	}
	v, ok := d.view()
	if !ok || !v.Contains(p) || d.clearing {
		return
	}
	if d.typing != nil {
		d.commitTyping()
	}
	size := d.shown().Size()
	px := within(v.ToFrame(p), size.X, size.Y)
	d.pictureDirty = true
	switch {
	case d.tool == Select:
		d.grab(p, px)
	case d.tool == Text:
		d.hold()
		d.typing = &typing{at: px}
	default:
		d.hold()
		d.pen = &pen{tool: d.tool, points: []geom.Vec2{px}}
	}
}

func (d *Desk) released(geom.Vec2) {
	switch {
	case d.pen != nil:
		p := d.pen
		d.pen = nil
		size := d.held.Size()
		pts := d.drawn(p, size.X, size.Y)
		if p.tool == Measure && pts[0].Sub(pts[1]).Norm() < 4 {
			d.Toast("Drag from one place to the other: how far it is will stand on the line", scene.Info)
		} else {
			d.fail(d.create(p.tool, pts, ""))
		}
	case d.move != nil:
		m := d.move
		d.move = nil
		if m.begun {
			d.fail(d.cfg.Editor.Move(m.id, m.mark, d.held.Captured))
		}
	default:
		return
	}
	d.unhold()
}

// drawn are the points of the mark in the making; those of a measure hold on to marks that are near.
func (d *Desk) drawn(p *pen, width, height int) []geom.Vec2 {
	pts := p.shape(width, height)
	if p.tool == Measure {
		pts = []geom.Vec2{d.snap(pts[0]), d.snap(pts[1])}
	}
	return pts
}

// create makes a mark on the held frame.
func (d *Desk) create(t Tool, points []geom.Vec2, text string) error {
	f := d.shown()
	if f == nil {
		return fmt.Errorf("there is no picture to draw on")
	}
	m, err := Body(t, f.Size().X, f.Size().Y, points)
	if err != nil {
		return err
	}
	m.Author, m.Colour, m.Camera, m.Text = d.room.Self.Name, d.colour, f.Camera, text
	if t == Pin {
		if m.Machine = d.pinMachine(); m.Machine == "" {
			return fmt.Errorf("no machine to pin: the room has no telemetry")
		}
		d.machine = ""
	}
	return d.publish(m, f.Captured)
}

func (d *Desk) publish(m annotate.Mark, captured int64) error {
	id, err := d.cfg.Editor.Create(m, captured)
	if err == nil && d.cfg.OnMark != nil {
		d.cfg.OnMark(id, m, captured)
	}
	return err
}

// pinMachine is the machine that was chosen, or else the first that has no pin yet, or else the first.
func (d *Desk) pinMachine() string {
	if d.machine != "" {
		return d.machine
	}
	pinned := map[string]bool{}
	for _, e := range d.marks {
		pinned[e.Mark.Machine] = pinned[e.Mark.Machine] || e.Mark.Shape == annotate.Pin
	}
	for _, m := range d.room.Machines {
		if !pinned[m.Machine.Name] {
			return m.Machine.Name
		}
	}
	if len(d.room.Machines) > 0 {
		return d.room.Machines[0].Machine.Name
	}
	return ""
}

func (d *Desk) struck(k Key, ctrl bool) {
	if d.typing != nil {
		d.typeKey(k)
		return
	}
	if len(k) == 1 && k[0] >= '1' && k[0] <= '9' && !ctrl {
		if n := int(k[0] - '1'); n < len(d.room.Cameras) {
			d.show(d.room.Cameras[n].Participant)
		}
		return
	}
	if id, ok := commandOf(k, ctrl); ok {
		d.Do(id)
	}
}

func (d *Desk) typeKey(k Key) {
	t := d.typing
	switch k {
	case KeyEnter:
		d.commitTyping()
	case KeyEscape:
		d.typing = nil
		d.unhold()
	case KeyBackspace:
		if n := len(t.text); n > 0 {
			t.text = t.text[:n-1]
		}
	}
	d.pictureDirty, d.panelsDirty = true, true
}

// commitTyping makes a callout, or a message, of what was typed. Nothing typed is nothing made.
func (d *Desk) commitTyping() {
	t := d.typing
	d.typing = nil
	text := strings.TrimSpace(string(t.text))
	switch {
	case t.why:
		d.pause(true, cmp.Or(text, "no reason given"))
	case text == "":
	case t.chat:
		d.fail(d.Say(text))
	default:
		d.fail(d.create(Text, []geom.Vec2{t.at}, text))
	}
	d.unhold()
}

// Say writes to the room.
func (d *Desk) Say(text string) error {
	if d.cfg.Say == nil {
		return nil
	}
	return d.cfg.Say(text)
}

// cancel gives up what is being drawn or typed.
func (d *Desk) cancel() {
	d.pen, d.move, d.typing, d.clearing = nil, nil, nil, false
	d.unhold()
	d.pictureDirty, d.panelsDirty = true, true
}

// Do carries out a command by its name, as a button or a key does.
func (d *Desk) Do(id string) {
	d.pictureDirty, d.panelsDirty = true, true
	kind, rest, _ := strings.Cut(id, ":")
	switch kind {
	case "tool":
		d.cancel()
		d.tool = Tool(rest)
	case "colour":
		d.pickColour(rest)
	case "camera":
		d.show(rest)
	case "machine":
		d.machine, d.tool = rest, Pin
	case "mark":
		d.selected = rest
	case "undo":
		if did, err := d.cfg.Editor.Undo(); !did && err == nil {
			d.Toast("Nothing to undo", scene.Info)
		} else {
			d.fail(err)
		}
	case "clear":
		d.clear(rest)
	case "delete":
		if d.selected != "" {
			d.fail(d.cfg.Editor.Delete(d.selected))
			d.selected = ""
		}
	case "freeze":
		d.Freeze(!d.frozen)
	case "snapshot":
		d.Snapshot()
	case "panel":
		d.hidden = !d.hidden
		d.relayout()
	case "chat":
		d.cancel()
		d.typing = &typing{chat: true}
	case "privacy":
		d.privacy()
	case "consent":
		d.answer(rest == "yes")
	case "escape":
		d.escape()
	}
}

func (d *Desk) pickColour(which string) {
	for i, c := range Palette {
		if which == c {
			d.colour = c
			return
		}
		if which == "next" && d.colour == c {
			d.colour = Palette[(i+1)%len(Palette)]
			return
		}
	}
}

func (d *Desk) escape() {
	busy := d.pen != nil || d.move != nil || d.clearing
	d.cancel()
	switch {
	case busy:
	case d.selected != "":
		d.selected = ""
	case d.frozen:
		d.Freeze(false)
	}
}

// clear asks first, and then takes this expert's marks away, or everybody's.
func (d *Desk) clear(which string) {
	switch which {
	case "":
		d.cancel()
		d.clearing = len(d.marks) > 0
		if !d.clearing {
			d.Toast("There are no marks", scene.Info)
		}
		return
	case "mine", "all":
		var ids []string
		for _, e := range d.marks {
			if which == "all" || d.mine(e) {
				ids = append(ids, e.ID)
			}
		}
		d.fail(d.cfg.Editor.Delete(ids...))
	}
	d.clearing = false
}

func (d *Desk) mine(e annotate.Entry) bool { return e.From == d.room.Self.ID }

// Freeze stops the picture, or lets it go on.
func (d *Desk) Freeze(on bool) {
	if on && !d.hold() {
		d.Toast("There is no picture to freeze", scene.Info)
		return
	}
	if on && !d.frozen {
		d.heldAt = d.clock
	}
	d.frozen = on
	d.unhold()
	d.panelsDirty = true
}

// Frozen says whether the picture is stopped.
func (d *Desk) Frozen() bool { return d.frozen }

// Camera is the participant whose picture is shown; empty where there is none.
func (d *Desk) Camera() string { return d.camera }

// Draw makes a mark as a script asks for it: points from 0 to 1 of the frame that is on screen, which is
// the newest one where the picture is not frozen. after is how much later it is sent.
func (d *Desk) Draw(t Tool, points []geom.Vec2, colour, text, machine string) (func() error, error) {
	d.Refresh()
	f := d.shown()
	if f == nil {
		return nil, fmt.Errorf("there is no picture to draw on")
	}
	size := f.Size()
	px := make([]geom.Vec2, len(points))
	for i, p := range points {
		px[i] = within(geom.Vec2{p[0]*float64(size.X) - 0.5, p[1]*float64(size.Y) - 0.5}, size.X, size.Y)
	}
	if len(px) == 1 && t.drags() {
		px = (&pen{tool: t, points: px}).shape(size.X, size.Y)
	}
	m, err := Body(t, size.X, size.Y, px)
	if err != nil {
		return nil, err
	}
	if colour == "" {
		colour = d.colour
	}
	m.Author, m.Colour, m.Camera, m.Text, m.Machine = d.room.Self.Name, colour, f.Camera, text, machine
	captured := f.Captured
	return func() error { return d.publish(m, captured) }, nil
}
