// Package view makes the picture that the technician sees, and writes it to files.
package view

import (
	"image"

	"sightline/annotate/raster"
	"sightline/annotate/scene"
	"sightline/annotate/typeset"
)

// The size of a headset's display, in pixels.
const (
	Width  = 854
	Height = 480
)

// View composes pictures. One goroutine uses it.
type View struct {
	builder *scene.Builder
	painter *raster.Painter
	picture *image.RGBA
	black   *image.YCbCr
}

// New makes a view.
func New() (*View, error) {
	faces, err := typeset.New()
	if err != nil {
		return nil, err
	}
	return &View{builder: scene.NewBuilder(faces), painter: raster.New(faces),
		picture: image.NewRGBA(image.Rect(0, 0, Width, Height))}, nil
}

// Build says what is to be seen. It is valid until the next Build.
func (v *View) Build(in scene.Input) scene.Result {
	in.Width, in.Height = Width, Height
	return v.builder.Build(in)
}

// Paint draws it over the camera's picture, over black where that is nil. The picture is valid until the
// next Paint.
func (v *View) Paint(r scene.Result, picture *image.YCbCr) *image.RGBA {
	if picture == nil {
		picture = v.dark()
	}
	v.painter.Compose(v.picture, picture, r.View, r.Items)
	return v.picture
}

// dark is a picture without light.
func (v *View) dark() *image.YCbCr {
	if v.black == nil {
		v.black = image.NewYCbCr(image.Rect(0, 0, Width, Height), image.YCbCrSubsampleRatio420)
		for i := range v.black.Cb {
			v.black.Cb[i], v.black.Cr[i] = 128, 128
		}
	}
	return v.black
}
