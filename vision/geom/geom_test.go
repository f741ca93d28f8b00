package geom

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func drawVec(t *rapid.T, name string, r float64) Vec3 {
	f := rapid.Float64Range(-r, r)
	return Vec3{f.Draw(t, name+"x"), f.Draw(t, name+"y"), f.Draw(t, name+"z")}
}

func drawPose(t *rapid.T, name string) Pose {
	return Pose{R: ExpSO3(drawVec(t, name+"w", 1.7)), T: drawVec(t, name+"t", 5)}
}

func near(a, b Vec3) bool { return a.Sub(b).Norm() < 1e-9*(1+a.Norm()) }

// apart is by how much two matrices differ, all entries together.
func apart(a, b Mat3) (sum float64) {
	for i := range a {
		sum += math.Abs(a[i] - b[i])
	}
	return sum
}

func TestPoseAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q, x := drawPose(t, "p"), drawPose(t, "q"), drawVec(t, "x", 10)
		if !near(p.Mul(q).Apply(x), p.Apply(q.Apply(x))) {
			t.Error("(p∘q)(x) is not p(q(x))")
		}
		if !near(p.Inverse().Apply(p.Apply(x)), x) {
			t.Error("the inverse does not undo")
		}
		if c := p.Apply(p.Centre()); c.Norm() > 1e-9 {
			t.Errorf("the camera's centre is at %v in its own frame", c)
		}
	})
}

func TestRotationsGoRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawVec(t, "w", 1.7) // |w| < π, where the logarithm is unique
		if w.Norm() > 3.1 {
			return
		}
		if back := LogSO3(ExpSO3(w)); back.Sub(w).Norm() > 1e-7 {
			t.Errorf("log of exp of %v is %v", w, back)
		}
		r := ExpSO3(w)
		if d := apart(QuatOf(r).Mat(), r); d > 1e-9 {
			t.Errorf("quaternion of %v comes back %v off", w, d)
		}
	})
}

func TestRetractStaysARotation(t *testing.T) {
	p := IdentityPose
	for range 10000 {
		p = p.Retract(Vec3{0.01, -0.02, 0.015}, Vec3{0.001, 0, 0})
	}
	if e := p.R.Mul(p.R.Transpose()); apart(e, Identity3) > 1e-12 {
		t.Errorf("R·Rᵀ is %v", e)
	}
}

func TestSolveSPD(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "n")
		m := make([]float64, n*n)
		for i := range m {
			m[i] = rapid.Float64Range(-1, 1).Draw(t, "m")
		}
		a, want := make([]float64, n*n), make([]float64, n)
		for i := range n {
			want[i] = float64(i + 1)
			for j := range n {
				for k := range n {
					a[i*n+j] += m[i*n+k] * m[j*n+k]
				}
			}
			a[i*n+i] += 0.5
		}
		b := make([]float64, n)
		for i := range n {
			for j := range n {
				b[i] += a[i*n+j] * want[j]
			}
		}
		if !SolveSPD(append([]float64(nil), a...), b) {
			t.Fatal("refused")
		}
		for i := range n {
			if math.Abs(b[i]-want[i]) > 1e-6 {
				t.Fatalf("x[%d] = %g", i, b[i])
			}
		}
	})
	if SolveSPD([]float64{1, 2, 2, 1}, []float64{1, 1}) {
		t.Error("an indefinite matrix was solved")
	}
}

func TestSimilarityKeepsWhatTheCameraSees(t *testing.T) {
	from := Pose{R: ExpSO3(Vec3{0.3, -0.2, 0.5}), T: Vec3{1, 2, 3}}
	to := Pose{R: ExpSO3(Vec3{-0.7, 0.1, 0.2}), T: Vec3{-2, 0.5, 1}}
	s := SimilarityOf(from, to, 2.5)
	if got := s.ApplyPose(from); got.T.Sub(to.T).Norm() > 1e-12 || LogSO3(got.R.Mul(to.R.Transpose())).Norm() > 1e-7 {
		t.Fatalf("the camera stands at %v, want %v", got, to)
	}
	p := Vec3{0.4, -0.3, 2}
	if d := to.Apply(s.Apply(p)).Sub(from.Apply(p).Scale(2.5)).Norm(); d > 1e-12 {
		t.Errorf("a point is seen %g beside", d)
	}
	u := SimilarityOf(to, from, 0.4)
	if d := s.Mul(u).Apply(p).Sub(s.Apply(u.Apply(p))).Norm(); d > 1e-12 {
		t.Errorf("the product is off by %g", d)
	}
}
