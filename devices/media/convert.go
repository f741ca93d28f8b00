package media

import (
	"image"
	"image/color"
	"image/draw"
)

// to420 writes any picture into a 4:2:0 one of the same size. Chroma is the mean of its pixels.
func to420(dst *image.YCbCr, src image.Image) {
	switch s := src.(type) {
	case *image.YCbCr:
		ycbcrTo420(dst, s)
	case *image.RGBA:
		rgbaTo420(dst, s.Pix[s.PixOffset(s.Rect.Min.X, s.Rect.Min.Y):], s.Stride)
	case *image.NRGBA:
		rgbaTo420(dst, s.Pix[s.PixOffset(s.Rect.Min.X, s.Rect.Min.Y):], s.Stride)
	case *image.Gray:
		grayTo420(dst, s)
	default:
		b := src.Bounds()
		rgba := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
		draw.Draw(rgba, rgba.Rect, src, b.Min, draw.Src)
		rgbaTo420(dst, rgba.Pix, rgba.Stride)
	}
}

func grayTo420(dst *image.YCbCr, s *image.Gray) {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	for y := range h {
		o := s.PixOffset(s.Rect.Min.X, s.Rect.Min.Y+y)
		copy(dst.Y[y*dst.YStride:][:w], s.Pix[o:])
	}
	fill(dst.Cb, 128)
	fill(dst.Cr, 128)
}

func fill(b []uint8, v uint8) {
	for i := range b {
		b[i] = v
	}
}

func ycbcrTo420(dst, s *image.YCbCr) {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	for y := range h {
		o := s.YOffset(s.Rect.Min.X, s.Rect.Min.Y+y)
		copy(dst.Y[y*dst.YStride:][:w], s.Y[o:o+w])
	}
	cw, ch := (w+1)/2, (h+1)/2
	if s.SubsampleRatio == image.YCbCrSubsampleRatio420 {
		for y := range ch {
			o := s.COffset(s.Rect.Min.X, s.Rect.Min.Y+2*y)
			copy(dst.Cb[y*dst.CStride:][:cw], s.Cb[o:o+cw])
			copy(dst.Cr[y*dst.CStride:][:cw], s.Cr[o:o+cw])
		}
		return
	}
	for y := range ch {
		for x := range cw {
			var o [4]int
			for i := range o {
				o[i] = s.COffset(s.Rect.Min.X+min(2*x+i&1, w-1), s.Rect.Min.Y+min(2*y+i>>1, h-1))
			}
			d := y*dst.CStride + x
			dst.Cb[d] = uint8((int(s.Cb[o[0]]) + int(s.Cb[o[1]]) + int(s.Cb[o[2]]) + int(s.Cb[o[3]]) + 2) / 4)
			dst.Cr[d] = uint8((int(s.Cr[o[0]]) + int(s.Cr[o[1]]) + int(s.Cr[o[2]]) + int(s.Cr[o[3]]) + 2) / 4)
		}
	}
}

// rgbaTo420 converts rows of four bytes R, G, B, A; A is not looked at. The weights are JFIF's, in
// sixteenths bits, as image/color has them.
func rgbaTo420(dst *image.YCbCr, pix []uint8, stride int) {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	for y := range h {
		row, out := pix[y*stride:], dst.Y[y*dst.YStride:][:w]
		for x := range out {
			p := row[4*x : 4*x+3 : 4*x+3]
			out[x] = uint8((19595*uint32(p[0]) + 38470*uint32(p[1]) + 7471*uint32(p[2]) + 1<<15) >> 16)
		}
	}
	for y := 0; y < h; y += 2 {
		a, b := pix[y*stride:], pix[min(y+1, h-1)*stride:]
		d := y / 2 * dst.CStride
		for x := 0; x < w; x += 2 {
			x0, x1 := 4*x, 4*min(x+1, w-1)
			r := (int(a[x0]) + int(a[x1]) + int(b[x0]) + int(b[x1]) + 2) / 4
			g := (int(a[x0+1]) + int(a[x1+1]) + int(b[x0+1]) + int(b[x1+1]) + 2) / 4
			bl := (int(a[x0+2]) + int(a[x1+2]) + int(b[x0+2]) + int(b[x1+2]) + 2) / 4
			_, dst.Cb[d], dst.Cr[d] = color.RGBToYCbCr(uint8(r), uint8(g), uint8(bl))
			d++
		}
	}
}

// Into420 writes a picture into a 4:2:0 one of the same size, which may be a part of a larger one; its corner then
// has even coordinates.
func Into420(dst *image.YCbCr, src image.Image) { to420(dst, src) }

// FromImage returns any picture as 4:2:0, full-range BT.601.
func FromImage(src image.Image) *image.YCbCr {
	b := src.Bounds()
	dst := image.NewYCbCr(image.Rect(0, 0, b.Dx(), b.Dy()), image.YCbCrSubsampleRatio420)
	to420(dst, src)
	return dst
}
