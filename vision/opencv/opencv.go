// Package opencv is the edge to OpenCV: the only importer of gocv, and of a small C++ shim over the same
// library for the calls that gocv does not wrap. No Mat and no C pointer leaves it.
package opencv

/*
#cgo pkg-config: opencv4
#cgo CXXFLAGS: -std=c++17 -O2 -Wall -Wno-deprecated-enum-enum-conversion
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"image"
	"sync/atomic"
	"unsafe"

	"sightline/vision/geom"
)

const errLen = 512

// cError is room for the words of an exception.
type cError [errLen]C.char

func (e *cError) args() (*C.char, C.int) { return &e[0], errLen }

func (e *cError) wrap(call string) error {
	return fmt.Errorf("opencv: %s: %s", call, C.GoString(&e[0]))
}

// floats flattens points to pairs of float, as the shim has them.
func floats(p []geom.Vec2) []C.float {
	f := make([]C.float, 2*len(p))
	for i, v := range p {
		f[2*i], f[2*i+1] = C.float(v[0]), C.float(v[1])
	}
	return f
}

func points(f []C.float) []geom.Vec2 {
	p := make([]geom.Vec2, len(f)/2)
	for i := range p {
		p[i] = geom.Vec2{float64(f[2*i]), float64(f[2*i+1])}
	}
	return p
}

func bools(b []C.uchar) []bool {
	out := make([]bool, len(b))
	for i, v := range b {
		out[i] = v != 0
	}
	return out
}

func pose(r [9]C.double, t [3]C.double) geom.Pose {
	var p geom.Pose
	for i := range r {
		p.R[i] = float64(r[i])
	}
	for i := range t {
		p.T[i] = float64(t[i])
	}
	return p
}

// live counts the pyramids that were made and not closed, for leak tests.
var live atomic.Int64

// LivePyramids returns how many pyramids are open in this process.
func LivePyramids() int64 { return live.Load() }

// Pyramid is a grey picture at several scales with its gradients, ready for Flow. It holds C memory of
// about nine bytes a pixel; Close frees it. It is immutable: any number of goroutines may read it.
type Pyramid struct {
	c             *C.sl_pyramid
	width, height int
}

// window is the side, in pixels, of the patch that Flow follows, and levels how often a pyramid's picture is halved: a
// guess may be off by about half a window at the coarsest scale, 10·2³ = 80 px.
const (
	window = 21
	levels = 3
)

// NewPyramid copies a grey picture and builds its pyramid.
func NewPyramid(g *image.Gray) (*Pyramid, error) {
	b := g.Bounds()
	if b.Dx() < 4*window || b.Dy() < 4*window {
		return nil, fmt.Errorf("opencv: picture of %dx%d is too small to track in, at least %d pixels a side", b.Dx(), b.Dy(), 4*window)
	}
	var e cError
	msg, n := e.args()
	c := C.sl_pyramid_new((*C.uchar)(unsafe.Pointer(&g.Pix[g.PixOffset(b.Min.X, b.Min.Y)])),
		C.int(b.Dx()), C.int(b.Dy()), C.int(g.Stride), window, levels, msg, n)
	if c == nil {
		return nil, e.wrap("buildOpticalFlowPyramid")
	}
	live.Add(1)
	return &Pyramid{c: c, width: b.Dx(), height: b.Dy()}, nil
}

// Close frees the pyramid. It must not be used afterwards; closing twice is harmless.
func (p *Pyramid) Close() {
	if p.c != nil {
		C.sl_pyramid_free(p.c)
		p.c = nil
		live.Add(-1)
	}
}

// Flow follows points from this picture to another, each from its guess, by pyramidal Lucas-Kanade. It
// returns where they went and which were found. guess must be as long as at.
//
// It begins where the pictures are halved so many times, at most levels: guesses may be off by about 10 px times two
// to the power of that.
func (p *Pyramid) Flow(to *Pyramid, at, guess []geom.Vec2, halvings int) ([]geom.Vec2, []bool, error) {
	if len(at) == 0 {
		return nil, nil, nil
	}
	a, f, ok := floats(at), floats(guess), make([]C.uchar, len(at))
	var e cError
	msg, n := e.args()
	if C.sl_flow(p.c, to.c, &a[0], &f[0], C.int(len(at)), window, C.int(min(halvings, levels)), &ok[0], msg, n) < 0 {
		return nil, nil, e.wrap("calcOpticalFlowPyrLK")
	}
	return points(f), bools(ok), nil
}

// Corners returns up to most corners worth following, the strongest first, at least distance pixels
// from each other and from those taken.
func (p *Pyramid) Corners(taken []geom.Vec2, most int, distance float64) ([]geom.Vec2, error) {
	if most <= 0 {
		return nil, nil
	}
	t := append(floats(taken), 0)
	out := make([]C.float, 2*most)
	var e cError
	msg, n := e.args()
	got := C.sl_corners(p.c, &t[0], C.int(len(taken)), C.float(distance), window/2+1, cornerQuality, &out[0], C.int(most), msg, n)
	if got < 0 {
		return nil, e.wrap("goodFeaturesToTrack")
	}
	return points(out[:2*got]), nil
}

// cornerQuality is the least eigenvalue of a corner as a share of the strongest one's in the picture.
// Weak corners are wanted too: machines are smooth, and Flow's own test refuses what cannot be followed.
const cornerQuality = 0.003

// Small returns a copy of the coarsest level: the picture at an eighth of its size.
func (p *Pyramid) Small() *image.Gray {
	w, h := (p.width+7)/8, (p.height+7)/8
	g := image.NewGray(image.Rect(0, 0, w, h))
	C.sl_level(p.c, levels, (*C.uchar)(&g.Pix[0]), C.int(w), C.int(h))
	return g
}
