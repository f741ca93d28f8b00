// Package typeset turns strings into glyphs, in pure Go: how wide a text is, for the layout, and the
// masks of its glyphs, for whoever draws it. Runes that Noto Sans lacks come from Droid Sans Fallback, so
// English and Chinese mix in one string.
package typeset

import (
	"fmt"
	"image"
	"math"
	"sync"
	"unicode/utf8"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"

	"sightline/assets"
)

// Faces are the fonts, with every glyph that was asked for kept. It is safe for use by several
// goroutines; one for each process is enough.
type Faces struct {
	regular, bold, fallback *sfnt.Font

	mu     sync.Mutex
	buf    sfnt.Buffer
	faces  map[faceKey]font.Face
	glyphs map[glyphKey]Glyph
}

type faceKey struct {
	font *sfnt.Font
	size float64
}

type glyphKey struct {
	r    rune
	size float64
	bold bool
	sub  uint8 // quarter of a pixel
}

// Glyph is a rune at a size and a fraction of a pixel. It never changes.
type Glyph struct {
	// Mask is the coverage; nil where there is nothing to draw.
	Mask *image.Alpha
	// X and Y are from the whole pixel of the pen, on the baseline, to Mask's first pixel.
	X, Y int
	// Advance is how far the pen moves, in pixels.
	Advance float64
}

// maxGlyphs bounds what is kept; past it everything is forgotten and made anew.
const maxGlyphs = 8192

// New reads the fonts that ship with the program.
func New() (*Faces, error) {
	f := &Faces{faces: map[faceKey]font.Face{}, glyphs: map[glyphKey]Glyph{}}
	for _, c := range []struct {
		to   **sfnt.Font
		data []byte
		name string
	}{
		{&f.regular, assets.FontRegular(), "regular"}, {&f.bold, assets.FontBold(), "bold"}, {&f.fallback, assets.FontFallback(), "fallback"},
	} {
		parsed, err := opentype.Parse(c.data)
		if err != nil {
			return nil, fmt.Errorf("the %s font: %w", c.name, err)
		}
		*c.to = parsed
	}
	return f, nil
}

// LineHeight is the distance from one baseline to the next for a size in pixels.
func LineHeight(size float64) float64 { return 1.36 * size }

// CapHeight is how high a capital letter stands above the baseline.
func CapHeight(size float64) float64 { return 0.714 * size }

// Measure returns the width of a line of text and its height, in pixels.
func (f *Faces) Measure(text string, size float64, bold bool) (width, height float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range text {
		width += f.glyph(glyphKey{r, size, bold, 0}).Advance
	}
	return width, LineHeight(size)
}

// Clip shortens a line that is wider than width, in pixels, and ends it in "…" then. At least one rune stays.
func (f *Faces) Clip(text string, size float64, bold bool, width float64) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	room := width - f.glyph(glyphKey{'…', size, bold, 0}).Advance
	used, cut := 0.0, 0 // cut: how many bytes leave room for the dots
	for i, r := range text {
		if i == 0 || used <= room {
			cut = i
		}
		if used += f.glyph(glyphKey{r, size, bold, 0}).Advance; used > width {
			if cut == 0 {
				_, cut = utf8.DecodeRuneInString(text)
			}
			return text[:cut] + "…"
		}
	}
	return text
}

// Layout calls draw for each glyph of a text whose pen starts at x on the baseline y, in pixels: the
// mask goes with its first pixel to px, py.
func (f *Faces) Layout(text string, x, y, size float64, bold bool, draw func(g Glyph, px, py int)) {
	base := int(math.Round(y))
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range text {
		whole := math.Floor(x)
		g := f.glyph(glyphKey{r, size, bold, uint8((x - whole) * 4)})
		if g.Mask != nil {
			draw(g, int(whole)+g.X, base+g.Y)
		}
		x += g.Advance
	}
}

// Wrap breaks a text into lines no wider than width: at spaces, and between Chinese characters. A word
// wider than a line is broken where it must be. At most limit lines; the last then ends in "…".
func (f *Faces) Wrap(text string, size float64, bold bool, width float64, limit int) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines []string
	line, used, space := []rune{}, 0.0, -1 // space: where the line may break, as an index into it
	flush := func(n int) {
		lines = append(lines, trimRunes(line[:n]))
		line = append([]rune{}, line[n:]...)
		used, space = 0, -1
		for _, r := range line {
			used += f.glyph(glyphKey{r, size, bold, 0}).Advance
		}
	}
	for _, r := range text {
		if r == '\n' {
			flush(len(line))
			continue
		}
		advance := f.glyph(glyphKey{r, size, bold, 0}).Advance
		if used+advance > width && len(line) > 0 && r != ' ' {
			if space > 0 && !wide(r) {
				flush(space)
			} else {
				flush(len(line))
			}
		}
		line = append(line, r)
		used += advance
		if r == ' ' || wide(r) {
			space = len(line)
		}
	}
	if len(line) > 0 {
		flush(len(line))
	}
	if len(lines) > limit {
		lines = lines[:limit]
		lines[limit-1] += "…"
	}
	return lines
}

func trimRunes(r []rune) string {
	for len(r) > 0 && r[len(r)-1] == ' ' {
		r = r[:len(r)-1]
	}
	for len(r) > 0 && r[0] == ' ' {
		r = r[1:]
	}
	return string(r)
}

// wide says whether a rune is of a script that breaks anywhere.
func wide(r rune) bool { return r >= 0x2E80 && r <= 0xFFEF || r >= 0x20000 && r <= 0x3FFFF }

// glyph returns a glyph from the store or makes it; the caller holds the lock.
func (f *Faces) glyph(k glyphKey) Glyph {
	if g, ok := f.glyphs[k]; ok {
		return g
	}
	if len(f.glyphs) >= maxGlyphs {
		clear(f.glyphs)
		clear(f.faces)
	}
	g := f.render(k)
	f.glyphs[k] = g
	return g
}

func (f *Faces) render(k glyphKey) Glyph {
	face, err := f.face(f.fontFor(k.r, k.bold), k.size)
	if err != nil {
		return Glyph{Advance: k.size / 2}
	}
	dot := fixed.Point26_6{X: fixed.Int26_6(k.sub) * 16}
	dr, mask, at, advance, ok := face.Glyph(dot, k.r)
	g := Glyph{Advance: float64(advance) / 64, X: dr.Min.X, Y: dr.Min.Y}
	if !ok || dr.Empty() {
		return g
	}
	g.Mask = image.NewAlpha(image.Rect(0, 0, dr.Dx(), dr.Dy()))
	for y := range dr.Dy() {
		for x := range dr.Dx() {
			_, _, _, a := mask.At(at.X+x, at.Y+y).RGBA()
			g.Mask.Pix[y*g.Mask.Stride+x] = uint8(a >> 8)
		}
	}
	return g
}

// fontFor returns the first font that has the rune.
func (f *Faces) fontFor(r rune, bold bool) *sfnt.Font {
	first := f.regular
	if bold {
		first = f.bold
	}
	for _, c := range []*sfnt.Font{first, f.fallback} {
		if i, err := c.GlyphIndex(&f.buf, r); err == nil && i != 0 {
			return c
		}
	}
	return first
}

func (f *Faces) face(s *sfnt.Font, size float64) (font.Face, error) {
	k := faceKey{s, size}
	if face, ok := f.faces[k]; ok {
		return face, nil
	}
	face, err := opentype.NewFace(s, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return nil, err
	}
	f.faces[k] = face
	return face, nil
}
