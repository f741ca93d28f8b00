package mapping

import (
	"cmp"
	"math"
	"slices"

	"sightline/vision/geom"
)

// Support is a point of known depth near the ray of a mark, in the picture the mark was drawn on.
type Support struct {
	N geom.Vec2 // normalized coordinates
	// Inv is the inverse of its depth (z in the camera's frame), Var the variance of that.
	Inv, Var float64
	// Apart is how much the brightness changes, in grey levels of 255, on the way from the mark to the
	// support: what lies behind an edge of the picture is less likely to be on the same surface.
	Apart float64
}

// Surface is the plane through what a mark points at, in the frame of the camera that saw it.
type Surface struct {
	// Inv is the inverse depth at the mark, Var its variance, Slope its derivative by the normalized
	// coordinates: on a plane, inverse depth is affine in them.
	Inv, Var float64
	Slope    geom.Vec2
	// Doubt is the probability that the mark is on another surface than this one, and Else the mean square of how far, in
	// inverse depth, that lies from this one.
	Doubt, Else float64
}

// Reach is how far from the mark supports are looked for, in normalized coordinates: about 11 degrees.
const Reach = 0.2

// roughness is by how much of its inverse depth a real surface leaves its plane, per unit of normalized
// distance: machines are stepped and curved. Supports far from the mark count for less by it. A guess that
// two sequences of the simulated plant did not contradict.
const roughness = 0.2

// blur is the distance within which a support cannot tell on which side of an edge it stands, in
// normalized coordinates: half the patch that it is followed by.
const blur = 0.016

// planeSupports is how many supports make a plane that is more than the three points it goes through.
const planeSupports = 4

// slopePrior is the standard deviation of a surface's slope in units of its inverse depth: a surface
// seen at 60 degrees from its normal has 1.7.
const slopePrior = 1.7

// apartScale is the change of brightness, in grey levels, that makes a support count for a quarter: less
// than most edges between two parts of a machine. Chosen on two sequences of the simulated plant.
const apartScale = 30

// Candidate is one of the surfaces that a mark may be on, and how much speaks for it.
type Candidate struct {
	Surface
	Weight float64
}

// FitSurfaces fits planes to the supports around a mark at n: weighted least squares on inverse depth
// with Tukey's weights, started from several depths, so that of two surfaces each comes out by itself
// and not their mean. With fewer than three supports in reach there is none.
func FitSurfaces(n geom.Vec2, all []Support) []Candidate {
	near := nearest(n, all)
	if len(near) < 3 {
		return nil
	}
	var fits []Candidate
	for _, start := range starts(near) {
		if f, w, ok := fitFrom(n, near, start); ok && f.Inv > 0 {
			fits = append(fits, Candidate{f, w})
		}
	}
	return fits
}

// Decide takes the candidate that most speaks for. Its variance grows by the doubt that another may be
// the right one.
func Decide(fits []Candidate) (Surface, bool) {
	if len(fits) == 0 {
		return Surface{}, false
	}
	best := slices.MaxFunc(fits, func(a, b Candidate) int { return cmp.Compare(a.Weight, b.Weight) })
	best.doubt(fits)
	return best.Surface, true
}

// starts are the inverse depths to fit from: the nearest supports' first, and of those alike to 4 % only
// one, so that every surface in reach has its turn.
func starts(near []Support) []float64 {
	var out []float64
	for _, s := range near {
		alike := func(v float64) bool { return math.Abs(v-s.Inv) < 0.04*v }
		if len(out) < 8 && !slices.ContainsFunc(out, alike) {
			out = append(out, s.Inv)
		}
	}
	return out
}

// doubt notes how much speaks for the other surfaces in reach: near an edge any of them may be the one that the mark is
// on, each as likely as its supports weigh.
func (c *Candidate) doubt(fits []Candidate) {
	total, other, spread := 0.0, 0.0, 0.0
	for _, f := range fits {
		total += f.Weight
		if d := square(f.Inv - c.Inv); d > 9*c.Var {
			other += f.Weight
			spread += f.Weight * d
		}
	}
	if other > 0 {
		c.Doubt, c.Else = other/total, spread/other
	}
}

func nearest(n geom.Vec2, all []Support) []Support {
	var near []Support
	for _, s := range all {
		if s.N.Sub(n).Norm() < Reach {
			near = append(near, s)
		}
	}
	slices.SortFunc(near, func(a, b Support) int {
		return cmp.Compare(a.N.Sub(n).Norm(), b.N.Sub(n).Norm())
	})
	return near[:min(len(near), 40)]
}

// fitFrom iterates from a level surface at one inverse depth, and returns the sum of weights beside the fit.
func fitFrom(n geom.Vec2, near []Support, start float64) (Surface, float64, bool) {
	f := Surface{Inv: start}
	var total, chi2 float64
	for range 6 {
		var h geom.Mat3
		var g geom.Vec3
		total, chi2 = 0, 0
		prior := 1 / (slopePrior * start * slopePrior * start)
		h[4], h[8] = prior, prior
		for _, s := range near {
			d := s.N.Sub(n)
			r := s.Inv - (f.Inv + f.Slope[0]*d[0] + f.Slope[1]*d[1])
			v := s.Var + square(roughness*start*math.Max(d.Norm(), blur)) + square(0.003*start)
			v *= square(1 + s.Apart/apartScale)
			w := tukeyWeight(r / (4 * math.Sqrt(v)))
			if w == 0 {
				continue
			}
			row := geom.Vec3{1, d[0], d[1]}
			h = h.Add(geom.Outer(row, row).Scale(w / v))
			g = g.Add(row.Scale(w / v * s.Inv))
			// A support counts towards the decision between surfaces the more the nearer it is.
			total += w * start * start / v
			chi2 += w * r * r / v
		}
		inv, ok := h.Inverse()
		if !ok || total == 0 {
			return f, 0, false
		}
		x := inv.MulVec(g)
		f = Surface{Inv: x[0], Slope: geom.Vec2{x[1], x[2]}, Var: inv[0]}
	}
	f.Var *= math.Max(1, chi2/math.Max(1, float64(len(near))/2))
	// The plane is the surface's only where it was measured: how far a plane through the nearest few
	// supports may miss a curved surface between them.
	d := near[min(len(near), planeSupports)-1].N.Sub(n).Norm()
	f.Var += square(roughness*f.Inv*d) / 2
	return f, total, true
}

func square(x float64) float64 { return x * x }

func tukeyWeight(r float64) float64 {
	if r <= -1 || r >= 1 {
		return 0
	}
	return square(1 - r*r)
}

// Normal returns the unit normal of the plane in the camera's frame, towards the camera. A plane
// a·x + b·y + c·z = 1 has inverse depth a·nx + b·ny + c.
func (s Surface) Normal(n geom.Vec2) geom.Vec3 {
	v := geom.Vec3{s.Slope[0], s.Slope[1], s.Inv - s.Slope[0]*n[0] - s.Slope[1]*n[1]}
	return v.Unit().Scale(-1)
}
