// Package capture is the camera as the field client uses it: it opens a source, hands each frame out,
// and opens a camera again that was pulled out.
package capture

import (
	"image"
	"sync/atomic"

	"sightline/devices"
	"sightline/vision/camera"
)

// Frame is a picture that several goroutines look at; nobody writes it.
type Frame struct {
	devices.Frame
	// Lens is the camera's, for exactly this picture's size.
	Lens camera.Model
	// Guessed says that the lens is a guess, but for the picture's size.
	Guessed bool
	refs    *atomic.Int32
}

// share makes a frame for one holder.
func share(f devices.Frame, lens camera.Model, guessed bool) Frame {
	refs := new(atomic.Int32)
	refs.Store(1)
	return Frame{Frame: f, Lens: lens, Guessed: guessed, refs: refs}
}

// Again returns the frame for one more holder.
func (f Frame) Again() Frame {
	f.refs.Add(1)
	return f
}

// Release gives the frame back; each holder calls it once.
func (f Frame) Release() {
	if f.refs.Add(-1) == 0 {
		f.Frame.Release()
	}
}

// Grey is the picture's luminance, sharing its memory.
func (f Frame) Grey() *image.Gray {
	p := f.Picture
	return &image.Gray{Pix: p.Y[p.YOffset(p.Rect.Min.X, p.Rect.Min.Y):], Stride: p.YStride,
		Rect: image.Rect(0, 0, p.Rect.Dx(), p.Rect.Dy())}
}

// even cuts a picture to even sides, as the codec wants them.
func even(p *image.YCbCr) *image.YCbCr {
	w, h := p.Rect.Dx()&^1, p.Rect.Dy()&^1
	if w == p.Rect.Dx() && h == p.Rect.Dy() {
		return p
	}
	return p.SubImage(image.Rect(p.Rect.Min.X, p.Rect.Min.Y, p.Rect.Min.X+w, p.Rect.Min.Y+h)).(*image.YCbCr)
}
