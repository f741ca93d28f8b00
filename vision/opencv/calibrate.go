package opencv

// #include "shim_board.h"
import "C"

import (
	"fmt"
	"image"
	"unsafe"

	"sightline/vision/camera"
	"sightline/vision/geom"
)

// Chessboard finds the inner corners of a chessboard, columns x rows of them, by rows; false where it is not
// wholly in the picture.
func (Solvers) Chessboard(g *image.Gray, columns, rows int) ([]geom.Vec2, bool, error) {
	if columns < 3 || rows < 3 {
		return nil, false, fmt.Errorf("a chessboard of %dx%d inner corners: want at least 3x3", columns, rows)
	}
	at := make([]C.float, 2*columns*rows)
	var e cError
	msg, n := e.args()
	b := g.Bounds()
	got := C.sl_chessboard((*C.uchar)(unsafe.Pointer(&g.Pix[g.PixOffset(b.Min.X, b.Min.Y)])), C.int(b.Dx()), C.int(b.Dy()),
		C.int(g.Stride), C.int(columns), C.int(rows), &at[0], msg, n)
	if got < 0 {
		return nil, false, e.wrap("findChessboardCorners")
	}
	return points(at), got > 0, nil
}

// Calibration is a lens that was fitted to views of an object.
type Calibration struct {
	Model camera.Model
	// Sigma are the standard deviations of the model's parameters.
	Sigma camera.Model
	// RMS is the root mean square error in pixels, PerView that of each view.
	RMS     float64
	PerView []float64
	// PoseCO takes the object's frame to the camera's, for each view.
	PoseCO []geom.Pose
}

// Calibrate fits a lens to views of one object (Zhang, 2000): seen has the pixels of the object's points in
// each view. The object's points lie in the plane z = 0. k3 says whether the third radial coefficient is
// fitted, or 0: a usual lens has none, and fitted it takes up noise.
func (Solvers) Calibrate(object []geom.Vec3, seen [][]geom.Vec2, width, height int, k3 bool) (Calibration, error) {
	if len(seen) < 3 {
		return Calibration{}, fmt.Errorf("calibration: %d views, at least 3 are needed", len(seen))
	}
	o := make([]C.float, 0, 3*len(object))
	for _, p := range object {
		o = append(o, C.float(p[0]), C.float(p[1]), C.float(p[2]))
	}
	var s []C.float
	for i, view := range seen {
		if len(view) != len(object) {
			return Calibration{}, fmt.Errorf("calibration: view %d has %d points, the object %d", i, len(view), len(object))
		}
		s = append(s, floats(view)...)
	}
	n := len(seen)
	var model, sigma [9]C.double
	var rms C.double
	var fitK3 C.int
	if k3 {
		fitK3 = 1
	}
	each, r, t := make([]C.double, n), make([]C.double, 9*n), make([]C.double, 3*n)
	var e cError
	msg, size := e.args()
	if C.sl_calibrate(&o[0], C.int(len(object)), &s[0], C.int(n), C.int(width), C.int(height), fitK3,
		&model[0], &sigma[0], &each[0], &r[0], &t[0], &rms, msg, size) < 0 {
		return Calibration{}, e.wrap("calibrateCamera")
	}
	c := Calibration{Model: lens(model, width, height), Sigma: lens(sigma, width, height), RMS: float64(rms)}
	for i := range n {
		c.PerView = append(c.PerView, float64(each[i]))
		c.PoseCO = append(c.PoseCO, pose([9]C.double(r[9*i:9*i+9]), [3]C.double(t[3*i:3*i+3])))
	}
	return c, nil
}

// lens reads fx fy cx cy k1 k2 p1 p2 k3.
func lens(v [9]C.double, width, height int) camera.Model {
	f := func(i int) float64 { return float64(v[i]) }
	return camera.Model{Width: width, Height: height, Fx: f(0), Fy: f(1), Cx: f(2), Cy: f(3), K1: f(4), K2: f(5), P1: f(6), P2: f(7), K3: f(8)}
}
