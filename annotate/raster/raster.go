// Package raster draws a scene without a window: for tests, snapshots, headless clients and the composed
// recording. It is pure Go.
package raster

import (
	"image"
	"image/color"
	"math"

	"golang.org/x/image/vector"

	"sightline/annotate/scene"
	"sightline/annotate/typeset"
	"sightline/vision/geom"
)

// Painter draws display lists. It keeps its memory from picture to picture. One goroutine uses it.
type Painter struct {
	faces *typeset.Faces
	fill  vector.Rasterizer
	yuv   yuvTables
	rows  scaler
}

// New makes a painter that draws text with faces.
func New(faces *typeset.Faces) *Painter {
	return &Painter{faces: faces, yuv: newYUVTables()}
}

// Compose draws the picture where the view has it, black around it, and the items over it.
func (p *Painter) Compose(dst *image.RGBA, picture *image.YCbCr, view scene.View, items []scene.Item) {
	p.Picture(dst, picture, view)
	p.Draw(dst, items)
}

// Draw draws the items over what is in dst, whose top left pixel is the viewport's.
func (p *Painter) Draw(dst *image.RGBA, items []scene.Item) {
	for i := range items {
		p.item(dst, &items[i])
	}
}

func (p *Painter) item(dst *image.RGBA, it *scene.Item) {
	if it.Colour.A == 0 || len(it.Points) == 0 || !sane(it.Points) {
		return
	}
	switch it.Kind {
	case scene.Fill:
		if it.Halo > 0 {
			p.stroke(dst, it.Points, true, 2*it.Halo, scene.HaloOf(*it))
		}
		p.polygon(dst, it.Points, it.Colour)
	case scene.Line:
		if it.Halo > 0 {
			p.stroke(dst, it.Points, it.Closed, it.Width+2*it.Halo, scene.HaloOf(*it))
		}
		p.stroke(dst, it.Points, it.Closed, it.Width, it.Colour)
	case scene.Disc:
		if it.Halo > 0 {
			p.ring(dst, it.Points[0], it.Radius+it.Halo, it.Radius-0.5, scene.HaloOf(*it))
		}
		p.ring(dst, it.Points[0], it.Radius, 0, it.Colour)
	case scene.Ring:
		if it.Halo > 0 {
			p.ring(dst, it.Points[0], it.Radius+it.Width/2+it.Halo, it.Radius-it.Width/2-it.Halo, scene.HaloOf(*it))
		}
		p.ring(dst, it.Points[0], it.Radius+it.Width/2, it.Radius-it.Width/2, it.Colour)
	case scene.Text:
		p.text(dst, it)
	}
}

// sane says whether points are numbers that a picture could hold, however far off screen.
func sane(pts []geom.Vec2) bool {
	for _, q := range pts {
		if !(math.Abs(q[0]) < 1e6 && math.Abs(q[1]) < 1e6) {
			return false
		}
	}
	return true
}

// begin makes the rasterizer ready for a shape within x0..x1, y0..y1, clipped to dst; it returns where
// the shape's drawing begins, and false where nothing of it is on the picture.
func (p *Painter) begin(dst *image.RGBA, x0, y0, x1, y1 float64) (image.Rectangle, bool) {
	r := image.Rect(int(math.Floor(x0)), int(math.Floor(y0)), int(math.Ceil(x1))+1, int(math.Ceil(y1))+1).Intersect(dst.Rect)
	if r.Empty() {
		return r, false
	}
	p.fill.Reset(r.Dx(), r.Dy())
	return r, true
}

func (p *Painter) end(dst *image.RGBA, r image.Rectangle, c color.NRGBA) {
	p.fill.Draw(dst, r, image.NewUniform(c), image.Point{})
}

func bounds(pts []geom.Vec2) (x0, y0, x1, y1 float64) {
	x0, y0, x1, y1 = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, q := range pts {
		x0, y0, x1, y1 = min(x0, q[0]), min(y0, q[1]), max(x1, q[0]), max(y1, q[1])
	}
	return x0, y0, x1, y1
}

func (p *Painter) polygon(dst *image.RGBA, pts []geom.Vec2, c color.NRGBA) {
	x0, y0, x1, y1 := bounds(pts)
	r, ok := p.begin(dst, x0, y0, x1, y1)
	if !ok {
		return
	}
	p.contour(pts, r.Min)
	p.end(dst, r, c)
}

// contour adds a closed polygon.
func (p *Painter) contour(pts []geom.Vec2, o image.Point) {
	for i, q := range pts {
		x, y := float32(q[0]-float64(o.X)), float32(q[1]-float64(o.Y))
		if i == 0 {
			p.fill.MoveTo(x, y)
		} else {
			p.fill.LineTo(x, y)
		}
	}
	p.fill.ClosePath()
}

// stroke draws a line with round caps and joints: the union of a rectangle for each piece and a disc for
// each point, all turning the same way, so that what overlaps is not drawn twice.
func (p *Painter) stroke(dst *image.RGBA, pts []geom.Vec2, closed bool, width float64, c color.NRGBA) {
	if width <= 0 {
		return
	}
	h := width / 2
	x0, y0, x1, y1 := bounds(pts)
	r, ok := p.begin(dst, x0-h, y0-h, x1+h, y1+h)
	if !ok {
		return
	}
	n := len(pts)
	last := n - 1
	if closed {
		last = n
	}
	for i := range last {
		a, b := pts[i], pts[(i+1)%n]
		d := b.Sub(a)
		l := d.Norm()
		if l < 1e-9 {
			continue
		}
		s := geom.Vec2{-d[1], d[0]}.Scale(h / l)
		p.contour([]geom.Vec2{a.Sub(s), b.Sub(s), b.Add(s), a.Add(s)}, r.Min)
	}
	for _, q := range pts {
		p.circle(q, h, 1, r.Min)
	}
	p.end(dst, r, c)
}

// circle adds a circle that turns as a stroke's rectangles do, or with dir -1 the other way.
func (p *Painter) circle(at geom.Vec2, radius, dir float64, o image.Point) {
	x, y := float32(at[0]-float64(o.X)), float32(at[1]-float64(o.Y))
	const k = 0.5522847498 // a quarter of a circle as a cubic
	rx, ry := float32(radius), float32(radius*dir)
	kx, ky := rx*k, ry*k
	p.fill.MoveTo(x+rx, y)
	p.fill.CubeTo(x+rx, y+ky, x+kx, y+ry, x, y+ry)
	p.fill.CubeTo(x-kx, y+ry, x-rx, y+ky, x-rx, y)
	p.fill.CubeTo(x-rx, y-ky, x-kx, y-ry, x, y-ry)
	p.fill.CubeTo(x+kx, y-ry, x+rx, y-ky, x+rx, y)
	p.fill.ClosePath()
}

// ring draws what is between two radii.
func (p *Painter) ring(dst *image.RGBA, at geom.Vec2, outer, inner float64, c color.NRGBA) {
	if outer <= 0 || outer > 1e5 {
		return
	}
	r, ok := p.begin(dst, at[0]-outer, at[1]-outer, at[0]+outer, at[1]+outer)
	if !ok {
		return
	}
	p.circle(at, outer, 1, r.Min)
	if inner > 0 {
		p.circle(at, inner, -1, r.Min)
	}
	p.end(dst, r, c)
}

// text draws a line of text through its glyphs' masks.
func (p *Painter) text(dst *image.RGBA, it *scene.Item) {
	at := it.Points[0]
	p.faces.Layout(it.Text, at[0], at[1], it.Size, it.Bold, func(g typeset.Glyph, px, py int) {
		blend(dst, g.Mask, px, py, it.Colour)
	})
}

// blend lays a colour over dst through a mask.
func blend(dst *image.RGBA, mask *image.Alpha, px, py int, c color.NRGBA) {
	r := image.Rect(px, py, px+mask.Rect.Dx(), py+mask.Rect.Dy()).Intersect(dst.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		m := mask.Pix[(y-py)*mask.Stride+r.Min.X-px:]
		d := dst.Pix[dst.PixOffset(r.Min.X, y):]
		for x := range r.Dx() {
			a := uint32(m[x]) * uint32(c.A) / 255
			if a == 0 {
				continue
			}
			q := d[4*x : 4*x+4 : 4*x+4]
			b := 255 - a
			q[0] = uint8((uint32(c.R)*a + uint32(q[0])*b + 127) / 255)
			q[1] = uint8((uint32(c.G)*a + uint32(q[1])*b + 127) / 255)
			q[2] = uint8((uint32(c.B)*a + uint32(q[2])*b + 127) / 255)
			q[3] = uint8((255*a + uint32(q[3])*b + 127) / 255)
		}
	}
}
