package scene

import (
	"image/color"
	"math"

	"sightline/annotate/typeset"
	"sightline/vision/geom"
)

// pen collects items. Its sizes are in units of the scale: 1 is a pixel of a viewport 480 high.
type pen struct {
	faces         *typeset.Faces
	s             float64
	width, height float64
	items         []Item
	arena         []geom.Vec2
	alpha         float64
	taken         []rect // what labels keep off
}

type rect struct{ x0, y0, x1, y1 float64 }

// shared is the area that two rectangles have in common.
func (r rect) shared(o rect) float64 {
	return max(0, min(r.x1, o.x1)-max(r.x0, o.x0)) * max(0, min(r.y1, o.y1)-max(r.y0, o.y0))
}

func (r rect) area() float64 { return (r.x1 - r.x0) * (r.y1 - r.y0) }

func (r rect) grown(d float64) rect { return rect{r.x0 - d, r.y0 - d, r.x1 + d, r.y1 + d} }

func (p *pen) reset(faces *typeset.Faces, scale, width, height float64) {
	p.faces, p.s, p.width, p.height, p.alpha = faces, scale, width, height, 1
	p.items, p.arena, p.taken = p.items[:0], p.arena[:0], p.taken[:0]
}

// points copies points into the scene's own memory.
func (p *pen) points(pts ...geom.Vec2) []geom.Vec2 {
	n := len(p.arena)
	p.arena = append(p.arena, pts...)
	return p.arena[n:len(p.arena):len(p.arena)]
}

func (p *pen) add(i Item) {
	i.Colour = faded(i.Colour, p.alpha)
	p.items = append(p.items, i)
}

func (p *pen) fill(c color.NRGBA, halo float64, pts ...geom.Vec2) {
	p.add(Item{Kind: Fill, Points: p.points(pts...), Colour: c, Halo: halo * p.s})
}

func (p *pen) line(c color.NRGBA, width, halo float64, closed bool, pts ...geom.Vec2) {
	p.add(Item{Kind: Line, Points: p.points(pts...), Closed: closed, Width: width * p.s, Colour: c, Halo: halo * p.s})
}

func (p *pen) disc(c color.NRGBA, at geom.Vec2, radius, halo float64) {
	p.add(Item{Kind: Disc, Points: p.points(at), Radius: radius * p.s, Colour: c, Halo: halo * p.s})
}

func (p *pen) ring(c color.NRGBA, at geom.Vec2, radius, width, halo float64) {
	p.add(Item{Kind: Ring, Points: p.points(at), Radius: radius * p.s, Width: width * p.s, Colour: c, Halo: halo * p.s})
}

// text draws a line with its left end at x; y is the middle of its capital letters.
func (p *pen) text(c color.NRGBA, x, y float64, text string, size float64, bold bool) {
	size = p.size(size)
	base := y + typeset.CapHeight(size)/2
	p.add(Item{Kind: Text, Points: p.points(geom.Vec2{x, base}), Text: text, Size: size, Bold: bold, Colour: c})
}

// size is a text's in pixels, by halves, so that a window being resized does not ask for a hundred faces.
func (p *pen) size(size float64) float64 { return math.Round(2*size*p.s) / 2 }

// measure is the width of a line in pixels.
func (p *pen) measure(text string, size float64, bold bool) float64 {
	w, _ := p.faces.Measure(text, p.size(size), bold)
	return w
}

// clip shortens a line to a width in pixels.
func (p *pen) clip(text string, size float64, bold bool, width float64) string {
	return p.faces.Clip(text, p.size(size), bold, width)
}

// box fills a rounded rectangle; the radius is in pixels.
func (p *pen) box(c color.NRGBA, r rect, radius float64) {
	p.add(Item{Kind: Fill, Points: p.rounded(r, radius), Colour: c})
}

// frame draws a thin line around one.
func (p *pen) frame(c color.NRGBA, r rect, radius, width float64) {
	p.add(Item{Kind: Line, Points: p.rounded(r, radius), Closed: true, Width: width * p.s, Colour: c})
}

// rounded is an outline in the scene's own memory.
func (p *pen) rounded(r rect, radius float64) []geom.Vec2 {
	n := len(p.arena)
	p.arena = Rounded(p.arena, r.x0, r.y0, r.x1, r.y1, radius)
	return p.arena[n:len(p.arena):len(p.arena)]
}

// pill draws words on dark glass, with a dot of a colour before them where its alpha is not 0. The box
// has its left edge at x and its middle at y.
func (p *pen) pill(x, y float64, text string, size float64, bold bool, dot, background color.NRGBA) rect {
	r := p.pillRect(x, y, text, size, bold, dot.A > 0)
	h := r.y1 - r.y0
	p.box(background, r, h/2)
	tx := r.x0 + h*0.42
	if dot.A > 0 {
		p.disc(dot, geom.Vec2{r.x0 + h/2, y}, size*0.3, 0)
		tx = r.x0 + h*0.5 + size*p.s*0.62
	}
	p.text(white, tx, y, text, size, bold)
	return r
}

func (p *pen) pillRect(x, y float64, text string, size float64, bold, dot bool) rect {
	h := size * p.s * 1.72
	w := p.measure(text, size, bold) + 0.84*h
	if dot {
		w += 0.08*h + size*p.s*0.62
	}
	return rect{x, y - h/2, x + w, y + h/2}
}
