// Package camera is the lens: how a point in front of a camera becomes a pixel, and back.
package camera

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"sightline/vision/geom"
)

// Model is a pinhole camera with the radial-tangential distortion of OpenCV (Brown-Conrady). All of
// it is in pixels of a picture of Width x Height, pixel centres at whole numbers. The zero Model is no
// camera: Valid says so.
type Model struct {
	Width  int `json:"w"`
	Height int `json:"h"`
	// Fx and Fy are the focal lengths, Cx and Cy the principal point, in pixels.
	Fx float64 `json:"fx"`
	Fy float64 `json:"fy"`
	Cx float64 `json:"cx"`
	Cy float64 `json:"cy"`
	// K1, K2 and K3 are the radial, P1 and P2 the tangential coefficients, without unit.
	K1 float64 `json:"k1,omitempty"`
	K2 float64 `json:"k2,omitempty"`
	P1 float64 `json:"p1,omitempty"`
	P2 float64 `json:"p2,omitempty"`
	K3 float64 `json:"k3,omitempty"`
	// Readout is how long the sensor takes from reading its first row to its last, in seconds: a rolling shutter, negative
	// where it reads the picture from below; of one that is Upright the columns from the left. 0 where
	// all rows are of one moment, or where it is not known.
	Readout float64 `json:"readout,omitempty"`
}

// FromFOV guesses a model without distortion from the horizontal field of view in radians.
func FromFOV(width, height int, fov float64) Model {
	f := float64(width) / 2 / math.Tan(fov/2)
	return Model{Width: width, Height: height, Fx: f, Fy: f, Cx: float64(width-1) / 2, Cy: float64(height-1) / 2}
}

// Focal is the mean focal length in pixels.
func (m Model) Focal() float64 { return (m.Fx + m.Fy) / 2 }

// FOV is the horizontal field of view in radians, without distortion.
func (m Model) FOV() float64 { return 2 * math.Atan(float64(m.Width)/2/m.Fx) }

// Valid returns an error that names what is wrong with the model, or nil.
func (m Model) Valid() error {
	switch {
	case m.Width < 16 || m.Height < 16 || m.Width > 16384 || m.Height > 16384:
		return fmt.Errorf("camera model: picture of %dx%d pixels", m.Width, m.Height)
	case !(m.Fx > 0) || !(m.Fy > 0) || math.IsInf(m.Fx+m.Fy, 0):
		return fmt.Errorf("camera model: focal length %g, %g px must be positive", m.Fx, m.Fy)
	case math.Abs(m.Readout) > 1:
		return fmt.Errorf("camera model: %g seconds to read a picture: want at most 1, and about 0.03", m.Readout)
	case math.IsNaN(m.sum()) || math.IsInf(m.sum(), 0):
		return errors.New("camera model: a parameter is not a number")
	}
	return nil
}

// sum is no number where a parameter is none.
func (m Model) sum() float64 {
	return m.Cx + m.Cy + m.K1 + m.K2 + m.P1 + m.P2 + m.K3 + m.Readout
}

// Upright says that a picture is higher than wide. Sensors lie, so it was turned, as a phone's is that is held upright, and
// what the sensor read row by row are its columns.
func (m Model) Upright() bool { return m.Height > m.Width }

// Down is how far into the reading of the picture a pixel is: -1/2 in the first row, 0 in the middle, 1/2 in the last; of one
// that is Upright the columns.
func (m Model) Down(px geom.Vec2) float64 {
	if m.Upright() {
		return px[0]/float64(m.Width-1) - 0.5
	}
	return px[1]/float64(m.Height-1) - 0.5
}

// Late is how much later than the middle row a pixel was read, in seconds.
func (m Model) Late(px geom.Vec2) float64 { return m.Readout * m.Down(px) }

// Zoomed returns the model with the focal length multiplied.
func (m Model) Zoomed(by float64) Model {
	m.Fx, m.Fy = m.Fx*by, m.Fy*by
	return m
}

// Resized returns the model of the same camera for a picture scaled to width x height.
func (m Model) Resized(width, height int) Model {
	sx, sy := float64(width)/float64(m.Width), float64(height)/float64(m.Height)
	r := m
	r.Width, r.Height = width, height
	r.Fx, r.Fy = m.Fx*sx, m.Fy*sy
	r.Cx, r.Cy = (m.Cx+0.5)*sx-0.5, (m.Cy+0.5)*sy-0.5
	return r
}

// Project returns the pixel of a point in the camera's frame; ok is false behind the camera.
func (m Model) Project(c geom.Vec3) (px geom.Vec2, ok bool) {
	if c[2] <= 1e-9 {
		return geom.Vec2{}, false
	}
	d := m.distort(geom.Vec2{c[0] / c[2], c[1] / c[2]})
	return geom.Vec2{m.Fx*d[0] + m.Cx, m.Fy*d[1] + m.Cy}, true
}

// ProjectRolling is Project for a camera that moves by roll while it reads the picture from its first row to its last; c is in
// the frame of the middle row. See Down.
func (m Model) ProjectRolling(c geom.Vec3, roll geom.Twist) (px geom.Vec2, ok bool) {
	px, ok = m.Project(c)
	if roll == (geom.Twist{}) {
		return px, ok
	}
	for range 2 {
		if !ok {
			break
		}
		px, ok = m.Project(c.Add(roll.At(c).Scale(m.Down(px))))
	}
	return px, ok && px.Finite()
}

// ProjectRows is Project of a point p of the world for a camera whose rows have poses of their own; poseCW says that of the row
// of a pixel. It returns the depth in the pose of the row that sees the point as well.
func (m Model) ProjectRows(poseCW func(px geom.Vec2) geom.Pose, p geom.Vec3) (px geom.Vec2, depth float64, ok bool) {
	px = geom.Vec2{float64(m.Width-1) / 2, float64(m.Height-1) / 2}
	for range 4 {
		c := poseCW(px).Apply(p)
		px, ok = m.Project(c)
		depth = c[2]
		if !ok || m.Readout == 0 {
			break
		}
	}
	return px, depth, ok
}

// Normalize returns the point x/z, y/z that lands on a pixel: the inverse of Project, by Newton's method where there is
// distortion. Where the distortion has no inverse it is some finite point; see Invertible.
func (m Model) Normalize(px geom.Vec2) geom.Vec2 {
	d := geom.Vec2{(px[0] - m.Cx) / m.Fx, (px[1] - m.Cy) / m.Fy}
	if m.K1 == 0 && m.K2 == 0 && m.K3 == 0 && m.P1 == 0 && m.P2 == 0 {
		return d
	}
	x := d
	for range 10 {
		e := d.Sub(m.distort(x))
		if e.Norm() < 1e-12 {
			break
		}
		xx, xy, yx, yy := m.distortBy(x)
		det := xx*yy - xy*yx
		if !(det > leastStretch) {
			break
		}
		x = x.Add(geom.Vec2{yy*e[0] - xy*e[1], xx*e[1] - yx*e[0]}.Scale(1 / det))
	}
	return x
}

// leastStretch is by how much a distortion must still stretch an area to have an inverse that is worth something.
const leastStretch = 1e-3

// Invertible says whether every pixel of the picture's rim is seen by one ray, which leads back to it.
func (m Model) Invertible() bool {
	w, h := float64(m.Width-1), float64(m.Height-1)
	for i := range 33 {
		s := float64(i) / 32
		for _, px := range []geom.Vec2{{s * w, 0}, {s * w, h}, {0, s * h}, {w, s * h}} {
			back, ok := m.Project(m.Ray(px))
			if !ok || !(back.Sub(px).Norm() < 0.05) {
				return false
			}
		}
	}
	return true
}

// Ray returns the unit direction, in the camera's frame, of what a pixel sees.
func (m Model) Ray(px geom.Vec2) geom.Vec3 {
	n := m.Normalize(px)
	return geom.Vec3{n[0], n[1], 1}.Unit()
}

// SpreadPx returns the standard deviation, in pixels along its worst direction, of the pixel of a point
// in the camera's frame whose covariance there is cov: through the derivative of the pinhole.
func (m Model) SpreadPx(c geom.Vec3, cov geom.Mat3) float64 {
	iz := 1 / c[2]
	u := geom.Vec3{m.Fx * iz, 0, -m.Fx * c[0] * iz * iz}
	v := geom.Vec3{0, m.Fy * iz, -m.Fy * c[1] * iz * iz}
	cu := cov.MulVec(u)
	a, b, d := u.Dot(cu), v.Dot(cu), v.Dot(cov.MulVec(v))
	return math.Sqrt(math.Max(0, (a+d)/2+math.Hypot((a-d)/2, b))) // larger eigenvalue of [a b; b d]
}

// Contains says whether a pixel is in the picture with a margin in pixels to its edges.
func (m Model) Contains(px geom.Vec2, margin float64) bool {
	return px[0] >= margin && px[1] >= margin && px[0] <= float64(m.Width-1)-margin && px[1] <= float64(m.Height-1)-margin
}

// distortBy are the derivatives of distort: of x by x and by y, and of y by x and by y.
func (m Model) distortBy(n geom.Vec2) (xx, xy, yx, yy float64) {
	x, y := n[0], n[1]
	r := x*x + y*y
	k := 1 + r*(m.K1+r*(m.K2+r*m.K3))
	dk := 2 * (m.K1 + r*(2*m.K2+r*3*m.K3)) // of k by x is x times that
	cross := x*y*dk + 2*m.P1*x + 2*m.P2*y
	return k + x*x*dk + 2*m.P1*y + 6*m.P2*x, cross, cross, k + y*y*dk + 6*m.P1*y + 2*m.P2*x
}

func (m Model) distort(n geom.Vec2) geom.Vec2 {
	x, y := n[0], n[1]
	r := x*x + y*y
	k := 1 + r*(m.K1+r*(m.K2+r*m.K3))
	return geom.Vec2{
		x*k + 2*m.P1*x*y + m.P2*(r+2*x*x),
		y*k + m.P1*(r+2*y*y) + 2*m.P2*x*y,
	}
}

// Row returns the model as a row of a camera.txt, which Parse reads.
func (m Model) Row() string {
	row := fmt.Sprintf("%.4f %.4f %.4f %.4f %d %d %.7g %.7g %.7g %.7g %.7g", m.Fx, m.Fy, m.Cx, m.Cy, m.Width, m.Height, m.K1, m.K2, m.P1, m.P2, m.K3)
	if m.Readout != 0 {
		row += fmt.Sprintf(" %.5g", m.Readout)
	}
	return row
}

// Load reads a camera.txt: one row `fx fy cx cy width height [k1 k2 p1 p2 k3 [readout]]`, # for comments.
func Load(path string) (Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return Model{}, fmt.Errorf("camera model: %w", err)
	}
	defer f.Close()
	m, err := Parse(f)
	if err != nil {
		return Model{}, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Parse reads what Load describes. The error names the field that is missing or wrong.
func Parse(r io.Reader) (Model, error) {
	sc := bufio.NewScanner(io.LimitReader(r, 1<<16))
	for sc.Scan() {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		return parseRow(strings.Fields(line))
	}
	if err := sc.Err(); err != nil {
		return Model{}, err
	}
	return Model{}, errors.New("no row `fx fy cx cy width height [k1 k2 p1 p2 k3]` in it")
}

func parseRow(fields []string) (Model, error) {
	if len(fields) < 6 {
		return Model{}, fmt.Errorf("%d numbers, want at least fx fy cx cy width height", len(fields))
	}
	var v [12]float64
	for i, f := range fields[:min(len(fields), len(v))] {
		x, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return Model{}, fmt.Errorf("number %d: %q is not a number", i+1, f)
		}
		v[i] = x
	}
	if v[4] != math.Trunc(v[4]) || v[5] != math.Trunc(v[5]) || math.Abs(v[4]) > 1e6 || math.Abs(v[5]) > 1e6 {
		return Model{}, fmt.Errorf("width %g and height %g must be whole pixels", v[4], v[5])
	}
	m := Model{Fx: v[0], Fy: v[1], Cx: v[2], Cy: v[3], Width: int(v[4]), Height: int(v[5]),
		K1: v[6], K2: v[7], P1: v[8], P2: v[9], K3: v[10], Readout: v[11]}
	return m, m.Valid()
}
