package opencv

import (
	"encoding/binary"
	"fmt"
	"image"
	"math"

	"gocv.io/x/gocv"

	"sightline/vision/geom"
	"sightline/vision/reloc"
)

// The scales that a point is described at: from its own down to a third, by steps of √2, so that a
// machine is known again from up to three times as far. Descriptors of ORB bear a quarter more or less.
const (
	describeScales = 4
	describeStep   = math.Sqrt2
)

// A descriptor covers a patch of this radius in pixels of its scale; its tests, turned, reach a little further.
const patchRadius, patchBorder = 15, 23

// Describe returns the descriptors of points (pixels of g) by ORB (Rublee et al., 2011), oriented by their
// patches, at several scales. A point too near the border has none.
func (Solvers) Describe(g *image.Gray, at []geom.Vec2) ([][]reloc.Descriptor, error) {
	out := make([][]reloc.Descriptor, len(at))
	orb := gocv.NewORBWithParams(1<<20, 1.2, 1, patchBorder, 0, 2, gocv.ORBScoreTypeHarris, 2*patchRadius+1, 20)
	defer orb.Close()
	full, err := gocv.ImageGrayToMatGray(g)
	if err != nil {
		return nil, fmt.Errorf("opencv: describe: %w", err)
	}
	defer full.Close()
	scale := 1.0
	for range describeScales {
		if err := describeAt(&orb, full, scale, at, out); err != nil {
			return nil, fmt.Errorf("opencv: describe: %w", err)
		}
		scale *= describeStep
	}
	return out, nil
}

// describeAt adds the descriptors of points in a picture made smaller by scale.
func describeAt(orb *gocv.ORB, full gocv.Mat, scale float64, at []geom.Vec2, out [][]reloc.Descriptor) error {
	img := gocv.NewMat()
	defer img.Close()
	size := image.Pt(int(float64(full.Cols())/scale+0.5), int(float64(full.Rows())/scale+0.5))
	if err := gocv.Resize(full, &img, size, 0, 0, gocv.InterpolationArea); err != nil {
		return err
	}
	pix, err := img.DataPtrUint8()
	if err != nil {
		return err
	}
	var keys []gocv.KeyPoint
	for i, p := range at {
		x, y := (p[0]+0.5)/scale-0.5, (p[1]+0.5)/scale-0.5
		if !(x >= patchBorder && y >= patchBorder && x < float64(size.X-patchBorder) && y < float64(size.Y-patchBorder)) {
			continue
		}
		keys = append(keys, gocv.KeyPoint{X: x, Y: y, Size: 2*patchRadius + 1, Response: 1, ClassID: i,
			Angle: direction(pix, size.X, int(x+0.5), int(y+0.5))})
	}
	if len(keys) == 0 {
		return nil
	}
	mask := gocv.NewMat()
	defer mask.Close()
	kept, rows := orb.Compute(img, mask, keys)
	defer rows.Close()
	if len(kept) == 0 {
		return nil
	}
	raw, err := rows.DataPtrUint8()
	if err != nil {
		return err
	}
	for k, key := range kept {
		var d reloc.Descriptor
		for w := range d {
			d[w] = binary.LittleEndian.Uint64(raw[32*k+8*w:])
		}
		out[key.ClassID] = append(out[key.ClassID], d)
	}
	return nil
}

// direction is that from the centre of a patch to its centroid of brightness, in degrees.
func direction(pix []uint8, stride, x, y int) float64 {
	m01, m10 := 0, 0
	for v := -patchRadius; v <= patchRadius; v++ {
		half := int(math.Sqrt(float64(patchRadius*patchRadius - v*v)))
		row := pix[(y+v)*stride+x-half : (y+v)*stride+x+half+1]
		for u, p := range row {
			m10 += (u - half) * int(p)
			m01 += v * int(p)
		}
	}
	a := math.Atan2(float64(m01), float64(m10)) * 180 / math.Pi
	if a < 0 {
		a += 360
	}
	return a
}
