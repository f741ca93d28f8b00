package mapping

import (
	"math"
	"math/rand/v2"
	"testing"

	"sightline/vision/geom"
)

// supports are points on a plane of the given inverse depth and slope around the axis, with noise.
// fitSurface is the surface that a mark at n is on, by its supports alone.
func fitSurface(n geom.Vec2, all []Support) (Surface, bool) { return Decide(FitSurfaces(n, all)) }

func supports(rng *rand.Rand, n int, inv float64, slope geom.Vec2, noise float64, where func(geom.Vec2) bool) []Support {
	var out []Support
	for len(out) < n {
		p := geom.Vec2{0.2*rng.Float64() - 0.1, 0.2*rng.Float64() - 0.1}
		if where != nil && !where(p) {
			continue
		}
		v := inv + slope[0]*p[0] + slope[1]*p[1]
		out = append(out, Support{N: p, Inv: v + noise*rng.NormFloat64(), Var: noise * noise})
	}
	return out
}

func TestFitSurfaceRecoversAPlane(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for trial := range 50 {
		inv, slope := 0.5+rng.Float64(), geom.Vec2{rng.NormFloat64() / 3, rng.NormFloat64() / 3}
		s, ok := fitSurface(geom.Vec2{}, supports(rng, 40, inv, slope, 0.003, nil))
		if !ok {
			t.Fatalf("trial %d: refused", trial)
		}
		if e := math.Abs(s.Inv - inv); e > 4*math.Sqrt(s.Var) || e > 0.03*inv {
			t.Errorf("trial %d: inverse depth %.4f, want %.4f, claimed deviation %.4f", trial, s.Inv, inv, math.Sqrt(s.Var))
		}
	}
}

func TestFitSurfaceTakesTheSideItIsOn(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	left := func(p geom.Vec2) bool { return p[0] < -0.01 }
	right := func(p geom.Vec2) bool { return p[0] > 0.05 }
	all := append(supports(rng, 25, 1, geom.Vec2{}, 0.003, left), supports(rng, 25, 0.6, geom.Vec2{}, 0.003, right)...)
	s, ok := fitSurface(geom.Vec2{-0.02, 0}, all)
	if !ok || math.Abs(s.Inv-1) > 0.05 {
		t.Errorf("inverse depth %.3f of a mark on the surface at 1 beside one at 0.6 (%v)", s.Inv, ok)
	}
	// Half way between, nobody can know: the claim has to say so.
	mid, ok := fitSurface(geom.Vec2{0.02, 0}, all)
	if far := math.Sqrt(mid.Else); !ok || mid.Doubt < 0.2 || math.Abs(far-0.4) > 0.1 {
		t.Errorf("between two surfaces 0.4 apart a doubt of %.2f is claimed, of %.3f (%v)", mid.Doubt, far, ok)
	}
}

func TestFitSurfaceRefusesWithoutSupport(t *testing.T) {
	if _, ok := fitSurface(geom.Vec2{}, []Support{{N: geom.Vec2{0.01, 0}, Inv: 1, Var: 1e-4}}); ok {
		t.Error("one support made a surface")
	}
	far := []Support{{N: geom.Vec2{1, 0}, Inv: 1, Var: 1e-4}, {N: geom.Vec2{1, 1}, Inv: 1, Var: 1e-4}, {N: geom.Vec2{0, 1}, Inv: 1, Var: 1e-4}}
	if _, ok := fitSurface(geom.Vec2{}, far); ok {
		t.Error("supports out of reach made a surface")
	}
}

func TestNormalOfATiltedPlane(t *testing.T) {
	// The plane z = 2 + 0.5·x in the camera's frame: 1/z = (1 - 0.5·x/z)/2.
	s := Surface{Inv: 0.5, Slope: geom.Vec2{-0.25, 0}}
	n := s.Normal(geom.Vec2{})
	want := geom.Vec3{0.5, 0, -1}.Unit()
	if n.Sub(want).Norm() > 1e-9 {
		t.Errorf("normal %v, want %v", n, want)
	}
}
