package media

import "image"

// Halve returns the picture at half its width and height, each pixel the mean of four, in dst where that has the size for
// it and else in a new picture. A width or height that does not halve to an even number loses its last pixels.
func Halve(dst, src *image.YCbCr) *image.YCbCr {
	w, h := src.Rect.Dx()/4*2, src.Rect.Dy()/4*2
	if dst == nil || dst.Rect != image.Rect(0, 0, w, h) {
		dst = image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
	}
	y, c := src.YOffset(src.Rect.Min.X, src.Rect.Min.Y), src.COffset(src.Rect.Min.X, src.Rect.Min.Y)
	halve(dst.Y, dst.YStride, src.Y[y:], src.YStride, w, h)
	halve(dst.Cb, dst.CStride, src.Cb[c:], src.CStride, w/2, h/2)
	halve(dst.Cr, dst.CStride, src.Cr[c:], src.CStride, w/2, h/2)
	return dst
}

// halve fills w x h bytes with the means of four.
func halve(dst []byte, stride int, src []byte, from, w, h int) {
	for y := range h {
		out := dst[y*stride:][:w]
		above := src[2*y*from:][:2*w]
		below := src[(2*y+1)*from:][:2*w]
		for x := range out {
			out[x] = byte((int(above[2*x]) + int(above[2*x+1]) + int(below[2*x]) + int(below[2*x+1]) + 2) >> 2)
		}
	}
}
