package report

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/go-pdf/fpdf"
	"golang.org/x/image/font/sfnt"

	"sightline/assets"
	"sightline/expert/internal/compose"
	"sightline/expert/internal/reel"
)

// The page is A4, in mm.
const (
	pageWidth  = 210
	pageHeight = 297
	margin     = 17
	width      = pageWidth - 2*margin
	bottom     = pageHeight - 20
)

// colour is red, green, blue.
type colour [3]int

var (
	ink   = colour{24, 30, 38}
	grey  = colour{96, 108, 122}
	rule  = colour{214, 220, 227}
	pale  = colour{243, 246, 249}
	white = colour{255, 255, 255}
	green = colour{22, 128, 72}
	red   = colour{186, 28, 36}
	blue  = colour{18, 92, 168}
)

// doc is a report in the making: lines are set from the top to the bottom, page by page.
type doc struct {
	cfg      Config
	pdf      *fpdf.Fpdf
	noto     *sfnt.Font
	y        float64
	reel     *reel.Reel
	ctx      context.Context // of Write
	composer *compose.Composer
	stills   int
}

// The fonts: Noto Sans, and Droid Sans Fallback for what it lacks.
const (
	plain    = "noto"
	fallback = "droid"
)

func newDoc(ctx context.Context, cfg Config) (*doc, error) {
	noto, err := sfnt.Parse(assets.FontRegular())
	if err != nil {
		return nil, fmt.Errorf("font in assets: %w", err)
	}
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.SetMargins(0, 0, 0)
	pdf.SetAutoPageBreak(false, 0)
	t := cfg.Tape
	pdf.SetTitle("Session report, room "+clean(t.About.Room), true)
	pdf.SetCreator("Sightline", true)
	now := cfg.Now()
	pdf.SetCreationDate(now)
	pdf.SetModificationDate(now)
	pdf.SetCatalogSort(true)
	pdf.AliasNbPages("{pages}")
	// The library keeps the bytes; the binary's own are not to be handed out.
	pdf.AddUTF8FontFromBytes(plain, "", bytes.Clone(assets.FontRegular()))
	pdf.AddUTF8FontFromBytes(plain, "B", bytes.Clone(assets.FontBold()))
	pdf.AddUTF8FontFromBytes(fallback, "", bytes.Clone(assets.FontFallback()))
	d := &doc{ctx: ctx, cfg: cfg, pdf: pdf, noto: noto}
	pdf.SetFooterFunc(func() {
		d.rule(pageHeight - 14)
		d.text(margin, pageHeight-9, 8, false, grey, fmt.Sprintf("Sightline · case %s · written %s", t.About.ID, now.UTC().Format("2006-01-02 15:04 UTC")))
		pages := fmt.Sprintf("page %d of {pages}", pdf.PageNo())
		d.text(pageWidth-margin-d.width(8, false, fmt.Sprintf("page %d of 00", pdf.PageNo())), pageHeight-9, 8, false, grey, pages)
		if !cfg.Seal.Proven {
			d.box(red, 0, 0, pageWidth, 7)
			d.text(margin, 5, 9, true, white, "NOT PROVEN: this report is of a case whose seal does not hold, or was not checked")
		}
	})
	d.page()
	return d, pdf.Error()
}

func (d *doc) page() {
	d.pdf.AddPage()
	d.y = margin
}

// need begins another page where there is not that much room left.
func (d *doc) need(h float64) {
	if d.y+h > bottom {
		d.page()
	}
}

// clean leaves what a font of this report can have.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r > 0xffff || r == 0xfffd:
			return '□'
		case r < ' ':
			return ' '
		}
		return r
	}, s)
}

// run is a piece of text that one font has.
type run struct{ font, text string }

func (d *doc) runs(text string) []run {
	var out []run
	var b sfnt.Buffer
	for _, r := range clean(text) {
		font := plain
		if g, err := d.noto.GlyphIndex(&b, r); err != nil || g == 0 {
			font = fallback
		}
		if len(out) == 0 || out[len(out)-1].font != font {
			out = append(out, run{font: font})
		}
		out[len(out)-1].text += string(r)
	}
	return out
}

func (d *doc) font(r run, points float64, bold bool) {
	style := ""
	if bold && r.font == plain {
		style = "B"
	}
	d.pdf.SetFont(r.font, style, points)
}

func (d *doc) width(points float64, bold bool, text string) float64 {
	w := 0.0
	for _, r := range d.runs(text) {
		d.font(r, points, bold)
		w += d.pdf.GetStringWidth(r.text)
	}
	return w
}

// text writes a line with its left end on the baseline at x, y.
func (d *doc) text(x, y, points float64, bold bool, c colour, text string) {
	d.pdf.SetTextColor(c[0], c[1], c[2])
	for _, r := range d.runs(text) {
		d.font(r, points, bold)
		d.pdf.Text(x, y, r.text)
		x += d.pdf.GetStringWidth(r.text)
	}
}

// wrap breaks a text into lines of a width: at blanks, and within words that are too long.
func (d *doc) wrap(points float64, bold bool, room float64, text string) []string {
	var out []string
	line := ""
	add := func(word string) {
		for joined := strings.TrimSpace(line + " " + word); ; joined = word {
			if d.width(points, bold, joined) <= room {
				line = joined
				return
			}
			if line != "" {
				out, line = append(out, line), ""
				continue
			}
			r := []rune(word)
			n := len(r) - 1
			for n > 1 && d.width(points, bold, string(r[:n])) > room {
				n--
			}
			if n < 1 {
				line = word
				return
			}
			out, word = append(out, string(r[:n])), string(r[n:])
		}
	}
	for _, word := range strings.Fields(clean(text)) {
		add(word)
	}
	if line != "" {
		out = append(out, line)
	}
	return out
}

func (d *doc) box(c colour, x, y, w, h float64) {
	d.pdf.SetFillColor(c[0], c[1], c[2])
	d.pdf.Rect(x, y, w, h, "F")
}

func (d *doc) rule(y float64) { d.box(rule, margin, y, width, 0.25) }

// line writes a line and goes below it.
func (d *doc) line(points float64, bold bool, c colour, text string) {
	h := 0.5 * points
	d.need(h)
	d.text(margin, d.y+0.36*points, points, bold, c, text)
	d.y += h
}

// para writes a text in as many lines as it takes.
func (d *doc) para(text string) {
	for _, l := range d.wrap(10, false, width, text) {
		d.line(10, false, ink, l)
	}
}

// section begins a part of the report.
func (d *doc) section(title string) {
	d.need(26)
	d.y += 6
	d.line(13, true, blue, title)
	d.y += 0.5
	d.rule(d.y)
	d.y += 2.5
}

// fact writes a name and what it is.
func (d *doc) fact(name, what string) { d.row([]float64{28, 0}, false, name, what) }

// row writes cells beside each other; the last width, 0, is what is left.
func (d *doc) row(widths []float64, head bool, cells ...string) {
	lines, tallest := make([][]string, len(cells)), 1
	for i, cell := range cells {
		w := widths[i]
		if w == 0 {
			w = width - sum(widths)
		}
		lines[i] = d.wrap(9.5, head || i == 0, w-2, cell)
		tallest = max(tallest, len(lines[i]))
	}
	d.need(4.8*float64(tallest) + 1)
	x := float64(margin)
	for i := range cells {
		c := ink
		if head || i == 0 && len(cells) == 2 {
			c = grey
		}
		for k, l := range lines[i] {
			d.text(x, d.y+3.6+4.8*float64(k), 9.5, head || i == 0, c, l)
		}
		x += widths[i]
	}
	d.y += 4.8*float64(tallest) + 0.8
}

func sum(v []float64) (s float64) {
	for _, x := range v {
		s += x
	}
	return s
}
