package desk

import (
	"image/color"
	"math"
	"slices"

	"sightline/annotate/scene"
	"sightline/annotate/typeset"
	"sightline/vision/geom"
)

// Rect is a part of the window, in pixels.
type Rect struct{ X0, Y0, X1, Y1 float64 }

// W and H are its size.
func (r Rect) W() float64 { return r.X1 - r.X0 }

// H is its height.
func (r Rect) H() float64 { return r.Y1 - r.Y0 }

// Has says whether a point is in it.
func (r Rect) Has(p geom.Vec2) bool {
	return p[0] >= r.X0 && p[0] < r.X1 && p[1] >= r.Y0 && p[1] < r.Y1
}

func (r Rect) inset(d float64) Rect { return Rect{r.X0 + d, r.Y0 + d, r.X1 - d, r.Y1 - d} }

func (r Rect) middle() geom.Vec2 { return geom.Vec2{(r.X0 + r.X1) / 2, (r.Y0 + r.Y1) / 2} }

// pad collects the items of one panel. Lengths that methods take beside coordinates are in units of the
// desk's scale.
type pad struct {
	faces *typeset.Faces
	s     float64
	items []scene.Item
}

func (p *pad) reset(s float64) { p.s, p.items = s, p.items[:0] }

func (p *pad) box(c color.NRGBA, r Rect, radius float64) {
	p.items = append(p.items, scene.Item{Kind: scene.Fill, Points: rounded(r, radius*p.s), Colour: c})
}

func (p *pad) frame(c color.NRGBA, r Rect, radius, width float64) {
	h := width * p.s / 2
	p.items = append(p.items, scene.Item{Kind: scene.Line, Points: rounded(r.inset(h), radius*p.s), Closed: true, Width: width * p.s, Colour: c})
}

func (p *pad) line(c color.NRGBA, width float64, pts ...geom.Vec2) {
	p.items = append(p.items, scene.Item{Kind: scene.Line, Points: slices.Clone(pts), Width: width * p.s, Colour: c})
}

func (p *pad) fill(c color.NRGBA, pts ...geom.Vec2) {
	p.items = append(p.items, scene.Item{Kind: scene.Fill, Points: slices.Clone(pts), Colour: c})
}

func (p *pad) disc(c color.NRGBA, at geom.Vec2, radius float64) {
	p.items = append(p.items, scene.Item{Kind: scene.Disc, Points: []geom.Vec2{at}, Radius: radius * p.s, Colour: c})
}

func (p *pad) ring(c color.NRGBA, at geom.Vec2, radius, width float64) {
	p.items = append(p.items, scene.Item{Kind: scene.Ring, Points: []geom.Vec2{at}, Radius: radius * p.s, Width: width * p.s, Colour: c})
}

// size is a text's in pixels, by halves.
func (p *pad) size(size float64) float64 { return math.Round(2*size*p.s) / 2 }

func (p *pad) width(text string, size float64, bold bool) float64 {
	w, _ := p.faces.Measure(text, p.size(size), bold)
	return w
}

// text draws a line with its left end at x, its capitals' middle at y, no wider than room, and returns
// where it ends.
func (p *pad) text(c color.NRGBA, x, y float64, text string, size float64, bold bool, room float64) float64 {
	if room <= 0 || text == "" {
		return x
	}
	text = p.clip(text, size, bold, room)
	px := p.size(size)
	p.items = append(p.items, scene.Item{Kind: scene.Text, Points: []geom.Vec2{{x, math.Round(y + typeset.CapHeight(px)/2)}}, Text: text, Size: px, Bold: bold, Colour: c})
	return x + p.width(text, size, bold)
}

// right draws a line that ends at x and returns where it begins.
func (p *pad) right(c color.NRGBA, x, y float64, text string, size float64, bold bool) float64 {
	w := p.width(text, size, bold)
	p.text(c, x-w, y, text, size, bold, math.Inf(1))
	return x - w
}

// centred draws a line in the middle of a rectangle.
func (p *pad) centred(c color.NRGBA, r Rect, text string, size float64, bold bool) {
	text = p.clip(text, size, bold, r.W()-4*p.s)
	m := r.middle()
	p.text(c, m[0]-p.width(text, size, bold)/2, m[1], text, size, bold, math.Inf(1))
}

func (p *pad) clip(text string, size float64, bold bool, room float64) string {
	return p.faces.Clip(text, p.size(size), bold, room)
}

// rounded is the outline of a rectangle with round corners.
func rounded(r Rect, radius float64) []geom.Vec2 {
	return scene.Rounded(nil, r.X0, r.Y0, r.X1, r.Y1, radius)
}

// same says whether two lists draw the same.
func same(a, b []scene.Item) bool {
	return slices.EqualFunc(a, b, func(x, y scene.Item) bool {
		return x.Kind == y.Kind && x.Closed == y.Closed && x.Radius == y.Radius && x.Width == y.Width && x.Halo == y.Halo &&
			x.Colour == y.Colour && x.Text == y.Text && x.Size == y.Size && x.Bold == y.Bold && slices.Equal(x.Points, y.Points)
	})
}
