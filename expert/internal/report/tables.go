package report

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"github.com/go-pdf/fpdf"
	qrcode "github.com/skip2/go-qrcode"

	"sightline/annotate/scene"
	"sightline/devices"
	"sightline/expert/internal/tape"
)

// readings is the table of values before and after, with the least and the most between.
func (d *doc) readings() {
	t := d.cfg.Tape
	tags := t.Tags()
	if len(tags) == 0 {
		return
	}
	d.section("Readings before and after")
	columns := []float64{44, 46, 26, 26, 18, 0}
	d.row(columns, true, "Machine", "Reading", "Before", "After", "Least", "Most")
	extremes := spread(t)
	for _, tag := range tags {
		first, last := t.Ends(tag)
		e := extremes[tag]
		least, most := "", ""
		if e.known {
			least, most = scene.Value(number(e.least)), scene.Value(number(e.most))
		}
		d.row(columns, false, t.MachineTitle(tag.Machine), t.TagTitle(tag.Machine, tag.Tag), shown(first), shown(last), least, most)
	}
}

// shown is a reading as people read it.
func shown(v tape.Value) string {
	words := strings.TrimSpace(scene.Value(v.Reading) + " " + v.Unit)
	if v.Alarm != "" {
		words += " (" + v.Alarm + ")"
	}
	if v.Quality != devices.Good && v.Quality != "" {
		words += ", " + string(v.Quality)
	}
	return words
}

func number(v float64) devices.Reading { return devices.Reading{Number: &v} }

// extent is the range of a tag's numbers.
type extent struct {
	least, most float64
	known       bool
}

func spread(t *tape.Tape) map[tape.Tag]extent {
	out := map[tape.Tag]extent{}
	t.Values(func(v tape.Value) bool {
		if v.Number == nil || v.Quality == devices.Stale {
			return true
		}
		key := tape.Tag{Machine: v.Machine, Tag: v.Reading.Tag}
		e := out[key]
		if !e.known {
			e = extent{*v.Number, *v.Number, true}
		}
		e.least, e.most = min(e.least, *v.Number), max(e.most, *v.Number)
		out[key] = e
		return true
	})
	return out
}

// qrSide is that of the QR code, in mm.
const qrSide = 46

// seal says what was proven, and has the head as text and as a QR code: whoever keeps this page can tell years
// later whether a case is the one that it is of.
func (d *doc) seal() error {
	d.need(qrSide + 60)
	d.section("The seal")
	top := d.y
	lines := append([]string{d.cfg.Seal.Words}, d.cfg.Seal.Details...)
	for _, words := range lines {
		for _, l := range d.wrap(9.5, false, width-qrSide-6, words) {
			d.line(9.5, false, ink, l)
		}
		d.y += 1
	}
	head := d.cfg.Tape.Head
	if head == "" {
		d.para("The chain has no signed head.")
		return nil
	}
	code, err := qrcode.Encode(head, qrcode.Medium, 600)
	if err != nil {
		return fmt.Errorf("QR code of the head: %w", err)
	}
	d.pdf.RegisterImageOptionsReader("head", fpdf.ImageOptions{ImageType: "PNG"}, bytes.NewReader(code))
	d.pdf.ImageOptions("head", margin+width-qrSide, top, qrSide, qrSide, false, fpdf.ImageOptions{ImageType: "PNG"}, 0, "")
	d.y = max(d.y, top+qrSide+2)
	d.line(9, true, grey, "The last signed head, which the code holds as well:")
	for _, l := range strings.Split(strings.TrimSpace(head), "\n") {
		for _, part := range d.wrap(8, false, width, cmp.Or(l, "·")) {
			d.need(4)
			d.text(margin, d.y+3, 8, false, ink, part)
			d.y += 3.8
		}
	}
	d.y += 2
	d.para("To check it: relay verify CASE --key KEY, with the key that the relay's operator gives out (relay seal-key). The head in the case's chain must be this one.")
	return nil
}
