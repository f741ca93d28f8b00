package geom

// Affine is a vector that changes linearly over a picture: of x and of y, what it is at (0,0) and its derivatives by x and y.
type Affine [2]Vec3

// Add returns the sum.
func (a Affine) Add(b Affine) Affine { return Affine{a[0].Add(b[0]), a[1].Add(b[1])} }

// Sub returns the difference.
func (a Affine) Sub(b Affine) Affine { return Affine{a[0].Sub(b[0]), a[1].Sub(b[1])} }

// Scale returns s times a.
func (a Affine) Scale(s float64) Affine { return Affine{a[0].Scale(s), a[1].Scale(s)} }

// At returns the vector at a point.
func (a Affine) At(n Vec2) Vec2 {
	row := Vec3{1, n[0], n[1]}
	return Vec2{a[0].Dot(row), a[1].Dot(row)}
}
