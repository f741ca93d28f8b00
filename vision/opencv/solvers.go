package opencv

// #include "shim.h"
import "C"

import (
	"unsafe"

	"sightline/vision/geom"
	"sightline/vision/track"
)

// Solvers are OpenCV's robust estimators. The zero value is ready, for any number of goroutines.
type Solvers struct{}

// Motions returns the hypotheses for two pictures of the same points in normalized coordinates: one of
// the essential matrix and up to four of a homography. threshold is in normalized units. The caller
// decides between them by triangulation; an empty answer means that no model fits.
func (Solvers) Motions(a, b []geom.Vec2, threshold float64) ([]track.Motion, error) {
	if len(a) < 8 {
		return nil, nil
	}
	fa, fb := floats(a), floats(b)
	e, err := essential(fa, fb, threshold)
	if err != nil {
		return nil, err
	}
	h, err := homography(fa, fb, threshold)
	if err != nil {
		return nil, err
	}
	return append(e, h...), nil
}

func essential(a, b []C.float, threshold float64) ([]track.Motion, error) {
	var r [9]C.double
	var t [3]C.double
	var e cError
	msg, n := e.args()
	in := make([]C.uchar, len(a)/2)
	got := C.sl_essential(&a[0], &b[0], C.int(len(in)), C.double(threshold), &r[0], &t[0], &in[0], msg, n)
	if got < 0 {
		return nil, e.wrap("findEssentialMat")
	}
	if got == 0 {
		return nil, nil
	}
	return []track.Motion{{PoseBA: pose(r, t), Inlier: bools(in)}}, nil
}

func homography(a, b []C.float, threshold float64) ([]track.Motion, error) {
	const most = 4
	var r [9 * most]C.double
	var t [3 * most]C.double
	var h [9]C.double
	var e cError
	msg, n := e.args()
	in := make([]C.uchar, len(a)/2)
	got := C.sl_homography(&a[0], &b[0], C.int(len(in)), C.double(threshold), &r[0], &t[0], most, &h[0], &in[0], msg, n)
	if got < 0 {
		return nil, e.wrap("findHomography")
	}
	var out []track.Motion
	for k := range int(got) {
		m := track.Motion{PoseBA: pose([9]C.double(r[9*k:]), [3]C.double(t[3*k:])), Inlier: bools(in)}
		if l := m.PoseBA.T.Norm(); l > 1e-9 {
			m.PoseBA.T = m.PoseBA.T.Scale(1 / l)
			out = append(out, m)
		}
	}
	return out, nil
}

// PnP returns the pose of a camera (poseCW) that sees known world points at normalized coordinates,
// by RANSAC over EPnP, and which points agree within the threshold (normalized units). ok is false
// where no pose was found.
func (Solvers) PnP(world []geom.Vec3, seen []geom.Vec2, threshold float64) (poseCW geom.Pose, inlier []bool, ok bool, err error) {
	if len(world) < 6 {
		return poseCW, nil, false, nil
	}
	in := make([]C.uchar, len(world))
	var r [9]C.double
	var t [3]C.double
	var e cError
	msg, n := e.args()
	got := C.sl_pnp((*C.double)(unsafe.Pointer(&world[0])), (*C.double)(unsafe.Pointer(&seen[0])), C.int(len(world)),
		C.double(threshold), &r[0], &t[0], &in[0], msg, n)
	if got < 0 {
		return poseCW, nil, false, e.wrap("solvePnPRansac")
	}
	return pose(r, t), bools(in), got > 0, nil
}
