package report

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"

	"github.com/go-pdf/fpdf"

	"sightline/annotate"
	"sightline/annotate/scene"
	"sightline/expert/internal/compose"
	"sightline/expert/internal/reel"
	"sightline/expert/internal/tape"
)

// The stills: how wide they are printed, in mm, and how many a report has at most.
const (
	stillWidth = 62
	mostStills = 150
)

// steps tells what was done, with a still of each mark and snapshot.
func (d *doc) steps() {
	d.section("What was done, step by step")
	if c := d.cfg.Camera; c != nil {
		d.reel = reel.New(d.cfg.Tape, c, 0)
		defer func() { _ = d.reel.Close() }() // only frees memory
		d.composer = compose.New(d.cfg.Faces, max(16, c.Width&^1), max(16, c.Height&^1))
	}
	number := 0
	for _, m := range d.cfg.Tape.Moments {
		switch m.Kind {
		case tape.Marked, tape.Pictured:
			number++
			d.step(number, m)
		case tape.Spoken:
			d.note(m, m.Who+": “"+m.Text+"”")
		case tape.Alarmed:
			d.note(m, "Alarm: "+m.Text)
		case tape.Missing:
			d.note(m, fmt.Sprintf("Not recorded until %s: %s", d.clock(m.To), m.Text))
		case tape.Came, tape.Went:
			d.note(m, m.Who+" "+m.Text)
		}
	}
	if len(d.cfg.Tape.Moments) == 0 {
		d.para("Nothing was said or drawn.")
	}
}

// note is a step without a picture.
func (d *doc) note(m tape.Moment, text string) {
	lines := d.wrap(10, false, width-18, text)
	d.need(5*float64(len(lines)) + 2)
	d.text(margin, d.y+3.7, 9.5, true, grey, d.clock(m.At))
	for i, l := range lines {
		c := ink
		if m.Kind == tape.Alarmed {
			c = red
		}
		d.text(margin+18, d.y+3.7+5*float64(i), 10, false, c, l)
	}
	d.y += 5*float64(len(lines)) + 1.5
}

// step is one with a picture.
func (d *doc) step(number int, m tape.Moment) {
	still, seen := d.still(m)
	h := 14.0
	var name string
	if still != nil {
		name = fmt.Sprintf("still %d", d.stills)
		d.stills++
		info := d.pdf.RegisterImageOptionsReader(name, fpdf.ImageOptions{ImageType: "JPEG"}, bytes.NewReader(still))
		if info != nil && info.Width() > 0 {
			h = stillWidth * info.Height() / info.Width()
		}
	}
	d.need(h + 4)
	d.box(pale, margin, d.y, width, h)
	d.text(margin+3, d.y+6, 9.5, true, grey, d.clock(m.At))
	d.text(margin+16, d.y+6, 9.5, true, blue, fmt.Sprintf("Step %d", number))
	y := d.y + 12
	for _, l := range d.wrap(11, true, width-stillWidth-8, m.Text) {
		d.text(margin+3, y, 11, true, ink, l)
		y += 5.4
	}
	for _, l := range d.wrap(9.5, false, width-stillWidth-8, m.Who+" · "+seen) {
		d.text(margin+3, y, 9.5, false, grey, l)
		y += 4.8
	}
	if still != nil {
		d.pdf.ImageOptions(name, margin+width-stillWidth, d.y, stillWidth, h, false, fpdf.ImageOptions{ImageType: "JPEG"}, 0, "")
	}
	d.y += h + 3
}

// looks are when a still of a mark is tried, µs after it was drawn: it takes a moment to be placed, and the
// technician looks away and back.
var looks = [...]int64{400_000, 800_000, 1_500_000, 3_000_000, 6_000_000, 12_000_000}

// still is a JPEG of a moment with what was drawn in, and what it shows, in words; nil where there is none.
func (d *doc) still(m tape.Moment) ([]byte, string) {
	c := d.cfg.Camera
	if c == nil || d.stills >= mostStills || m.Camera != c.Participant {
		return nil, "no still"
	}
	if m.Kind == tape.Marked {
		for _, after := range looks {
			i := c.At(m.At + after)
			if i < 0 || c.Shots[i].Session < m.At {
				continue
			}
			in := d.composer.Scene(d.cfg.Tape, c, c.Shots[i])
			if data := d.picture(i, in, m.Mark); data != nil {
				return data, "as the technician saw it at " + d.clock(c.Shots[i].Session)
			}
		}
	}
	for i := c.At(m.At); i >= 0; i-- {
		if c.Shots[i].Captured != m.Captured {
			continue
		}
		in := d.composer.Scene(d.cfg.Tape, c, c.Shots[i])
		if mark, ok := d.drawn(m); ok {
			in.Drafts = []annotate.Mark{mark}
		}
		return d.picture(i, in, ""), "on the frame that it was drawn on; it was not seen in place"
	}
	return nil, "its frame is not recorded"
}

// drawn is a mark as it was drawn.
func (d *doc) drawn(m tape.Moment) (annotate.Mark, bool) {
	for _, e := range d.cfg.Tape.Marks(m.At) {
		if e.ID == m.Mark {
			return e.Mark, true
		}
	}
	return annotate.Mark{}, false
}

// picture composes a frame. Where a mark must be seen and is not, there is none.
func (d *doc) picture(i int, in scene.Input, must string) []byte {
	f, err := d.reel.Frame(d.ctx, i, nil)
	if err != nil {
		return nil
	}
	defer f.Release()
	if d.cfg.Hide != nil {
		d.cfg.Hide(d.cfg.Camera, d.cfg.Camera.Shots[i].Session, f.Picture)
	}
	in.Width, in.Height, in.Frame = float64(d.composer.Size().X), float64(d.composer.Size().Y), f.Size()
	r := d.composer.Builder.Build(in)
	for _, v := range r.Marks {
		if v.ID == must && v.State != scene.Shown {
			return nil
		}
	}
	items := r.Items
	if !d.cfg.Seal.Proven {
		items = append(items, d.composer.Sign("NOT PROVEN")...)
	}
	out := image.NewYCbCr(image.Rectangle{Max: d.composer.Size()}, image.YCbCrSubsampleRatio420)
	d.composer.Draw(out, f.Picture, nil, items)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, out, &jpeg.Options{Quality: 86}); err != nil {
		return nil
	}
	return b.Bytes()
}
