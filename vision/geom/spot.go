package geom

// Spot is a point with its error: it is about P, normally distributed, but for a doubt whether it is elsewhere on the line
// on which it was seen.
type Spot struct {
	P   Vec3
	Cov Mat3 // covariance, in the unit of P squared
	// Doubt is the probability that it is elsewhere, and Off how far then: one standard deviation, along the line.
	Doubt float64
	Off   Vec3
}

// Elsewhere is the covariance about P where it is elsewhere.
func (s Spot) Elsewhere() Mat3 { return s.Cov.Add(Outer(s.Off, s.Off)) }

// Whole is the covariance about P with the doubt in it.
func (s Spot) Whole() Mat3 { return s.Cov.Add(Outer(s.Off, s.Off).Scale(s.Doubt)) }

// ApplySpot returns a spot after s.
func (s Similarity) ApplySpot(p Spot) Spot {
	return Spot{P: s.Apply(p.P), Cov: s.ApplyCov(p.Cov), Doubt: p.Doubt, Off: s.R.MulVec(p.Off).Scale(s.S)}
}
