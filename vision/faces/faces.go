// Package faces finds faces in pictures: upright, tilted and half turned ones that look at the camera more or less.
// It misses some, above all in profile, from above, and small or covered ones; and it takes other things for faces.
// It needs no cgo. It is the only importer of pigo.
package faces

import (
	"cmp"
	"fmt"
	"image"
	"math"
	"slices"

	pigo "github.com/esimov/pigo/core"

	"sightline/assets"
)

// Face is where a face is in a picture, from the forehead to the chin.
type Face struct {
	Box   image.Rectangle
	Score float64 // how sure that is; Sure and above counts
}

// Finder finds faces. One goroutine uses it.
type Finder struct {
	cascade *pigo.Pigo
	small   []uint8
}

const (
	// Sure is the least score of a face.
	Sure = 5
	// width is what pictures are reduced to: in it the smallest face has smallest pixels.
	width    = 640
	smallest = 20
	// Boxes of one face overlap by at least this share of what they cover together.
	overlap = 0.15
)

// Turns in which faces are looked for, in full turns: upright, and 29 degrees to either side.
const (
	Upright = 0.0
	Left    = 0.08
	Right   = 0.92
)

// New makes a finder. It fails where the cascade that is built in is damaged.
func New() (*Finder, error) {
	cascade, err := pigo.NewPigo().Unpack(assets.FaceFinder())
	if err != nil {
		return nil, fmt.Errorf("faces: %w", err)
	}
	return &Finder{cascade: cascade}, nil
}

// Find returns the faces of a picture of grey values in some turns, the surest first. Each turn takes its time.
func (f *Finder) Find(grey *image.Gray, turns ...float64) []Face {
	size := grey.Rect.Size()
	if size.X < smallest || size.Y < smallest {
		return nil
	}
	scale := max(1, float64(size.X)/width)
	w, h := int(float64(size.X)/scale), int(float64(size.Y)/scale)
	f.reduce(grey, w, h)
	params := pigo.CascadeParams{MinSize: smallest, MaxSize: min(w, h), ShiftFactor: 0.1, ScaleFactor: 1.1,
		ImageParams: pigo.ImageParams{Pixels: f.small, Rows: h, Cols: w, Dim: w}}
	var all []pigo.Detection
	for _, turn := range turns {
		all = append(all, f.cascade.RunCascade(params, turn)...)
	}
	var out []Face
	for _, d := range f.cascade.ClusterDetections(all, overlap) {
		if d.Q < Sure {
			continue
		}
		r := float64(d.Scale) / 2
		box := image.Rect(int((float64(d.Col)-r)*scale), int((float64(d.Row)-r)*scale), int(math.Ceil((float64(d.Col)+r)*scale)), int(math.Ceil((float64(d.Row)+r)*scale)))
		out = append(out, Face{box.Add(grey.Rect.Min).Intersect(grey.Rect), float64(d.Q)})
	}
	slices.SortStableFunc(out, func(a, b Face) int { return cmp.Compare(b.Score, a.Score) })
	return out
}

// reduce makes the small picture: each pixel the mean of those it stands for.
func (f *Finder) reduce(grey *image.Gray, w, h int) {
	if cap(f.small) < w*h {
		f.small = make([]uint8, w*h)
	}
	f.small = f.small[:w*h]
	size := grey.Rect.Size()
	for y := range h {
		y0, y1 := y*size.Y/h, max(y*size.Y/h+1, (y+1)*size.Y/h)
		for x := range w {
			x0, x1 := x*size.X/w, max(x*size.X/w+1, (x+1)*size.X/w)
			sum := 0
			for v := y0; v < y1; v++ {
				for _, p := range grey.Pix[v*grey.Stride+x0 : v*grey.Stride+x1] {
					sum += int(p)
				}
			}
			f.small[y*w+x] = uint8(sum / ((y1 - y0) * (x1 - x0)))
		}
	}
}
