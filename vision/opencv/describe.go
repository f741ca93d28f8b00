package opencv

// #include "describe.h"
import "C"

import (
	"encoding/binary"
	"image"
	"math"
	"unsafe"

	"sightline/vision/geom"
	"sightline/vision/reloc"
)

// The scales that a point is described at: from its own down to a third, by steps of √2, so that a
// machine is known again from up to three times as far. Descriptors of ORB bear a quarter more or less.
const (
	describeScales = 4
	describeStep   = math.Sqrt2
)

// Describe returns the descriptors of points (pixels of g), oriented by their patches, at several scales.
// A point too near the border has none.
func (Solvers) Describe(g *image.Gray, at []geom.Vec2) ([][]reloc.Descriptor, error) {
	out := make([][]reloc.Descriptor, len(at))
	if len(at) == 0 {
		return out, nil
	}
	f := floats(at)
	raw := make([]byte, 32*describeScales*len(at))
	ok := make([]byte, describeScales*len(at))
	b := g.Bounds()
	var e cError
	msg, n := e.args()
	if C.sl_describe((*C.uchar)(unsafe.Pointer(&g.Pix[g.PixOffset(b.Min.X, b.Min.Y)])), C.int(b.Dx()), C.int(b.Dy()), C.int(g.Stride),
		&f[0], C.int(len(at)), describeScales, describeStep,
		(*C.uchar)(&raw[0]), (*C.uchar)(&ok[0]), msg, n) < 0 {
		return nil, e.wrap("ORB")
	}
	for i := range at {
		for s := range describeScales {
			k := i*describeScales + s
			if ok[k] == 0 {
				continue
			}
			var d reloc.Descriptor
			for w := range d {
				d[w] = binary.LittleEndian.Uint64(raw[32*k+8*w:])
			}
			out[i] = append(out[i], d)
		}
	}
	return out, nil
}
