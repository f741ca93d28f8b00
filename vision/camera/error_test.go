package camera

import (
	"math"
	"math/rand/v2"
	"testing"
)

// What is claimed of an error is true of points drawn at random.
func TestErrorAgainstDraws(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, e := range []Error{{Near: 2}, {Near: 1, Doubt: 0.03, Far: 20}, {Near: 1, Doubt: 0.2, Far: 20}, {Near: 3, Doubt: 1, Far: 5}} {
		const draws = 50_000
		within, beyond := 0, 0
		r95 := e.Radius95()
		for range draws {
			s := e.Near
			if rng.Float64() < e.Doubt {
				s = e.Far
			}
			off := s * math.Hypot(rng.NormFloat64(), rng.NormFloat64())
			if off <= r95 {
				within++
			}
			if off > 10 {
				beyond++
			}
		}
		if got := float64(within) / draws; math.Abs(got-0.95) > 0.005 {
			t.Errorf("%+v: %.3f are within the radius of %.1f px", e, got, r95)
		}
		if got, want := float64(beyond)/draws, e.Beyond(10); math.Abs(got-want) > 0.005 {
			t.Errorf("%+v: %.3f are beyond 10 px, claimed %.3f", e, got, want)
		}
	}
	for _, e := range []Error{{Near: 1e20}, {Near: 1e300, Doubt: 0.5, Far: 1}} {
		if r := e.Radius95(); !(r > 1e20) || math.IsInf(r, 1) {
			t.Errorf("%+v is within %g", e, r)
		}
	}
	for _, e := range []Error{{Near: math.NaN()}, {Near: 1, Doubt: 0.1, Far: math.NaN()}, {Near: math.Inf(1)}} {
		if !math.IsInf(e.Sigma(), 1) {
			t.Errorf("%+v has the standard deviation %g", e, e.Sigma())
		}
	}
}
