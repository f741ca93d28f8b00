package solve

import (
	"math"
	"math/rand/v2"
	"testing"

	"sightline/vision/geom"
)

const focal = 600.0

// world is a synthetic truth: cameras on an arc around a box of points, with measurements.
type world struct {
	poses  []geom.Pose
	points []geom.Vec3
	rng    *rand.Rand
}

func newWorld(cameras, points int, seed uint64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1))}
	for i := range cameras {
		a := 0.1 * (float64(i)/float64(max(1, cameras-1)) - 0.5)
		centre := geom.Vec3{3 * math.Sin(a), 0.1 * math.Sin(5*a), 3 - 3*math.Cos(a)}
		r := geom.ExpSO3(geom.Vec3{0.3 * a, a, 0.2 * a})
		w.poses = append(w.poses, geom.Pose{R: r, T: r.MulVec(centre).Scale(-1)})
	}
	for range points {
		w.points = append(w.points, geom.Vec3{w.uniform(1), w.uniform(0.8), 3 + w.uniform(0.7)})
	}
	return w
}

func (w *world) uniform(r float64) float64 { return r * (2*w.rng.Float64() - 1) }

// see is the normalized measurement of point k by camera i, with noise of sigma pixels.
func (w *world) see(i, k int, sigma float64) geom.Vec2 {
	c := w.poses[i].Apply(w.points[k])
	return geom.Vec2{c[0]/c[2] + sigma/focal*w.rng.NormFloat64(), c[1]/c[2] + sigma/focal*w.rng.NormFloat64()}
}

func (w *world) shake(p geom.Pose, turn, shift float64) geom.Pose {
	return p.Retract(geom.Vec3{w.uniform(turn), w.uniform(turn), w.uniform(turn)}, geom.Vec3{w.uniform(shift), w.uniform(shift), w.uniform(shift)})
}

func angle(p, q geom.Pose) float64 { return geom.LogSO3(p.R.Mul(q.R.Transpose())).Norm() }

func TestPoseRowsMatchNumericDerivative(t *testing.T) {
	w := newWorld(1, 20, 3)
	const h = 1e-6
	for _, x := range w.points {
		pose := w.shake(w.poses[0], 0.2, 0.2)
		c := pose.Apply(x)
		n0, j, ok := project(c, focal)
		if !ok {
			t.Fatal("point behind the camera")
		}
		rows := poseRows(j, c)
		for k := range 6 {
			var step [6]float64
			step[k] = h
			moved := pose.Retract(geom.Vec3(step[:3]), geom.Vec3(step[3:]))
			n1, _, _ := project(moved.Apply(x), focal)
			for r := range 2 {
				numeric := focal * (n1[r] - n0[r]) / h
				if math.Abs(numeric-rows[r][k]) > 1e-3*(1+math.Abs(numeric)) {
					t.Errorf("row %d, parameter %d: analytic %g, numeric %g", r, k, rows[r][k], numeric)
				}
			}
		}
	}
}

func TestPoseRecoversAmongOutliers(t *testing.T) {
	w := newWorld(1, 120, 5)
	var s []Sighting
	for k, p := range w.points {
		n := w.see(0, k, 0.3)
		if k%4 == 0 {
			n = n.Add(geom.Vec2{w.uniform(0.2), w.uniform(0.2)})
		}
		s = append(s, Sighting{P: p, N: n, Sigma: 0.5})
	}
	res := Pose(w.shake(w.poses[0], 0.01, 0.03), s, focal)
	if a := angle(res.PoseCW, w.poses[0]); a > 0.001 {
		t.Errorf("rotation off by %.5f rad", a)
	}
	if d := res.PoseCW.Centre().Sub(w.poses[0].Centre()).Norm(); d > 0.004 {
		t.Errorf("position off by %.4f at a distance of 3", d)
	}
	if res.Inliers < 80 || res.Inliers > 100 {
		t.Errorf("%d inliers of 90 true ones", res.Inliers)
	}
}

// TestPoseCovarianceIsTrue compares the claimed covariance with the spread over many noisy trials.
func TestPoseCovarianceIsTrue(t *testing.T) {
	w := newWorld(1, 60, 7)
	const trials, sigma = 400, 1.0
	var spread [6]float64
	var claimed []float64
	for range trials {
		var s []Sighting
		for k, p := range w.points {
			s = append(s, Sighting{P: p, N: w.see(0, k, sigma), Sigma: 3 * sigma}) // wide, so that Tukey hardly bites
		}
		res := Pose(w.poses[0], s, focal)
		rel := res.PoseCW.Mul(w.poses[0].Inverse())
		e := geom.LogSO3(rel.R)
		d := res.PoseCW.T.Sub(rel.R.MulVec(w.poses[0].T))
		for i := range 3 {
			spread[i] += e[i] * e[i] / trials
			spread[3+i] += d[i] * d[i] / trials
		}
		claimed = res.Cov
	}
	for i := range 6 {
		ratio := math.Sqrt(spread[i] * 9 / claimed[i*7])
		if ratio < 0.8 || ratio > 1.25 {
			t.Errorf("parameter %d: true deviation is %.2f of the claimed one", i, ratio)
		}
	}
}

func TestTriangulateWithinItsCovariance(t *testing.T) {
	w := newWorld(5, 200, 9)
	chi := 0.0
	for k, truth := range w.points {
		var v []View
		for i := range w.poses {
			v = append(v, View{PoseCW: w.poses[i], N: w.see(i, k, 0.5)})
		}
		p, cov, ok := Triangulate(v, focal)
		if !ok {
			t.Fatalf("point %d refused", k)
		}
		inv, ok := cov.Scale(0.25).Inverse()
		if !ok {
			t.Fatal("singular covariance")
		}
		e := p.Sub(truth)
		chi += e.Dot(inv.MulVec(e)) / float64(len(w.points))
	}
	if chi < 2.3 || chi > 3.8 {
		t.Errorf("mean squared Mahalanobis error %.2f, want 3", chi)
	}
}

func TestTriangulateRefuses(t *testing.T) {
	behind := []View{{geom.IdentityPose, geom.Vec2{0.1, 0}}, {geom.Pose{R: geom.Identity3, T: geom.Vec3{-1, 0, 0}}, geom.Vec2{0.4, 0}}}
	if _, _, ok := Triangulate(behind, focal); ok {
		t.Error("rays that part were triangulated")
	}
	if _, _, ok := Triangulate(behind[:1], focal); ok {
		t.Error("one view was triangulated")
	}
}

// shaken is a bundle over a world that all cameras see, of which the first few are fixed where they are.
func (w *world) shaken(fixed int) *Bundle {
	b := &Bundle{Focal: focal, HuberPx: 1.5, Fixed: make([]bool, len(w.poses))}
	for i, p := range w.poses {
		if b.Fixed[i] = i < fixed; !b.Fixed[i] {
			p = w.shake(p, 0.02, 0.04)
		}
		b.Poses = append(b.Poses, p)
	}
	for k, p := range w.points {
		b.Points = append(b.Points, p.Add(geom.Vec3{w.uniform(0.1), w.uniform(0.1), w.uniform(0.3)}))
		for i := range w.poses {
			b.Obs = append(b.Obs, BundleObs{Pose: i, Point: k, N: w.see(i, k, 0.3)})
		}
	}
	return b
}

// The size of a local adjustment of the mapper.
func BenchmarkBundle(b *testing.B) {
	p := newWorld(12, 400, 11).shaken(4)
	poses, points := p.Poses, p.Points
	b.ReportAllocs()
	for b.Loop() {
		p.Poses, p.Points = poses, points
		p.Run(5)
	}
}

func TestBundleRecovers(t *testing.T) {
	w := newWorld(6, 150, 11)
	b := w.shaken(1)
	before, after := b.Run(20)
	perObs := math.Sqrt(after / float64(2*len(b.Obs)))
	t.Logf("cost %.0f -> %.0f, %.3f px", before, after, perObs)
	if perObs > 0.32 {
		t.Errorf("left %.3f px of residual, noise was 0.3", perObs)
	}
	scale := w.poses[5].Centre().Norm() / b.Poses[5].Centre().Norm()
	for i := range w.poses {
		if a := angle(b.Poses[i], w.poses[i]); a > 0.004 {
			t.Errorf("camera %d turned by %.4f rad", i, a)
		}
	}
	worst := 0.0
	for k, p := range b.Points {
		worst = math.Max(worst, p.Scale(scale).Sub(w.points[k]).Norm())
	}
	if worst > 0.15 {
		t.Errorf("worst point off by %.3f at a distance of 3", worst)
	}
}

// The focal length is found with everything else where the cameras go round the scene, the time that reading a picture takes where
// the pictures move in different ways, and both at once; and each is off by as much as is said.
func TestBundleFindsWhatIsFree(t *testing.T) {
	const zoom, readout = 1.08, 0.025 // of the guess; s
	for name, free := range map[string][2]bool{"focal length": {true, false}, "readout": {false, true}, "both": {true, true}} {
		t.Run(name, func(t *testing.T) {
			const runs = 60
			var sum [2]float64
			for seed := range runs {
				w := newWorld(0, 80, uint64(seed))
				rng := rand.New(rand.NewPCG(uint64(seed), 9))
				var velocity []geom.Vec2 // of the picture, in normalized coordinates each second
				for i := range 10 {
					a := 0.6 * (float64(i)/9 - 0.5)
					r := geom.ExpSO3(geom.Vec3{0.3 * math.Sin(9*a), a, 0.2 * a})
					w.poses = append(w.poses, geom.Pose{R: r, T: r.MulVec(geom.Vec3{3 * math.Sin(a), 0.2 * math.Sin(5*a), 3 - 3*math.Cos(a)}).Scale(-1)})
					velocity = append(velocity, geom.Vec2{rng.NormFloat64(), 0.5 * rng.NormFloat64()})
				}
				b := w.shaken(1)
				b.Poses[0], b.FreeZoom, b.FreeReadout = w.poses[0], free[0], free[1]
				for i := range b.Obs {
					o := &b.Obs[i]
					if free[1] {
						o.Roll = velocity[o.Pose].Scale(o.N[1]) // 0 in the middle row, ±1/2 in a picture as high as its focal length
						o.N = o.N.Add(o.Roll.Scale(readout))
					}
					if free[0] {
						o.N, o.Roll = o.N.Scale(zoom), o.Roll.Scale(zoom)
					}
				}
				b.Run(30)
				sigmas, ok := b.Sigmas()
				if !ok {
					t.Fatalf("run %d: nothing is known", seed)
				}
				for k, e := range [2]float64{math.Log(b.Zoom / zoom), b.Readout - readout} {
					if !free[k] {
						continue
					}
					if sigmas[0] > [2]float64{0.05, 0.002}[k] {
						t.Fatalf("run %d: sigma %g", seed, sigmas[0])
					}
					sum[k] += e * e / (sigmas[0] * sigmas[0])
					sigmas = sigmas[1:]
				}
			}
			for k := range sum {
				r := math.Sqrt(sum[k] / runs)
				if free[k] && (r > 1.3 || r < 0.75) {
					t.Errorf("errors of %s are %.2f of what is claimed", [2]string{"the focal length", "the readout"}[k], r)
				}
			}
			t.Logf("errors are %.2f of what is claimed", [2]float64{math.Sqrt(sum[0] / runs), math.Sqrt(sum[1] / runs)})
		})
	}
}
