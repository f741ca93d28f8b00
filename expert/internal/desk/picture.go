package desk

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"slices"
	"time"

	"sightline/annotate"
	"sightline/annotate/scene"
	"sightline/devices"
	"sightline/expert/internal/call"
	"sightline/vision"
	"sightline/vision/geom"
)

// placing is how long a mark may be shown at the pixels it was drawn at while the field places it.
const placing = 2 * time.Second

// symbols is the size of marks' symbols and labels: smaller than on a headset, for a desk's screen is
// looked at from near.
const symbols = 0.9

// remembered is how long after its capture the field can still place marks on a frame.
const remembered = 30 * time.Second

// ghostly says whether a mark is to be shown where it was drawn, because the world does not have it (yet):
// on the very frame it was drawn on, and for a moment on those after.
func (d *Desk) ghostly(e annotate.Entry) bool {
	f := d.shown()
	v := d.views[e.ID]
	if f == nil || e.Mark.Camera != f.Camera || v.State == scene.Shown {
		return false
	}
	if e.Captured == f.Captured {
		return true
	}
	pending := e.Anchor == nil || e.Anchor.State == annotate.Waiting
	return pending && d.clock.Sub(d.firsts[e.ID].at) < placing
}

// input is the scene of a frame in a viewport; drafts belong to a frame that is drawn on.
func (d *Desk) input(f *call.Frame, w, h, scale float64) scene.Input {
	in := scene.Input{Width: w, Height: h, Frame: f.Size(), Now: d.clock.UnixMicro(), Scale: scale}
	if d.hasPose {
		in.Camera, in.Estimate = d.pose.Camera, d.pose.Estimate(f.Captured)
	}
	for _, e := range d.marks {
		if e.Mark.Camera == f.Camera && !(d.move != nil && d.move.begun && d.move.id == e.ID) {
			in.Marks = append(in.Marks, e)
		}
	}
	in.Machines = d.machines(in.Marks)
	return in
}

// machines returns those that are pinned; the side panel has them all, and where it is hidden they all
// may raise their alarms on the picture.
func (d *Desk) machines(marks []annotate.Entry) []scene.Machine {
	if d.hidden {
		return d.aged(d.room.Machines)
	}
	var out []scene.Machine
	for _, m := range d.room.Machines {
		if slices.ContainsFunc(marks, func(e annotate.Entry) bool {
			return e.Mark.Shape == annotate.Pin && e.Mark.Machine == m.Machine.Name
		}) {
			out = append(out, m)
		}
	}
	return d.aged(out)
}

// silentAfter is when a machine's values are stale where its birth does not say, in seconds.
const silentAfter = 5

// aged marks readings stale that nothing was heard of for too long, also where the relay is away and
// cannot say so.
func (d *Desk) aged(machines []scene.Machine) []scene.Machine {
	out := make([]scene.Machine, len(machines))
	for i, m := range machines {
		limit := int64((cmp.Or(m.Machine.SilentAfter, silentAfter) + 1.5) * 1e6)
		m.Tags = slices.Clone(m.Tags)
		for j := range m.Tags {
			if r := &m.Tags[j].Reading; d.clock.UnixMicro()-r.Arrived > limit {
				r.Quality = devices.Stale
			}
		}
		out[i] = m
	}
	return out
}

// drafts are the marks in the making.
func (d *Desk) drafts(f *call.Frame) []annotate.Mark {
	size := f.Size()
	m := annotate.Mark{Colour: d.colour, Width: size.X, Height: size.Y}
	switch {
	case d.pen != nil:
		draft, err := Body(d.pen.tool, size.X, size.Y, d.drawn(d.pen, size.X, size.Y))
		if err != nil {
			return nil
		}
		draft.Colour = d.colour
		return []annotate.Mark{draft}
	case d.move != nil && d.move.begun:
		return []annotate.Mark{d.move.mark}
	case d.typing != nil && !d.typing.chat:
		m.Shape, m.Points, m.Author = annotate.Text, []geom.Vec2{d.typing.at}, "Enter: done · Esc: cancel"
		m.Text = string(d.typing.text) + "|"
		return []annotate.Mark{m}
	}
	return nil
}

// alias is a part of the canvas as a picture of its own whose corner is 0, 0.
func alias(dst *image.RGBA, r Rect) *image.RGBA {
	x, y, w, h := int(r.X0), int(r.Y0), int(r.W()), int(r.H())
	if w < 1 || h < 1 {
		return image.NewRGBA(image.Rectangle{})
	}
	return &image.RGBA{Pix: dst.Pix[dst.PixOffset(x, y):], Stride: dst.Stride, Rect: image.Rect(0, 0, w, h)}
}

// paintPicture draws the middle of the window.
func (d *Desk) paintPicture() {
	area := alias(d.canvas, d.lay.picture)
	d.overlay.reset(d.scale)
	d.hits = d.hits[:0]
	f := d.shown()
	if f == nil {
		flood(area, ground)
		d.views = map[string]scene.MarkView{}
	} else {
		d.paintFrame(area, f)
	}
	d.overPicture(f)
	d.painter.Draw(d.canvas.SubImage(image.Rect(0, 0, d.canvas.Rect.Dx(), d.canvas.Rect.Dy())).(*image.RGBA), d.overlay.items)
}

// paintFrame draws a frame with its marks.
func (d *Desk) paintFrame(area *image.RGBA, f *call.Frame) {
	in := d.input(f, d.lay.picture.W(), d.lay.picture.H(), symbols*d.scale)
	in.Drafts = d.drafts(f)
	in.Notices = d.notices()
	if d.cfg.Pointers != nil && d.held == nil {
		in.Pointers = d.cfg.Pointers(f.Camera)
	}
	r := d.builder.Build(in)
	clear(d.views)
	for _, m := range r.Marks {
		d.views[m.ID] = m
	}
	d.paintBase(area, f, r.View)
	if d.lostField() != nil {
		d.painter.Draw(area, []scene.Item{{Kind: scene.Fill, Points: rounded(Rect{0, 0, in.Width, in.Height}, 0), Colour: color.NRGBA{6, 8, 12, 150}}})
	}
	d.painter.Draw(area, d.ghostItems(f, in))
	d.painter.Draw(area, r.Items)
	d.selection()
}

// paintBase draws the bare picture. It is kept, for marks are often drawn anew on the same frame: when its
// own pose comes, and under the pen.
func (d *Desk) paintBase(area *image.RGBA, f *call.Frame, v scene.View) {
	if d.base == nil || d.base.Rect != area.Rect {
		d.base, d.baseOf = image.NewRGBA(area.Rect), 0
	}
	if d.baseOf != f.Captured || d.baseCamera != f.Camera {
		d.painter.Picture(d.base, f.Picture, v)
		d.baseOf, d.baseCamera = f.Captured, f.Camera
	}
	for y := range area.Rect.Dy() {
		copy(area.Pix[y*area.Stride:][:4*area.Rect.Dx()], d.base.Pix[y*d.base.Stride:])
	}
}

// ghostItems are the marks that have no place in the world yet, paler and with what they wait for.
func (d *Desk) ghostItems(f *call.Frame, in scene.Input) []scene.Item {
	in.Drafts = nil
	var notes []string
	for _, e := range in.Marks {
		if d.ghostly(e) {
			in.Drafts = append(in.Drafts, e.Mark)
			notes = append(notes, d.waitingFor(e))
		}
	}
	if len(in.Drafts) == 0 {
		return nil
	}
	drafts := in.Drafts
	in.Marks, in.Machines, in.Notices = nil, nil, nil
	r := d.ghosts.Build(in)
	for i := range r.Items {
		r.Items[i].Colour = faded(r.Items[i].Colour, 0.55)
	}
	v, _ := d.view()
	for i, m := range drafts {
		p := m.Points[0]
		at := v.ToViewport(geom.Vec2{(p[0]+0.5)*float64(f.Size().X)/float64(m.Width) - 0.5, (p[1]+0.5)*float64(f.Size().Y)/float64(m.Height) - 0.5})
		d.pill(at[0]+10*d.scale, at[1]+20*d.scale, notes[i], bright, glass, 12)
	}
	return r.Items
}

// waitingFor says why a mark is not in the world.
func (d *Desk) waitingFor(e annotate.Entry) string {
	switch {
	case e.Anchor != nil && e.Anchor.State == annotate.Refused:
		return "cannot be placed: " + cmp.Or(e.Anchor.Reason, "no reason given")
	case d.clock.Sub(d.firsts[e.ID].at) < placing:
		return "placing …"
	case e.Anchor != nil && e.Anchor.State == annotate.Waiting:
		return "waiting: " + cmp.Or(e.Anchor.Reason, "for the surface")
	case e.Anchor == nil && !d.room.Link.Connected:
		return "waits for the connection"
	case e.Anchor == nil:
		return "not placed: no answer from the field"
	}
	return cmp.Or(d.views[e.ID].Reason, "not in view")
}

// notices are the toasts; of a recorded session also what was being said.
func (d *Desk) notices() []scene.Notice {
	var out []scene.Notice
	if d.cfg.Review != nil {
		out = d.said()
	}
	for _, t := range d.toasts {
		out = append(out, scene.Notice{Text: t.text, Level: t.level})
	}
	return out
}

// selection marks the selected mark on the picture.
func (d *Desk) selection() {
	e, ok := d.mark(d.selected)
	if !ok || d.move != nil && d.move.begun {
		return
	}
	pts, ok := d.onFrame(e)
	if !ok {
		return
	}
	v, _ := d.view()
	box := Rect{1e9, 1e9, -1e9, -1e9}
	for _, q := range pts {
		p := v.ToViewport(q)
		box = Rect{min(box.X0, p[0]), min(box.Y0, p[1]), max(box.X1, p[0]), max(box.Y1, p[1])}
	}
	if e.Mark.Shape == annotate.Circle && len(pts) == 2 {
		c, r := v.ToViewport(pts[0]), pts[1].Sub(pts[0]).Norm()*v.Scale
		box = Rect{c[0] - r, c[1] - r, c[0] + r, c[1] + r}
	}
	box = box.inset(-14 * d.scale)
	d.overlay.frame(color.NRGBA{0, 0, 0, 150}, box.inset(-1), 8, 4)
	d.overlay.frame(bright, box, 8, 1.6)
	d.pill(box.X0, box.Y1+14*d.scale, shapeName(e)+" by "+cmp.Or(e.Mark.Author, "somebody")+" · drag to move · Del to delete", bright, glass, 12)
}

// lostField is the publisher of the picture when it is not in the room any more.
func (d *Desk) lostField() *call.Camera {
	for i, c := range d.room.Cameras {
		if c.Participant == d.camera && !c.Online {
			return &d.room.Cameras[i]
		}
	}
	return nil
}

// tracking says in words how well the shown frame is tracked, and how good that is.
func (d *Desk) tracking() (words string, c color.NRGBA) {
	if d.shown() == nil {
		return "No picture", dim
	}
	switch {
	case !d.room.Link.Connected || d.lostField() != nil:
		return "Tracking not known", dim
	case !d.hasPose:
		return "No tracking data", dim
	}
	e := d.pose.PoseMessage
	because := ""
	if e.Reason != "" {
		because = ": " + e.Reason
	}
	switch e.State {
	case vision.Tracking:
		quality, c := "excellent", green
		switch {
		case e.Sigma > 4:
			quality, c = "poor", red
		case e.Sigma > 2:
			quality, c = "fair", amber
		case e.Sigma > 1:
			quality = "good"
		}
		if e.Reason != "" {
			c = amber
		}
		return fmt.Sprintf("Tracking %s, ±%.1f px%s", quality, e.Sigma, because), c
	case vision.Lost:
		return "Tracking lost" + because, red
	}
	return "Tracking starts" + because, amber
}

// shapeName is what a mark is called; a measure is called by its length.
func shapeName(e annotate.Entry) string {
	switch m := e.Mark; m.Shape {
	case annotate.Gesture:
		return map[annotate.Action]string{annotate.Point: "Here", annotate.Press: "Press", annotate.TurnLeft: "Turn left",
			annotate.TurnRight: "Turn right", annotate.Pull: "Pull", annotate.Stop: "Stop"}[m.Action]
	case annotate.Stroke:
		return "Freehand"
	case annotate.Arrow:
		return "Arrow"
	case annotate.Circle:
		return "Circle"
	case annotate.Text:
		return "“" + m.Text + "”"
	case annotate.Pin:
		return "Readings"
	case annotate.Measure:
		if e.Anchor != nil && e.Anchor.Metric {
			return scene.Length(e)
		}
		return "Measure"
	}
	return string(e.Mark.Shape)
}
