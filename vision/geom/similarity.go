package geom

// Similarity is a motion with a change of scale, x ↦ S·R·x + T: what takes one map of a scene to another.
type Similarity struct {
	S float64
	R Mat3
	T Vec3
}

// Apply returns S·R·v + T.
func (s Similarity) Apply(v Vec3) Vec3 { return s.R.MulVec(v).Scale(s.S).Add(s.T) }

// ApplyPose returns the pose, in the world that s leads to, of a camera of poseCW in the world that s comes
// from. Lengths in the camera's frame grow by S.
func (s Similarity) ApplyPose(poseCW Pose) Pose {
	r := poseCW.R.Mul(s.R.Transpose())
	return Pose{R: r, T: poseCW.T.Scale(s.S).Sub(r.MulVec(s.T))}
}

// ApplyCov returns the covariance of a point after s.
func (s Similarity) ApplyCov(cov Mat3) Mat3 {
	return s.R.Mul(cov).Mul(s.R.Transpose()).Scale(s.S * s.S)
}

// Mul returns s∘u: first u, then s.
func (s Similarity) Mul(u Similarity) Similarity {
	return Similarity{S: s.S * u.S, R: s.R.Mul(u.R), T: s.Apply(u.T)}
}

// SimilarityOf returns what takes a camera's pose in one world to its pose in another, where lengths of the
// first are scale of the second.
func SimilarityOf(from, to Pose, scale float64) Similarity {
	r := to.R.Transpose().Mul(from.R)
	return Similarity{S: scale, R: r, T: to.R.MulVecT(from.T.Scale(scale).Sub(to.T))}
}
