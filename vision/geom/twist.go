package geom

// Twist is how a camera moves: a point c of its frame moves by Turn×c + Move. Turn is in radians; both are per second, or
// for whatever time is named with it.
type Twist struct {
	Turn Vec3 `json:"turn"`
	Move Vec3 `json:"move"`
}

// TwistBetween is the motion from one pose of a camera to another.
func TwistBetween(from, to Pose) Twist {
	step := to.Mul(from.Inverse())
	return Twist{LogSO3(step.R), step.T}
}

// Scale returns the motion in another time, or back.
func (t Twist) Scale(s float64) Twist { return Twist{t.Turn.Scale(s), t.Move.Scale(s)} }

// Add returns both motions in one.
func (t Twist) Add(u Twist) Twist { return Twist{t.Turn.Add(u.Turn), t.Move.Add(u.Move)} }

// At is by how much a point of the camera's frame moves, to first order.
func (t Twist) At(c Vec3) Vec3 { return t.Turn.Cross(c).Add(t.Move) }

// Moved returns the pose after a motion.
func (p Pose) Moved(t Twist) Pose { return p.Retract(t.Turn, t.Move) }
