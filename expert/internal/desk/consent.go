package desk

import (
	"fmt"
	"image/color"
	"unicode"

	"sightline/annotate/scene"
	"sightline/vision/geom"
)

// asking says whether the expert has to say whether he may be recorded.
func (d *Desk) asking() bool { return d.room.Asked != "" && d.room.Asked != d.answered }

// answering takes an event while the question stands: nothing else can be done before it is answered. It
// returns false for what may pass: the mouse that moves.
func (d *Desk) answering(e Event) bool {
	switch {
	case e.Kind == Moved:
		return false
	case e.Kind == Typed && unicode.ToUpper(e.Rune) == 'Y':
		d.answer(true)
	case e.Kind == Typed && unicode.ToUpper(e.Rune) == 'N':
		d.answer(false)
	case e.Kind == Pressed:
		if h, ok := d.hitAt(e.At); ok && (h.id == "consent:yes" || h.id == "consent:no") {
			d.Do(h.id)
		}
	}
	return true
}

// answer says whether what comes from this expert may be recorded.
func (d *Desk) answer(given bool) {
	d.answered = d.room.Asked
	d.pictureDirty, d.panelsDirty = true, true
	if d.cfg.Recorder == nil {
		return
	}
	d.fail(d.cfg.Recorder.Consent(given))
	if !given {
		d.Toast("You are not recorded; you can take part all the same", scene.Info)
	}
}

// consent is the question, over everything.
func (d *Desk) consent() {
	p, r, s := &d.overlay, d.lay.picture, d.scale
	p.box(color.NRGBA{6, 8, 12, 190}, r, 0)
	w, h := min(520*s, r.W()-24*s), 214*s
	m := r.middle()
	box := Rect{m[0] - w/2, m[1] - h/2, m[0] + w/2, m[1] + h/2}
	p.box(surface, box, 12)
	p.frame(color.NRGBA{255, 77, 77, 150}, box, 12, 1.6)
	p.disc(red, geom.Vec2{box.X0 + 32*s, box.Y0 + 36*s}, 7)
	p.text(bright, box.X0+50*s, box.Y0+36*s, "May you be recorded?", 19, true, w)
	y := box.Y0 + 72*s
	for _, line := range p.faces.Wrap(d.room.Asked, p.size(14.5), false, w-50*s, 4) {
		p.text(muted, box.X0+26*s, y, line, 14.5, false, w)
		y += 22 * s
	}
	x := d.button(box.X0+26*s, box.Y1-54*s, "Yes, record me   Y", "consent:yes", accent, onAccent)
	d.button(x, box.Y1-54*s, "No   N", "consent:no", raised, bright)
}

// privacy pauses the recording after a reason was given, or lets it go on.
func (d *Desk) privacy() {
	switch {
	case d.room.Recorded.Paused:
		d.pause(false, "")
	case d.room.Recorded.On:
		d.cancel()
		d.typing = &typing{chat: true, why: true}
	default:
		d.Toast("This room is not recorded", scene.Info)
	}
}

func (d *Desk) pause(on bool, why string) {
	if d.cfg.Recorder != nil {
		d.fail(d.cfg.Recorder.Pause(on, why))
	}
}

// pausedWords says who paused the recording, and why.
func (d *Desk) pausedWords() string {
	who := d.room.Recorded.Who
	if p, ok := d.room.Person(who); ok && p.Name != "" {
		who = p.Name
	}
	return fmt.Sprintf("Recording paused by %s: %s", who, d.room.Recorded.Why)
}

// recordingSign says whether what happens is recorded, and what a click on that does.
func (d *Desk) recordingSign() (words string, c, dot color.NRGBA, about string) {
	r := d.room.Recorded
	switch {
	case !d.room.Link.Connected:
		return "REC –", dim, dim, "Not known without the relay"
	case r.Paused:
		return "PAUSED", amber, amber, "Record again   Ctrl+P"
	case !r.On:
		return "NOT RECORDED", muted, dim, "This room is not recorded"
	case d.room.Fault != "":
		return "NOT ALL RECORDED", amber, amber, d.room.Fault
	}
	return "REC", bright, red, "Pause the recording   Ctrl+P"
}
