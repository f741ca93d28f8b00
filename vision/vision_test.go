package vision

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"sightline/vision/camera"
	"sightline/vision/geom"
)

// TestError compares the error on screen with what noise on pose and place really does.
func TestError(t *testing.T) {
	cam := camera.Model{Width: 640, Height: 480, Fx: 500, Fy: 510, Cx: 320, Cy: 240}
	e := Estimate{PoseCW: geom.Pose{R: geom.ExpSO3(geom.Vec3{0.2, -0.3, 0.1}), T: geom.Vec3{0.1, 0, 0.3}}, SigmaPx: 0.5}
	root := geom.Mat3{0.01, 0, 0, 0.004, 0.006, 0, -0.01, 0.003, 0.02} // covariance is root·rootᵀ
	s := geom.Spot{P: geom.Vec3{0.3, 0.2, 2}, Cov: root.Mul(root.Transpose()), Doubt: 0.1, Off: geom.Vec3{0.02, 0.01, 0.05}}
	got := e.Error(s, cam)
	if got.Doubt != s.Doubt {
		t.Errorf("doubt %g of %g", got.Doubt, s.Doubt)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	centre, _ := cam.Project(e.PoseCW.Apply(s.P))
	for _, c := range []struct {
		what string
		got  float64
		off  geom.Vec3
	}{{"near", got.Near, geom.Vec3{}}, {"elsewhere", got.Far, s.Off}} {
		const n = 20000
		var uu, uv, vv float64
		for range n {
			q := s.P.Add(root.MulVec(geom.Vec3{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()})).Add(c.off.Scale(rng.NormFloat64()))
			px, _ := cam.Project(e.PoseCW.Apply(q))
			d := px.Sub(centre).Add(geom.Vec2{e.SigmaPx * rng.NormFloat64(), e.SigmaPx * rng.NormFloat64()})
			uu, uv, vv = uu+d[0]*d[0]/n, uv+d[0]*d[1]/n, vv+d[1]*d[1]/n
		}
		want := math.Sqrt((uu+vv)/2 + math.Hypot((uu-vv)/2, uv))
		if math.Abs(c.got-want) > 0.05*want {
			t.Errorf("%s: sigma %.3f px, sampled %.3f", c.what, c.got, want)
		}
	}
}

// What is known of a frame arrives as it was sent, the motion of a rolling shutter with it, and no word of that where there is none.
func TestMessageTravels(t *testing.T) {
	cam := camera.FromFOV(640, 480, 1.1)
	e := Estimate{Captured: 7, State: Tracking, PoseCW: geom.Pose{R: geom.ExpSO3(geom.Vec3{0.2, -0.3, 0.1}), T: geom.Vec3{1, 2, 3}}, Map: "w1", Metric: true, SigmaPx: 0.5,
		Landmarks: 90, Roll: geom.Twist{Turn: geom.Vec3{0.01, 0, 0.002}, Move: geom.Vec3{0, 0.03, 0}}}
	for _, roll := range []geom.Twist{e.Roll, {}} {
		e.Roll = roll
		data, err := json.Marshal(e.Message(cam))
		if err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(string(data), "roll"); has != (roll != geom.Twist{}) {
			t.Errorf("roll %v: %s", roll, data)
		}
		var m PoseMessage
		if err := json.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		back := m.Estimate(7)
		for i := range back.PoseCW.R {
			if math.Abs(back.PoseCW.R[i]-e.PoseCW.R[i]) > 1e-12 {
				t.Fatalf("turned by the way: %v", back.PoseCW)
			}
		}
		back.PoseCW.R = e.PoseCW.R
		if back != e || m.Camera != cam {
			t.Errorf("%+v came as %+v", e, back)
		}
	}
}
