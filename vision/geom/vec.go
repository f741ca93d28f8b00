// Package geom is the geometry everything else in vision stands on: vectors, rotations, rigid poses,
// and the small dense linear algebra that the solvers need. Standard library only; every value is
// immutable and safe to copy, and nothing here keeps state.
//
// Axes are the camera's of computer vision: x right, y down, z forward. Lengths are in the unit of the
// map (metres where the scale is known), angles in radians.
package geom

import "math"

// Vec2 is a point or direction in a picture: pixels, or normalized camera coordinates where the name says so.
type Vec2 [2]float64

// Sub returns a-b.
func (a Vec2) Sub(b Vec2) Vec2 { return Vec2{a[0] - b[0], a[1] - b[1]} }

// Add returns a+b.
func (a Vec2) Add(b Vec2) Vec2 { return Vec2{a[0] + b[0], a[1] + b[1]} }

// Scale returns s·a.
func (a Vec2) Scale(s float64) Vec2 { return Vec2{s * a[0], s * a[1]} }

// Norm returns the Euclidean length.
func (a Vec2) Norm() float64 { return math.Hypot(a[0], a[1]) }

// Finite says whether no component is NaN or infinite.
func (a Vec2) Finite() bool { return Vec3{a[0], a[1]}.Finite() }

// Vec3 is a point or direction in space.
type Vec3 [3]float64

// Add returns a+b.
func (a Vec3) Add(b Vec3) Vec3 { return Vec3{a[0] + b[0], a[1] + b[1], a[2] + b[2]} }

// Sub returns a-b.
func (a Vec3) Sub(b Vec3) Vec3 { return Vec3{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

// Scale returns s·a.
func (a Vec3) Scale(s float64) Vec3 { return Vec3{s * a[0], s * a[1], s * a[2]} }

// Dot returns the inner product.
func (a Vec3) Dot(b Vec3) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

// Cross returns the vector product a×b.
func (a Vec3) Cross(b Vec3) Vec3 {
	return Vec3{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

// Norm returns the Euclidean length.
func (a Vec3) Norm() float64 { return math.Sqrt(a.Dot(a)) }

// Unit returns a scaled to length one; the zero vector stays zero.
func (a Vec3) Unit() Vec3 {
	n := a.Norm()
	if n == 0 {
		return a
	}
	return a.Scale(1 / n)
}

// Finite says whether no component is NaN or infinite.
func (a Vec3) Finite() bool {
	s := a[0] + a[1] + a[2]
	return !math.IsNaN(s) && !math.IsInf(s, 0)
}

// Mat3 is a 3x3 matrix by rows.
type Mat3 [9]float64

// Identity3 is the 3x3 identity.
var Identity3 = Mat3{1, 0, 0, 0, 1, 0, 0, 0, 1}

// MulVec returns m·v.
func (m Mat3) MulVec(v Vec3) Vec3 {
	return Vec3{
		m[0]*v[0] + m[1]*v[1] + m[2]*v[2],
		m[3]*v[0] + m[4]*v[1] + m[5]*v[2],
		m[6]*v[0] + m[7]*v[1] + m[8]*v[2],
	}
}

// MulVecT returns mᵀ·v, which for a rotation is its inverse applied to v.
func (m Mat3) MulVecT(v Vec3) Vec3 {
	return Vec3{
		m[0]*v[0] + m[3]*v[1] + m[6]*v[2],
		m[1]*v[0] + m[4]*v[1] + m[7]*v[2],
		m[2]*v[0] + m[5]*v[1] + m[8]*v[2],
	}
}

// Mul returns m·n.
func (m Mat3) Mul(n Mat3) Mat3 {
	var r Mat3
	for i := range 3 {
		for j := range 3 {
			r[3*i+j] = m[3*i]*n[j] + m[3*i+1]*n[3+j] + m[3*i+2]*n[6+j]
		}
	}
	return r
}

// Transpose returns mᵀ.
func (m Mat3) Transpose() Mat3 {
	return Mat3{m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]}
}

// Scale returns s·m.
func (m Mat3) Scale(s float64) Mat3 {
	for i := range m {
		m[i] *= s
	}
	return m
}

// Add returns m+n.
func (m Mat3) Add(n Mat3) Mat3 {
	for i := range m {
		m[i] += n[i]
	}
	return m
}

// Outer returns a·bᵀ.
func Outer(a, b Vec3) Mat3 {
	return Mat3{
		a[0] * b[0], a[0] * b[1], a[0] * b[2],
		a[1] * b[0], a[1] * b[1], a[1] * b[2],
		a[2] * b[0], a[2] * b[1], a[2] * b[2],
	}
}

// Inverse returns m⁻¹; ok is false where m is singular to working precision.
func (m Mat3) Inverse() (inv Mat3, ok bool) {
	c0 := m[4]*m[8] - m[5]*m[7]
	c1 := m[5]*m[6] - m[3]*m[8]
	c2 := m[3]*m[7] - m[4]*m[6]
	det := m[0]*c0 + m[1]*c1 + m[2]*c2
	if det == 0 || math.IsNaN(det) || math.Abs(det) < 1e-300 {
		return Mat3{}, false
	}
	d := 1 / det
	return Mat3{
		c0 * d, (m[2]*m[7] - m[1]*m[8]) * d, (m[1]*m[5] - m[2]*m[4]) * d,
		c1 * d, (m[0]*m[8] - m[2]*m[6]) * d, (m[2]*m[3] - m[0]*m[5]) * d,
		c2 * d, (m[1]*m[6] - m[0]*m[7]) * d, (m[0]*m[4] - m[1]*m[3]) * d,
	}, true
}
