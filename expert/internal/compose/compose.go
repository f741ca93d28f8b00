// Package compose draws what people saw into recorded pictures: the marks as they stood at that very frame,
// the machines' readings, what was said.
package compose

import (
	"image"
	"math"

	"sightline/annotate/raster"
	"sightline/annotate/scene"
	"sightline/annotate/typeset"
	"sightline/devices/media"
)

// Inset is a picture in the picture.
type Inset struct {
	Picture *image.YCbCr
	At      image.Rectangle // in the whole picture
}

// Composer composes pictures of one size, 4:2:0. One goroutine uses it.
type Composer struct {
	Builder *scene.Builder
	faces   *typeset.Faces
	painter *raster.Painter
	canvas  *image.RGBA
	touched []bool // tiles that are drawn into, by rows
	columns int
}

// Tiles are what is converted to colours and back; what no item touches stays as it was recorded, bit for bit.
const (
	tileWidth  = 64
	tileHeight = 16
)

// New makes a composer for pictures of that size.
func New(faces *typeset.Faces, width, height int) *Composer {
	columns := (width + tileWidth - 1) / tileWidth
	rows := (height + tileHeight - 1) / tileHeight
	return &Composer{Builder: scene.NewBuilder(faces), faces: faces, painter: raster.New(faces),
		canvas: image.NewRGBA(image.Rect(0, 0, width, height)), touched: make([]bool, columns*rows), columns: columns}
}

// Size is the pictures'.
func (c *Composer) Size() image.Point { return c.canvas.Rect.Size() }

// Draw draws insets and items into a picture. src may be of another size; it is then fitted into dst whole.
// dst and src may be the same picture.
func (c *Composer) Draw(dst, src *image.YCbCr, insets []Inset, items []scene.Item) {
	if src.Rect.Size() != dst.Rect.Size() {
		w, h := float64(dst.Rect.Dx()), float64(dst.Rect.Dy())
		c.painter.Compose(c.canvas, src, scene.Fit(src.Rect.Dx(), src.Rect.Dy(), w, h), nil)
		c.inset(insets)
		c.painter.Draw(c.canvas, items)
		media.Into420(dst, c.canvas)
		return
	}
	clear(c.touched)
	for i := range items {
		c.touch(c.bounds(&items[i]))
	}
	for _, in := range insets {
		c.touch(in.At)
	}
	c.tiles(func(tile image.Rectangle) {
		v := scene.View{Scale: 1, Left: float64(tile.Min.X), Top: float64(tile.Min.Y), Width: float64(tile.Dx()), Height: float64(tile.Dy())}
		c.painter.Picture(c.canvas.SubImage(tile).(*image.RGBA), part(src, tile), v)
	})
	c.inset(insets)
	c.painter.Draw(c.canvas, items)
	if dst != src {
		media.Into420(dst, src)
	}
	c.tiles(func(tile image.Rectangle) {
		media.Into420(part(dst, tile), c.canvas.SubImage(tile))
	})
}

// part is a part of a picture; its memory is the picture's.
func part(p *image.YCbCr, r image.Rectangle) *image.YCbCr {
	return p.SubImage(r.Add(p.Rect.Min)).(*image.YCbCr)
}

func (c *Composer) inset(insets []Inset) {
	for _, in := range insets {
		r := in.At.Intersect(c.canvas.Rect)
		if r.Empty() {
			continue
		}
		v := scene.Fit(in.Picture.Rect.Dx(), in.Picture.Rect.Dy(), float64(r.Dx()), float64(r.Dy()))
		v.Left, v.Top = v.Left+float64(r.Min.X), v.Top+float64(r.Min.Y)
		c.painter.Picture(c.canvas.SubImage(r).(*image.RGBA), in.Picture, v)
	}
}

// tiles calls fn with every tile that was touched.
func (c *Composer) tiles(fn func(image.Rectangle)) {
	for i, touched := range c.touched {
		if touched {
			x, y := i%c.columns*tileWidth, i/c.columns*tileHeight
			fn(image.Rect(x, y, x+tileWidth, y+tileHeight).Intersect(c.canvas.Rect))
		}
	}
}

func (c *Composer) touch(r image.Rectangle) {
	r = r.Intersect(c.canvas.Rect)
	if r.Empty() {
		return
	}
	for y := r.Min.Y / tileHeight; y <= (r.Max.Y-1)/tileHeight; y++ {
		for x := r.Min.X / tileWidth; x <= (r.Max.X-1)/tileWidth; x++ {
			c.touched[y*c.columns+x] = true
		}
	}
}

// bounds is what an item may draw into, a little more rather than less.
func (c *Composer) bounds(it *scene.Item) image.Rectangle {
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, p := range it.Points {
		x0, y0, x1, y1 = min(x0, p[0]), min(y0, p[1]), max(x1, p[0]), max(y1, p[1])
	}
	grow := it.Halo + 2
	switch it.Kind {
	case scene.Line:
		grow += it.Width / 2
	case scene.Disc, scene.Ring:
		grow += it.Radius + it.Width/2
	case scene.Text:
		w, _ := c.faces.Measure(it.Text, it.Size, it.Bold)
		x1, y0, y1 = x1+w, y0-1.4*it.Size, y1+0.6*it.Size
		grow += it.Size / 2
	}
	if !(math.Abs(x0) < 1e6 && math.Abs(y0) < 1e6 && math.Abs(x1) < 1e6 && math.Abs(y1) < 1e6) {
		return c.canvas.Rect // far off, or no number: whatever comes of it, it is within the picture
	}
	return image.Rect(int(math.Floor(x0-grow)), int(math.Floor(y0-grow)), int(math.Ceil(x1+grow)), int(math.Ceil(y1+grow)))
}
