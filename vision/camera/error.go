package camera

import "math"

// Error is how far a point may be from the pixel where it is drawn: normally distributed about it in two dimensions with the
// standard deviation Near, in pixels, but with the probability Doubt with Far.
type Error struct{ Near, Doubt, Far float64 }

// Beyond is the probability that the point is farther off than r pixels. It is NaN where a part of the error is.
func (e Error) Beyond(r float64) float64 {
	return (1-e.Doubt)*beyond(r, e.Near) + e.Doubt*beyond(r, e.Far)
}

func beyond(r, sigma float64) float64 { return math.Exp(-r * r / (2 * sigma * sigma)) }

// sigmas95 is how many standard deviations 95 of 100 points of a normal distribution in two dimensions are within.
const sigmas95 = 2.45

// Radius95 is the radius in pixels within which the point is in 95 of 100 cases; infinite where a part of the error is no number.
func (e Error) Radius95() float64 {
	lo, hi := 0.0, sigmas95*math.Max(e.Near, e.Far)
	if !(hi < math.Inf(1)) {
		return math.Inf(1)
	}
	for range 50 { // to a hundredth of a pixel, or what there is of digits
		if hi-lo < 0.01 {
			break
		}
		if mid := (lo + hi) / 2; e.Beyond(mid) > 0.05 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// Sigma is the standard deviation that without a doubt has the same Radius95.
func (e Error) Sigma() float64 { return e.Radius95() / sigmas95 }
