package opencv

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/marker"
)

// photograph renders a board of tags as a camera sees it: every pixel is the mean of 3x3 rays. poseCB takes
// the board's frame to the camera's.
func photograph(t *testing.T, cam camera.Model, b marker.Board, poseCB geom.Pose) *image.Gray {
	t.Helper()
	cells := make([][][]bool, len(b.Tags))
	for i, tag := range b.Tags {
		var err error
		if cells[i], err = TagCells(tag.Family, tag.ID); err != nil {
			t.Fatal(err)
		}
	}
	bc := poseCB.Inverse()
	white := func(p geom.Vec3) bool {
		for i, tag := range b.Tags {
			side := tag.Side()
			u, v := (p[0]-tag.Corners[0][0])/side, (tag.Corners[0][1]-p[1])/side
			if u >= 0 && v >= 0 && u < 1 && v < 1 {
				n := float64(len(cells[i]))
				return cells[i][int(v*n)][int(u*n)]
			}
		}
		return true
	}
	g := image.NewGray(image.Rect(0, 0, cam.Width, cam.Height))
	const fine = 3
	for y := range cam.Height {
		for x := range cam.Width {
			sum := 0
			for k := range fine * fine {
				px := geom.Vec2{float64(x) + (float64(k%fine)+0.5)/fine - 0.5, float64(y) + (float64(k/fine)+0.5)/fine - 0.5}
				d := bc.R.MulVec(cam.Ray(px))
				if white(bc.T.Sub(d.Scale(bc.T[2] / d[2]))) {
					sum += 200
				} else {
					sum += 30
				}
			}
			g.Pix[y*g.Stride+x] = uint8(sum / (fine * fine))
		}
	}
	return g
}

// facing is a pose of a board before the camera: turned towards it, then tilted, at a distance in metres.
func facing(tilt geom.Vec3, at geom.Vec3) geom.Pose {
	// The board's x is right and its y up; the camera's y is down and its z away.
	front := geom.Mat3{1, 0, 0, 0, -1, 0, 0, 0, -1}
	return geom.Pose{R: geom.ExpSO3(tilt).Mul(front), T: at}
}

// TestBoardIsRead photographs a board with tags of both families and wants every corner, and nothing
// of the other family.
func TestBoardIsRead(t *testing.T) {
	cam := camera.FromFOV(640, 480, 1.1)
	b := marker.Board{Name: "a", Machine: "m", Tags: []marker.Tag{
		marker.Square(marker.AprilTag36h11, 11, -0.09, 0.09, 0.08), marker.Square(marker.AprilTag36h11, 586, 0.01, 0.09, 0.08),
		marker.Square(marker.ArUco4x4, 49, -0.09, -0.01, 0.08), marker.Square(marker.AprilTag36h11, 0, 0.01, -0.01, 0.08)}}
	truth := facing(geom.Vec3{0.5, -0.3, 0.2}, geom.Vec3{0.03, -0.02, 0.5})
	g := photograph(t, cam, b, truth)
	worst, found := 0.0, 0
	for _, f := range []marker.Family{marker.AprilTag36h11, marker.ArUco4x4} {
		tags, err := Solvers{}.Tags(g, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range tags {
			_, tag, ok := (marker.Set{Boards: []marker.Board{b}}).Find(f, s.ID)
			if !ok {
				t.Errorf("%s/%d is not on the board", f, s.ID)
				continue
			}
			found++
			for k, p := range tag.Corners {
				want, _ := cam.Project(truth.Apply(p))
				worst = math.Max(worst, want.Sub(s.Corners[k]).Norm())
			}
		}
	}
	if found != len(b.Tags) || worst > 0.35 {
		t.Fatalf("%d of %d tags found, corners up to %.2f px off", found, len(b.Tags), worst)
	}
	t.Logf("corners within %.2f px", worst)
}

func TestTagsThatAreNot(t *testing.T) {
	if _, err := TagCells(marker.ArUco4x4, 50); err == nil {
		t.Error("tag 50 of 50 has cells")
	}
	if _, err := TagCells("5x5", 0); err == nil {
		t.Error("an unknown family has cells")
	}
	if _, err := (Solvers{}).Tags(image.NewGray(image.Rect(0, 0, 64, 64)), "5x5"); err == nil {
		t.Error("an unknown family was looked for")
	}
	noise := image.NewGray(image.Rect(0, 0, 640, 480))
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range noise.Pix {
		noise.Pix[i] = uint8(rng.IntN(256))
	}
	if tags, err := (Solvers{}).Tags(noise, marker.AprilTag36h11); err != nil || len(tags) != 0 {
		t.Errorf("in noise: %v, %v", tags, err)
	}
}

// TestCalibrateRecoversTheLens projects a grid through a known lens with noise of 0.2 px: the lens found must
// lie within what its standard deviations say, and those must be small.
func TestCalibrateRecoversTheLens(t *testing.T) {
	truth := camera.Model{Width: 640, Height: 480, Fx: 520, Fy: 523, Cx: 315, Cy: 246, K1: -0.21, K2: 0.06, P1: 0.001, P2: -0.0015}
	rng := rand.New(rand.NewPCG(2, 3))
	var object []geom.Vec3
	for i := range 54 {
		object = append(object, geom.Vec3{0.025 * float64(i%9-4), 0.025 * float64(i/9-3), 0})
	}
	const noise = 0.2
	var views [][]geom.Vec2
	for range 20 {
		pose := facing(geom.Vec3{0.6 * rng.NormFloat64(), 0.6 * rng.NormFloat64(), rng.NormFloat64()}.Scale(0.7), geom.Vec3{0.06 * rng.NormFloat64(), 0.05 * rng.NormFloat64(), 0.32 + 0.2*rng.Float64()})
		var view []geom.Vec2
		for _, p := range object {
			px, _ := truth.Project(pose.Apply(p))
			view = append(view, px.Add(geom.Vec2{noise * rng.NormFloat64(), noise * rng.NormFloat64()}))
		}
		views = append(views, view)
	}
	c, err := Solvers{}.Calibrate(object, views, 640, 480, false)
	if err != nil {
		t.Fatal(err)
	}
	// calibrateCamera's rms is over both coordinates.
	if want := noise * math.Sqrt2; math.Abs(c.RMS-want) > 0.03 || len(c.PerView) != 20 || len(c.PoseCO) != 20 {
		t.Errorf("rms %.3f, want %.3f; %d views", c.RMS, want, len(c.PerView))
	}
	m, s := c.Model, c.Sigma
	for _, v := range []struct {
		name             string
		got, want, sigma float64
		most             float64
	}{
		{"fx", m.Fx, truth.Fx, s.Fx, 3}, {"fy", m.Fy, truth.Fy, s.Fy, 3}, {"cx", m.Cx, truth.Cx, s.Cx, 3}, {"cy", m.Cy, truth.Cy, s.Cy, 3},
		{"k1", m.K1, truth.K1, s.K1, 0.05}, {"p1", m.P1, truth.P1, s.P1, 0.002}, {"p2", m.P2, truth.P2, s.P2, 0.002},
	} {
		if !(v.sigma > 0 && v.sigma < v.most) || math.Abs(v.got-v.want) > 4*v.sigma {
			t.Errorf("%s is %.4f ± %.4f, want %.4f", v.name, v.got, v.sigma, v.want)
		}
	}
	if _, err := (Solvers{}).Calibrate(object, views[:2], 640, 480, true); err == nil {
		t.Error("two views were enough")
	}
}
