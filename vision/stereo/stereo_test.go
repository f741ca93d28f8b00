package stereo

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/mapping"
)

var cam = camera.Model{Fx: 300, Fy: 300, Cx: 160, Cy: 120, Width: 320, Height: 240}

// scene is two planes: one that faces the first camera at depth far, and before it, left of an edge in the
// first picture, one at depth near. bland planes are of one grey.
type scene struct {
	near, far           float64
	edge                float64 // normalized x of the edge; -1 for no near plane
	blandNear, blandFar bool
	faint               float64 // contrast of the texture is divided by this; 0 for not
	noise               float64 // standard deviation in grey levels; 0 for 2
}

// texture is a smooth pattern of several scales.
func texture(p geom.Vec2, phase float64) float64 {
	s := 0.0
	for k := 1.0; k < 6; k++ {
		s += math.Sin(29*k*p[0]+phase*k) * math.Cos(31*k*p[1]-phase+k)
	}
	return 128 + 18*s
}

// render is what a camera at poseBA sees, with sensor noise.
func (s scene) render(poseBA geom.Pose, rng *rand.Rand) *image.Gray {
	g := image.NewGray(image.Rect(0, 0, cam.Width, cam.Height))
	poseAB := poseBA.Inverse()
	centre := poseAB.T
	for y := range cam.Height {
		for x := range cam.Width {
			ray := poseAB.R.MulVec(cam.Ray(geom.Vec2{float64(x), float64(y)}))
			hit := func(depth float64) geom.Vec2 {
				p := centre.Add(ray.Scale((depth - centre[2]) / ray[2]))
				return geom.Vec2{p[0] / depth, p[1] / depth}
			}
			v := 90.0
			if q := hit(s.near); q[0] < s.edge {
				if v = 190; !s.blandNear {
					v = texture(q, 1)
				}
			} else if q := hit(s.far); !s.blandFar {
				v = texture(q, 2)
			}
			if s.faint > 0 {
				v = 128 + (v-128)/s.faint
			}
			noise := 2.0
			if s.noise > 0 {
				noise = s.noise
			}
			g.Pix[y*g.Stride+x] = uint8(math.Max(0, math.Min(255, v+noise*rng.NormFloat64()+0.5)))
		}
	}
	return g
}

// views are the first camera's picture and those of cameras to its sides.
func (s scene) views() (*image.Gray, []View) {
	rng := rand.New(rand.NewPCG(1, 7))
	var out []View
	for _, t := range []geom.Vec3{{-0.12, 0, 0}, {-0.06, 0.02, 0}, {0.05, 0, 0.01}, {0.1, -0.03, 0}, {0.15, 0.02, 0}, {-0.15, 0, 0}} {
		pose := geom.Pose{R: geom.ExpSO3(geom.Vec3{0.01, t[0] / 3, 0}), T: t}
		out = append(out, View{Grey: s.render(pose, rng), PoseBA: pose})
	}
	return s.render(geom.IdentityPose, rng), out
}

func measure(t *testing.T, s scene, px geom.Vec2, candidates []mapping.Candidate) mapping.Surface {
	t.Helper()
	return measureAgain(t, s, px, candidates, mapping.Surface{})
}

func measureAgain(t *testing.T, s scene, px geom.Vec2, candidates []mapping.Candidate, before mapping.Surface) mapping.Surface {
	t.Helper()
	g, views := s.views()
	c, ok := NewRangefinder(cam).Depth(Spot{Grey: g, Px: px, Views: views, Candidates: candidates, Before: before, Around: 0.6})
	if !ok {
		t.Fatalf("nothing measured at %v", px)
	}
	return c
}

// deviation is the standard deviation of a depth with the doubt in it.
func deviation(d mapping.Surface) float64 { return math.Sqrt(d.Var + d.Doubt*d.Else) }

func TestDepthOfATexturedPlane(t *testing.T) {
	s := scene{near: 1, far: 2, edge: -1}
	for _, px := range []geom.Vec2{{160, 120}, {60, 50}, {250, 180}} {
		c := measure(t, s, px, nil)
		sd := math.Sqrt(c.Var)
		if e := math.Abs(c.Inv - 0.5); e > 4*sd || sd > 0.02 {
			t.Errorf("at %v inverse depth %.4f ± %.4f, want 0.5", px, c.Inv, sd)
		}
	}
}

// A camera with little noise tells the depth of paint that looks bland to another one, and one with much does not claim to.
func TestFaintTexture(t *testing.T) {
	px := geom.Vec2{160, 120}
	quiet := measure(t, scene{near: 1, far: 2, edge: -1, faint: 60, noise: 0.7}, px, nil)
	if math.Abs(quiet.Inv-0.5) > 0.02 || quiet.Doubt > 0.08 {
		t.Errorf("with little noise %.3f ± %.3f, doubt %.2f; want 0.5", quiet.Inv, math.Sqrt(quiet.Var), quiet.Doubt)
	}
	loud := measure(t, scene{near: 1, far: 2, edge: -1, faint: 60, noise: 8}, px, nil)
	if math.Abs(loud.Inv-0.5) > 3*deviation(loud) && loud.Doubt < 0.2 {
		t.Errorf("with much noise %.3f ± %.3f, doubt %.2f", loud.Inv, math.Sqrt(loud.Var), loud.Doubt)
	}
}

func TestEachSideOfAnEdgeHasItsDepth(t *testing.T) {
	s := scene{near: 1.2, far: 2, edge: 0}
	for _, q := range []struct{ x, inv float64 }{{148, 1 / 1.2}, {172, 1 / 2.0}} {
		c := measure(t, s, geom.Vec2{q.x, 120}, nil)
		if e := math.Abs(c.Inv - q.inv); e > 4*math.Sqrt(c.Var) || e > 0.03 {
			t.Errorf("at column %g inverse depth %.3f ± %.3f, want %.3f", q.x, c.Inv, math.Sqrt(c.Var), q.inv)
		}
	}
}

// Three pixels beside an edge a spot still has a field, which keeps to its side.
func TestFieldBesideAnEdge(t *testing.T) {
	g, _ := scene{near: 1.2, far: 2, edge: 0, blandNear: true, blandFar: true}.views()
	at := func(x float64) *patch {
		p, ok := newPatch(&cam, g, geom.Vec2{x, 120})
		if !ok {
			t.Fatalf("no patch at column %g", x)
		}
		return p
	}
	open, beside := at(240), at(163)
	if open.edge != 0 || beside.edge < 0.9 {
		t.Errorf("an edge is beside the open spot by %.2f, beside the other by %.2f", open.edge, beside.edge)
	}
	if w, all := beside.parts[field].weight, open.parts[field].weight; w < all/4 {
		t.Errorf("the field beside an edge weighs %.1f, in the open %.1f", w, all)
	}
	for _, k := range []int{field, inner} {
		for _, s := range beside.parts[k].samples {
			if px, _ := cam.Project(s.ray); px[0] < 160 {
				t.Errorf("a sample at column %.0f is across the edge", px[0])
			}
		}
	}
}

// A bland surface right behind an edge tells nothing of its depth: the edge, and the landmarks on it, are of
// the nearer one.
func TestABlandSurfaceBehindAnEdgeIsDoubtful(t *testing.T) {
	s := scene{near: 1.2, far: 2, edge: 0, blandFar: true}
	onEdge := mapping.Candidate{Surface: mapping.Surface{Inv: 1 / 1.2, Var: 1e-4}, Weight: 1}
	c := measure(t, s, geom.Vec2{174, 120}, []mapping.Candidate{onEdge})
	if e, sd := math.Abs(c.Inv-0.5), deviation(c); e > 4*sd {
		t.Errorf("inverse depth %.3f ± %.3f is claimed of a bland surface at 0.5", c.Inv, sd)
	}
}

// What was found before decides where the pictures leave it open, and only there.
func TestWhatWasFoundBefore(t *testing.T) {
	before := func(inv float64) mapping.Surface {
		return mapping.Surface{Inv: inv, Var: 1e-4, Doubt: 0.02}
	}
	bland := scene{near: 1.2, far: 2, edge: 0, blandFar: true}
	first := measure(t, bland, geom.Vec2{240, 120}, nil)
	again := measureAgain(t, bland, geom.Vec2{240, 120}, nil, before(0.5))
	if math.Abs(again.Inv-0.5) > 0.05 || deviation(again) > 0.75*deviation(first) {
		t.Errorf("a bland surface found at 0.5 before: now %.3f ± %.3f, ± %.3f the first time", again.Inv, deviation(again), deviation(first))
	}
	textured := measureAgain(t, scene{near: 1, far: 2, edge: -1}, geom.Vec2{160, 120}, nil, before(0.8))
	if math.Abs(textured.Inv-0.5) > 0.02 {
		t.Errorf("a textured surface at 0.5, found at 0.8 before, is now at %.3f", textured.Inv)
	}
}

func TestNothingToMeasureFrom(t *testing.T) {
	g, views := scene{near: 1, far: 2, edge: -1}.views()
	still := []View{{Grey: views[0].Grey, PoseBA: geom.IdentityPose}}
	r := NewRangefinder(cam)
	for what, s := range map[string]Spot{
		"no view":                   {Px: geom.Vec2{160, 120}},
		"a view without parallax":   {Px: geom.Vec2{160, 120}, Views: still},
		"the corner of the picture": {Px: geom.Vec2{0, 0}, Views: views},
	} {
		s.Grey, s.Around = g, 0.5
		if _, ok := r.Depth(s); ok {
			t.Errorf("depth from %s", what)
		}
	}
}

func BenchmarkDepth(b *testing.B) {
	g, views := scene{near: 1, far: 2, edge: -1}.views()
	r := NewRangefinder(cam)
	b.ReportAllocs()
	for b.Loop() {
		r.Depth(Spot{Grey: g, Px: geom.Vec2{160, 120}, Views: views, Around: 0.6})
	}
}
