// Package report makes the written report of a case: who was there, which machine, what was done step by step
// with stills, readings before and after, alarms, what is open, and how the case is sealed. It is a PDF.
package report

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"io"
	"slices"
	"strings"
	"time"

	"sightline/annotate"
	"sightline/annotate/typeset"
	"sightline/expert/internal/tape"
)

// Seal is what is known of the case's seal.
type Seal struct {
	Proven bool
	// Words is the verdict in a sentence, Details what was looked at, line by line.
	Words   string
	Details []string
}

// Config is what a report needs.
type Config struct {
	Tape   *tape.Tape
	Camera *tape.Camera // the technician's; nil where nobody sent a picture
	Faces  *typeset.Faces
	Seal   Seal
	Now    func() time.Time
	// Blurred says in a sentence that faces were made unrecognisable, and Hide does so in a camera's picture of an
	// instant; empty and nil where that was not asked for.
	Blurred string
	Hide    func(c *tape.Camera, session int64, p *image.YCbCr)
}

// Write writes the report. It ends early with ctx.
func Write(ctx context.Context, to io.Writer, cfg Config) error {
	d, err := newDoc(ctx, cfg)
	if err != nil {
		return err
	}
	d.head()
	d.people()
	d.steps()
	d.readings()
	d.alarms()
	d.missing()
	d.filled()
	d.open()
	if err := d.seal(); err != nil {
		return err
	}
	return d.pdf.Output(to)
}

// day and hour are how times are written.
const (
	day  = "2 January 2006, 15:04:05 UTC"
	hour = "15:04:05"
)

func (d *doc) at(session int64) time.Time {
	return time.UnixMicro(d.cfg.Tape.UTC(session)).UTC()
}

// clock is a time since the beginning, as the film shows it.
func (d *doc) clock(session int64) string {
	s := max(0, session-d.cfg.Tape.Start) / 1_000_000
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

func (d *doc) span(us int64) string {
	return (time.Duration(us) * time.Microsecond).Round(time.Second).String()
}

// head has the title, the verdict and the facts.
func (d *doc) head() {
	t := d.cfg.Tape
	d.line(22, true, ink, "Session report")
	d.y += 1
	d.line(12, false, grey, fmt.Sprintf("Room %s · %s", t.About.Room, d.at(t.Start).Format(day)))
	d.y += 3
	d.verdict()
	d.y += 4
	var machines []string
	for _, m := range t.Machines(t.End) {
		machines = append(machines, cmp.Or(m.Machine.Title, m.Machine.Name)+" ("+m.Machine.Name+")")
	}
	d.fact("When", fmt.Sprintf("%s to %s, %s", d.at(t.Start).Format(day), d.at(t.End).Format(hour), d.span(t.End-t.Start)))
	d.fact("Machines", cmp.Or(strings.Join(machines, ", "), "none was watched"))
	var tracks []string
	for _, f := range t.Manifest.Tracks {
		words := fmt.Sprintf("%s of %s", f.TrackName, f.Name)
		if f.Width > 0 {
			words += fmt.Sprintf(", %d×%d", f.Width, f.Height)
		}
		tracks = append(tracks, words)
	}
	d.fact("Recorded", cmp.Or(strings.Join(tracks, "; "), "the room log alone"))
	d.fact("Case", t.About.ID)
	if d.cfg.Blurred != "" {
		d.fact("Faces", d.cfg.Blurred)
	}
	d.y += 2
}

// verdict is the box that says whether the case is proven.
func (d *doc) verdict() {
	back, title := green, "PROVEN"
	if !d.cfg.Seal.Proven {
		back, title = red, "NOT PROVEN"
	}
	lines := d.wrap(10, false, width-46, d.cfg.Seal.Words)
	h := max(12, 5.2*float64(len(lines))+5)
	d.need(h)
	d.box(back, margin, d.y, 38, h)
	d.box(pale, margin+38, d.y, width-38, h)
	d.text(margin+3, d.y+h/2+1.6, 12, true, white, title)
	for i, l := range lines {
		d.text(margin+42, d.y+h/2+1.4+5.2*(float64(i)-float64(len(lines)-1)/2), 10, false, ink, l)
	}
	d.y += h
}

// people lists who was there, and what they said to being recorded.
func (d *doc) people() {
	d.section("Who was there")
	t := d.cfg.Tape
	d.row([]float64{58, 28, 36, 0}, true, "Name", "Role", "In the room", "Recording")
	for _, s := range t.Stays {
		consent := "not asked"
		for _, c := range t.Manifest.Consents {
			if c.Participant == s.ID {
				consent = map[bool]string{true: "agreed", false: "refused"}[c.Given]
			}
		}
		note := d.clock(s.From) + " – " + d.clock(s.To)
		if s.To < t.End && s.Reason != "left" {
			note += ", lost"
		}
		d.row([]float64{58, 28, 36, 0}, false, cmp.Or(s.Name, s.ID), s.Role, note, consent)
	}
}

// alarms lists the times that values were out of their limits.
func (d *doc) alarms() {
	d.section("Alarms")
	if len(d.cfg.Tape.Alarms) == 0 {
		d.para("There was none.")
	}
	for _, a := range d.cfg.Tape.Alarms {
		until := "until " + d.clock(a.To)
		if a.Open {
			until = "still active at the end"
		}
		d.row([]float64{16, 42, 0}, false, d.clock(a.From), until, a.Text)
	}
}

// missing lists what is not recorded.
func (d *doc) missing() {
	t := d.cfg.Tape
	if len(t.Manifest.Gaps) == 0 {
		return
	}
	d.section("Not recorded")
	for _, g := range t.Manifest.Gaps {
		what := g.What
		if what == "session" {
			what = "everything"
		}
		d.row([]float64{34, 50, 0}, false, d.clock(g.From)+" – "+d.clock(g.To), what, fmt.Sprintf("%s (%s)", g.Why, t.Person(g.Who)))
	}
}

// filled lists what the relay did not record and another recorder did.
func (d *doc) filled() {
	if len(d.cfg.Tape.Fills) == 0 {
		return
	}
	d.section("Filled in from other recorders")
	for _, f := range d.cfg.Tape.Fills {
		d.row([]float64{34, 50, 0}, false, d.clock(f.From)+" – "+d.clock(f.To), f.Of+" of "+f.Name, f.Recorder)
	}
}

// open lists what was left undone, as far as the case knows.
func (d *doc) open() {
	d.section("Open points")
	points := openPoints(d.cfg.Tape)
	if len(points) == 0 {
		d.para("None that the recording knows of.")
	}
	for _, p := range points {
		d.row([]float64{6, 0}, false, "•", p)
	}
}

// openPoints are alarms that did not end, marks that found no place, questions that nobody answered.
func openPoints(t *tape.Tape) []string {
	var out []string
	for _, a := range t.Alarms {
		if a.Open {
			out = append(out, "Alarm still active: "+a.Text)
		}
	}
	for _, e := range t.Marks(t.End) {
		if e.Anchor == nil || e.Anchor.State != annotate.Placed {
			why := "no answer from the field"
			if e.Anchor != nil {
				why = cmp.Or(e.Anchor.Reason, string(e.Anchor.State))
			}
			out = append(out, fmt.Sprintf("A mark of %s (%s) was not placed: %s", cmp.Or(e.Mark.Author, t.Person(e.From)), e.Mark.Shape, why))
		}
	}
	for i, w := range t.Words {
		asked := strings.HasSuffix(w.Text, "?") || strings.HasSuffix(w.Text, "？")
		if asked && !slices.ContainsFunc(t.Words[i+1:], func(o tape.Words) bool { return o.From != w.From }) {
			out = append(out, fmt.Sprintf("%s asked, and nobody wrote an answer: %s", w.Name, w.Text))
		}
	}
	for _, c := range t.Manifest.Consents {
		if !c.Given {
			out = append(out, cmp.Or(c.Name, c.Participant)+" refused to be recorded; nothing of theirs is in the case.")
		}
	}
	return out
}
