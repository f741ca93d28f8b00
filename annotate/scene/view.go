package scene

import "sightline/vision/geom"

// View is where a picture lies in a viewport: whole, as large as it can be, in the middle. Pixels of the
// picture have their centres at whole numbers, as camera.Model has them; those of the viewport begin at 0.
type View struct {
	Scale         float64 // pixels of the viewport for one of the picture
	Left, Top     float64 // of the picture, in the viewport
	Width, Height float64 // of the picture, in the viewport
}

// Fit places a picture of frameW x frameH pixels into a viewport. Sizes below one pixel are taken as one.
func Fit(frameW, frameH int, viewportW, viewportH float64) View {
	fw, fh := max(1, float64(frameW)), max(1, float64(frameH))
	w, h := max(1, viewportW), max(1, viewportH)
	s := min(w/fw, h/fh)
	return View{Scale: s, Left: (w - s*fw) / 2, Top: (h - s*fh) / 2, Width: s * fw, Height: s * fh}
}

// ToViewport returns where a pixel of the picture lies in the viewport.
func (v View) ToViewport(px geom.Vec2) geom.Vec2 {
	return geom.Vec2{(px[0]+0.5)*v.Scale + v.Left, (px[1]+0.5)*v.Scale + v.Top}
}

// ToFrame returns the pixel of the picture under a point of the viewport; it may lie outside of both.
func (v View) ToFrame(p geom.Vec2) geom.Vec2 {
	return geom.Vec2{(p[0]-v.Left)/v.Scale - 0.5, (p[1]-v.Top)/v.Scale - 0.5}
}

// Contains says whether a point of the viewport is on the picture.
func (v View) Contains(p geom.Vec2) bool {
	return p[0] >= v.Left && p[1] >= v.Top && p[0] < v.Left+v.Width && p[1] < v.Top+v.Height
}
