package sheet

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/go-pdf/fpdf"
	"golang.org/x/image/font/sfnt"

	"sightline/assets"
)

// paper draws on a page of a PDF, in mm from its top left.
type paper struct {
	pdf  *fpdf.Fpdf
	page Page
	noto *sfnt.Font
}

// The fonts: Noto Sans, and Droid Sans Fallback for what it lacks.
const (
	plain    = "noto"
	fallback = "droid"
)

func newPaper(page Page, title string, now time.Time) (*paper, error) {
	noto, err := sfnt.Parse(assets.FontRegular())
	if err != nil {
		return nil, fmt.Errorf("font in assets: %w", err)
	}
	pdf := fpdf.NewCustom(&fpdf.InitType{UnitStr: "mm", Size: fpdf.SizeType{Wd: page.Width, Ht: page.Height}})
	pdf.SetMargins(0, 0, 0)
	pdf.SetAutoPageBreak(false, 0)
	pdf.SetTitle(title, true)
	pdf.SetCreator("Sightline", true)
	pdf.SetCreationDate(now)
	pdf.SetModificationDate(now)
	pdf.SetCatalogSort(true)
	pdf.SetDisplayMode("fullpage", "single")
	// The library keeps the bytes; the binary's own are not to be handed out.
	pdf.AddUTF8FontFromBytes(plain, "", bytes.Clone(assets.FontRegular()))
	pdf.AddUTF8FontFromBytes(plain, "B", bytes.Clone(assets.FontBold()))
	pdf.AddUTF8FontFromBytes(fallback, "", bytes.Clone(assets.FontFallback()))
	pdf.AddPage()
	return &paper{pdf: pdf, page: page, noto: noto}, pdf.Error()
}

func (p *paper) write(w io.Writer) error { return p.pdf.Output(w) }

// box fills a rectangle with a grey of 0 to 255.
func (p *paper) box(x, y, w, h float64, grey int) {
	p.pdf.SetFillColor(grey, grey, grey)
	p.pdf.Rect(x, y, w, h, "F")
}

// line draws a line of a width.
func (p *paper) line(x0, y0, x1, y1, width float64) {
	p.pdf.SetDrawColor(0, 0, 0)
	p.pdf.SetLineWidth(width)
	p.pdf.Line(x0, y0, x1, y1)
}

// run is a piece of text that one font has.
type run struct {
	font, text string
}

// runs splits a text by the fonts that have its runes.
func (p *paper) runs(text string) []run {
	var out []run
	var b sfnt.Buffer
	for _, r := range text {
		font := plain
		if g, err := p.noto.GlyphIndex(&b, r); err != nil || g == 0 {
			font = fallback
		}
		if len(out) == 0 || out[len(out)-1].font != font {
			out = append(out, run{font: font})
		}
		out[len(out)-1].text += string(r)
	}
	return out
}

// style sets the font of a run; the fallback has no bold.
func (p *paper) style(r run, bold bool, points float64) {
	s := ""
	if bold && r.font == plain {
		s = "B"
	}
	p.pdf.SetFont(r.font, s, points)
}

func (p *paper) width(text string, bold bool, points float64) float64 {
	w := 0.0
	for _, r := range p.runs(text) {
		p.style(r, bold, points)
		w += p.pdf.GetStringWidth(r.text)
	}
	return w
}

// text writes a line with its left end on the baseline at x, y, smaller where it is wider than most.
func (p *paper) text(x, y, most, points float64, bold bool, text string) {
	if w := p.width(text, bold, points); w > most {
		points *= most / w
	}
	p.pdf.SetTextColor(0, 0, 0)
	for _, r := range p.runs(text) {
		p.style(r, bold, points)
		p.pdf.Text(x, y, r.text)
		x += p.pdf.GetStringWidth(r.text)
	}
}

// rulerLength is that of the ruler, in mm.
const rulerLength = 100

// ruler draws a ruler whose line begins at x, y, with its ticks upward.
func (p *paper) ruler(x, y float64) {
	const thin = 0.2
	p.line(x, y, x+rulerLength, y, thin)
	for mm := 0; mm <= rulerLength; mm++ {
		tick := 2.0
		switch {
		case mm%10 == 0:
			tick = 5
		case mm%5 == 0:
			tick = 3.5
		}
		p.line(x+float64(mm), y, x+float64(mm), y-tick, thin)
		if mm%10 == 0 {
			n := fmt.Sprint(mm)
			p.text(x+float64(mm)-p.width(n, false, 7)/2, y-6, 10, 7, false, n)
		}
	}
}

// arrow draws an arrow that points up, its tip at x, y.
func (p *paper) arrow(x, y, height float64) {
	const half, headLength, shaft = 6, 7, 2.2
	p.pdf.SetFillColor(0, 0, 0)
	p.pdf.Polygon([]fpdf.PointType{{X: x, Y: y}, {X: x + half, Y: y + headLength}, {X: x + shaft, Y: y + headLength}, {X: x + shaft, Y: y + height},
		{X: x - shaft, Y: y + height}, {X: x - shaft, Y: y + headLength}, {X: x - half, Y: y + headLength}}, "F")
}

// cells draws a tag with its top left corner at x, y: a black square, and on it the white cells, each reaching
// a hair into a white neighbour, so that no seam is printed between them.
func (p *paper) cells(x, y, side float64, white [][]bool) {
	const hair = 0.02
	p.box(x, y, side, side, 0)
	n := len(white)
	c := side / float64(n)
	for row := range n {
		for col := range n {
			if !white[row][col] {
				continue
			}
			w, h := c, c
			if col+1 < n && white[row][col+1] {
				w += hair
			}
			if row+1 < n && white[row+1][col] {
				h += hair
			}
			p.box(x+c*float64(col), y+c*float64(row), w, h, 255)
		}
	}
}

// millimetres writes a length in mm with no more digits than it needs.
func millimetres(mm float64) string { return fmt.Sprintf("%g mm", math.Round(mm*100)/100) }
