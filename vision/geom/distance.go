package geom

import "math"

// Distance returns how far two points are from each other, and the standard deviation of that to first
// order. scale is the standard deviation of the unit itself, as a share of it (0.01 where the metre is known
// to a hundredth): it stretches every distance. The errors of the two points are taken as independent,
// which overstates the error of points that were seen in the same pictures.
//
// The derivative of |b-a| is the unit vector along it, so σ² = uᵀ(Ca+Cb)u + (scale·|b-a|)². Points nearer to
// each other than their error have no direction: there the worst one is taken.
func Distance(a, b Spot, scale float64) (d, sigma float64) {
	along := b.P.Sub(a.P)
	d = along.Norm()
	cov := a.Whole().Add(b.Whole())
	worst := math.Sqrt(math.Max(0, cov[0]+cov[4]+cov[8])) // not less than the largest deviation
	if d <= worst {
		return d, math.Hypot(worst, scale*d)
	}
	u := along.Scale(1 / d)
	return d, math.Hypot(math.Sqrt(math.Max(0, u.Dot(cov.MulVec(u)))), scale*d)
}
