package raster

import (
	"image"
	"math"

	"sightline/annotate/scene"
)

// yuvTables are the products of JFIF's conversion (ITU-T T.871, 7) in sixteenths bits.
type yuvTables struct {
	rv, gu, gv, bu [256]int32
}

func newYUVTables() (t yuvTables) {
	for i := range 256 {
		c := int32(i) - 128
		t.rv[i] = 91881 * c // 1.402
		t.gu[i] = -22554 * c
		t.gv[i] = -46802 * c
		t.bu[i] = 116130 * c // 1.772
	}
	return t
}

// scaler keeps, for each column of the target, the two columns of the source and their weight.
type scaler struct {
	from, to int
	left     []int32 // first of the two columns
	chroma   []int32
	weight   []uint32 // of the second, in 256ths
	mix      []uint8  // a row of luma, scaled
}

// prepare fills the tables for a row of that length.
func (s *scaler) prepare(from, to int) {
	if s.from == from && s.to == to {
		return
	}
	s.from, s.to = from, to
	s.left, s.chroma, s.weight, s.mix = make([]int32, to), make([]int32, to), make([]uint32, to), make([]uint8, to)
	for x := range to {
		i, w := between(x, from, to)
		s.left[x], s.weight[x] = int32(i), w
		s.chroma[x] = int32(min(int((float64(x)+0.5)*float64(from)/float64(to)), from-1) / 2)
	}
}

// between returns which two of the source's pixels a target's lies between, as the first and the weight
// of the second in 256ths.
func between(x, from, to int) (int, uint32) {
	f := (float64(x)+0.5)*float64(from)/float64(to) - 0.5
	f = max(0, min(float64(from-1), f))
	i := min(int(f), max(0, from-2))
	return i, uint32(math.Round(256 * (f - float64(i))))
}

// Picture draws a picture where the view has it, scaled bilinearly where it is not 1:1, and black around
// it.
func (p *Painter) Picture(dst *image.RGBA, src *image.YCbCr, view scene.View) {
	area := image.Rect(int(math.Round(view.Left)), int(math.Round(view.Top)),
		int(math.Round(view.Left+view.Width)), int(math.Round(view.Top+view.Height))).Intersect(dst.Rect)
	clearAround(dst, area)
	sw, sh := src.Rect.Dx(), src.Rect.Dy()
	if area.Empty() || sw < 1 || sh < 1 || src.SubsampleRatio != image.YCbCrSubsampleRatio420 {
		return
	}
	w, h := area.Dx(), area.Dy()
	p.rows.prepare(sw, w)
	for y := range h {
		out := dst.Pix[dst.PixOffset(area.Min.X, area.Min.Y+y):][:4*w]
		cy := src.COffset(src.Rect.Min.X, src.Rect.Min.Y+min(int((float64(y)+0.5)*float64(sh)/float64(h)), sh-1))
		if w == sw && h == sh {
			yo := src.YOffset(src.Rect.Min.X, src.Rect.Min.Y+y)
			p.plain(out, src.Y[yo:yo+w], src.Cb[cy:], src.Cr[cy:])
			continue
		}
		i, weight := between(y, sh, h)
		a := src.Y[i*src.YStride:][:sw]
		b := src.Y[min(i+1, sh-1)*src.YStride:][:sw]
		p.rows.luma(a, b, weight)
		p.scaled(out, src.Cb[cy:], src.Cr[cy:])
	}
}

func clearAround(dst *image.RGBA, area image.Rectangle) {
	if area == dst.Rect {
		return
	}
	for y := dst.Rect.Min.Y; y < dst.Rect.Max.Y; y++ {
		row := dst.Pix[dst.PixOffset(dst.Rect.Min.X, y):][:4*dst.Rect.Dx()]
		if y < area.Min.Y || y >= area.Max.Y {
			black(row)
			continue
		}
		black(row[:4*(area.Min.X-dst.Rect.Min.X)])
		black(row[4*(area.Max.X-dst.Rect.Min.X):])
	}
}

func black(row []uint8) {
	clear(row)
	for i := 3; i < len(row); i += 4 {
		row[i] = 255
	}
}

// luma makes one scaled row of two source rows.
func (s *scaler) luma(a, b []uint8, weight uint32) {
	if len(a) < 2 {
		for x := range s.mix {
			s.mix[x] = a[0]
		}
		return
	}
	up := 256 - weight
	for x, i := range s.left {
		w := s.weight[x]
		top := uint32(a[i])*(256-w) + uint32(a[i+1])*w
		bottom := uint32(b[i])*(256-w) + uint32(b[i+1])*w
		s.mix[x] = uint8((top*up + bottom*weight + 1<<15) >> 16)
	}
}

func (p *Painter) plain(out, y, cb, cr []uint8) {
	for x := range y {
		p.put(out[4*x:4*x+4:4*x+4], y[x], cb[x/2], cr[x/2])
	}
}

func (p *Painter) scaled(out, cb, cr []uint8) {
	for x, c := range p.rows.chroma {
		p.put(out[4*x:4*x+4:4*x+4], p.rows.mix[x], cb[c], cr[c])
	}
}

// put writes one pixel.
func (p *Painter) put(q []uint8, y, cb, cr uint8) {
	t := &p.yuv
	l := int32(y)<<16 + 1<<15
	q[0] = clamp8((l + t.rv[cr]) >> 16)
	q[1] = clamp8((l + t.gu[cb] + t.gv[cr]) >> 16)
	q[2] = clamp8((l + t.bu[cb]) >> 16)
	q[3] = 255
}

func clamp8(v int32) uint8 {
	if uint32(v) <= 255 {
		return uint8(v)
	}
	return uint8(^(v >> 31))
}
