package geom

import "math"

// Pose is a rigid motion x ↦ R·x + T. A variable's name says between which frames: poseCW takes world
// to camera, poseWC camera to world.
type Pose struct {
	R Mat3
	T Vec3
}

// IdentityPose moves nothing.
var IdentityPose = Pose{R: Identity3}

// Apply returns R·v + T.
func (p Pose) Apply(v Vec3) Vec3 { return p.R.MulVec(v).Add(p.T) }

// Inverse returns the motion that undoes p.
func (p Pose) Inverse() Pose {
	r := p.R.Transpose()
	return Pose{R: r, T: r.MulVec(p.T).Scale(-1)}
}

// Mul returns p∘q: first q, then p. poseCW.Mul(poseWA) is poseCA.
func (p Pose) Mul(q Pose) Pose { return Pose{R: p.R.Mul(q.R), T: p.R.MulVec(q.T).Add(p.T)} }

// Centre returns, for a poseCW, where the camera stands in the world.
func (p Pose) Centre() Vec3 { return p.R.MulVecT(p.T).Scale(-1) }

// Skew returns the matrix of v×: Skew(v)·w = v×w.
func Skew(v Vec3) Mat3 {
	return Mat3{0, -v[2], v[1], v[2], 0, -v[0], -v[1], v[0], 0}
}

// ExpSO3 is the rotation about w by |w| radians (Rodrigues' formula).
func ExpSO3(w Vec3) Mat3 {
	t2 := w.Dot(w)
	a, b := 1-t2/6, 0.5-t2/24 // sin t / t and (1-cos t)/t², by their series near zero
	if t2 > 1e-8 {
		t := math.Sqrt(t2)
		a, b = math.Sin(t)/t, (1-math.Cos(t))/t2
	}
	k := Skew(w)
	return Identity3.Add(k.Scale(a)).Add(k.Mul(k).Scale(b))
}

// LogSO3 is the inverse of ExpSO3: the rotation vector of r, of length 0 to π.
func LogSO3(r Mat3) Vec3 {
	q := QuatOf(r)
	v := Vec3{q[0], q[1], q[2]}
	s := v.Norm()
	if s < 1e-9 {
		return v.Scale(2)
	}
	return v.Scale(2 * math.Atan2(s, q[3]) / s)
}

// Retract moves p by a small step in its tangent space: rotation w first in the camera's frame, then
// the translation v, so that (Retract(p)).Apply(x) = Exp(w)·(p.Apply(x)) + v to first order. It keeps R
// orthonormal.
func (p Pose) Retract(w, v Vec3) Pose {
	dr := ExpSO3(w)
	return Pose{R: Orthonormal(dr.Mul(p.R)), T: dr.MulVec(p.T).Add(v)}
}

// Orthonormal returns the rotation nearest to an almost-rotation (Gram-Schmidt by rows, enough where
// the error is rounding).
func Orthonormal(m Mat3) Mat3 {
	x := Vec3{m[0], m[1], m[2]}.Unit()
	y := Vec3{m[3], m[4], m[5]}
	y = y.Sub(x.Scale(x.Dot(y))).Unit()
	z := x.Cross(y)
	return Mat3{x[0], x[1], x[2], y[0], y[1], y[2], z[0], z[1], z[2]}
}

// Quat is a unit quaternion x, y, z, w.
type Quat [4]float64

// QuatOf returns the quaternion of a rotation, with w ≥ 0 (Shepperd's method).
func QuatOf(r Mat3) Quat {
	var q Quat
	switch t := r[0] + r[4] + r[8]; {
	case t > 0:
		s := 2 * math.Sqrt(t+1)
		q = Quat{(r[7] - r[5]) / s, (r[2] - r[6]) / s, (r[3] - r[1]) / s, s / 4}
	case r[0] > r[4] && r[0] > r[8]:
		s := 2 * math.Sqrt(1+r[0]-r[4]-r[8])
		q = Quat{s / 4, (r[1] + r[3]) / s, (r[2] + r[6]) / s, (r[7] - r[5]) / s}
	case r[4] > r[8]:
		s := 2 * math.Sqrt(1+r[4]-r[0]-r[8])
		q = Quat{(r[1] + r[3]) / s, s / 4, (r[5] + r[7]) / s, (r[2] - r[6]) / s}
	default:
		s := 2 * math.Sqrt(1+r[8]-r[0]-r[4])
		q = Quat{(r[2] + r[6]) / s, (r[5] + r[7]) / s, s / 4, (r[3] - r[1]) / s}
	}
	if q[3] < 0 {
		q = Quat{-q[0], -q[1], -q[2], -q[3]}
	}
	return q
}

// Mat returns the rotation matrix; q need not be of exact unit length.
func (q Quat) Mat() Mat3 {
	n := math.Sqrt(q[0]*q[0] + q[1]*q[1] + q[2]*q[2] + q[3]*q[3])
	if n == 0 {
		return Identity3
	}
	x, y, z, w := q[0]/n, q[1]/n, q[2]/n, q[3]/n
	return Mat3{
		1 - 2*(y*y+z*z), 2 * (x*y - z*w), 2 * (x*z + y*w),
		2 * (x*y + z*w), 1 - 2*(x*x+z*z), 2 * (y*z - x*w),
		2 * (x*z - y*w), 2 * (y*z + x*w), 1 - 2*(x*x+y*y),
	}
}
