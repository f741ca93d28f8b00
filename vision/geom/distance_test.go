package geom

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestDistanceAgainstMonteCarlo draws points by their covariances, measures them in a unit that errs too, and
// compares the spread of the distances with what Distance says.
func TestDistanceAgainstMonteCarlo(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	normal := func() Vec3 { return Vec3{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()} }
	for range 20 {
		var spots [2]Spot
		var shape [2]Mat3
		for k := range spots {
			// A long ellipsoid, as depth errs more than the rest.
			r := ExpSO3(normal())
			shape[k] = r.Mul(Mat3{0.002, 0, 0, 0, 0.003, 0, 0, 0, 0.012})
			spots[k] = Spot{P: normal().Scale(0.4).Add(Vec3{float64(k), 0, 0}), Cov: shape[k].Mul(shape[k].Transpose())}
		}
		scale := 0.01 * rng.Float64()
		d, sigma := Distance(spots[0], spots[1], scale)
		const n = 20_000
		sum, square := 0.0, 0.0
		for range n {
			a := spots[0].P.Add(shape[0].MulVec(normal()))
			b := spots[1].P.Add(shape[1].MulVec(normal()))
			x := b.Sub(a).Norm()*(1+scale*rng.NormFloat64()) - d
			sum, square = sum+x, square+x*x
		}
		got := math.Sqrt(square/n - sum/n*sum/n)
		if math.Abs(got-sigma) > 0.04*sigma {
			t.Errorf("distance %.3f: deviation %.5f drawn, %.5f computed", d, got, sigma)
		}
	}
}

func TestDistanceOfOnePlace(t *testing.T) {
	s := Spot{P: Vec3{1, 2, 3}, Cov: Identity3.Scale(0.01 * 0.01)}
	if d, sigma := Distance(s, s, 0.1); d != 0 || !(sigma >= 0.01) {
		t.Errorf("%g ± %g", d, sigma)
	}
}
