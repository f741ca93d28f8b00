package opencv

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"sightline/assets"
	"sightline/vision/geom"
	"sightline/vision/marker"
	"sightline/vision/reloc"
)

// blobs is a textured picture, moved by a part of a pixel: smooth blobs drawn where they are.
func blobs(shift geom.Vec2) *image.Gray {
	rng := rand.New(rand.NewPCG(1, 1))
	g := image.NewGray(image.Rect(0, 0, 320, 240))
	field := make([]float64, len(g.Pix))
	for range 260 {
		c := geom.Vec2{320 * rng.Float64(), 240 * rng.Float64()}.Add(shift)
		r, a := 2+5*rng.Float64(), 160*rng.Float64()-80
		for y := max(0, int(c[1]-3*r)); y < min(240, int(c[1]+3*r)); y++ {
			for x := max(0, int(c[0]-3*r)); x < min(320, int(c[0]+3*r)); x++ {
				d := geom.Vec2{float64(x), float64(y)}.Sub(c).Norm() / r
				field[y*320+x] += a * math.Exp(-d*d)
			}
		}
	}
	for i, v := range field {
		g.Pix[i] = uint8(math.Max(0, math.Min(255, 128+v)))
	}
	return g
}

func pyramid(t *testing.T, g *image.Gray) *Pyramid {
	t.Helper()
	p, err := NewPyramid(g)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestFlowFindsASubPixelShift(t *testing.T) {
	shift := geom.Vec2{7.3, -4.6}
	a, b := pyramid(t, blobs(geom.Vec2{})), pyramid(t, blobs(shift))
	at, err := a.Corners(nil, 80, 8)
	if err != nil || len(at) < 40 {
		t.Fatalf("%d corners, %v", len(at), err)
	}
	found, ok, err := a.Flow(b, at, at, levels)
	if err != nil {
		t.Fatal(err)
	}
	good := 0
	for i := range at {
		want := at[i].Add(shift)
		if want[0] < 20 || want[1] < 20 || want[0] > 300 || want[1] > 220 {
			continue
		}
		if ok[i] && found[i].Sub(want).Norm() < 0.15 {
			good++
		} else if ok[i] {
			t.Errorf("%v went to %v, want %v", at[i], found[i], want)
		}
	}
	if good < 30 {
		t.Errorf("%d of %d followed", good, len(at))
	}
}

// A picture that is too small to be halved three times still has one at an eighth of its size.
func TestSmallOfASmallPicture(t *testing.T) {
	g := image.NewGray(image.Rect(0, 0, 160, 120))
	for i := range g.Pix {
		g.Pix[i] = uint8(40 + i%160)
	}
	p, err := NewPyramid(g)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s := p.Small()
	for y := range 15 {
		for x := range 20 {
			if got, want := float64(s.Pix[y*s.Stride+x]), float64(40+8*x)+3.5; math.Abs(got-want) > 6 {
				t.Fatalf("%.0f at %d %d, want %.0f", got, x, y, want)
			}
		}
	}
}

func TestCornersKeepTheirDistance(t *testing.T) {
	p := pyramid(t, blobs(geom.Vec2{}))
	taken := []geom.Vec2{{160, 120}}
	got, err := p.Corners(taken, 50, 15)
	if err != nil || len(got) < 20 {
		t.Fatalf("%d corners, %v", len(got), err)
	}
	for i, a := range got {
		for _, b := range append(got[:i:i], taken...) {
			if a.Sub(b).Norm() < 11 { // corners are refined by up to 3 px after they are chosen
				t.Errorf("corners at %v and %v", a, b)
			}
		}
	}
}

// views are points before two cameras, with noise of a third of a pixel at 600 px focal length.
func views(n int, poseBA geom.Pose) (world []geom.Vec3, a, b []geom.Vec2) {
	rng := rand.New(rand.NewPCG(2, 2))
	see := func(c geom.Vec3) geom.Vec2 {
		return geom.Vec2{c[0]/c[2] + rng.NormFloat64()/1800, c[1]/c[2] + rng.NormFloat64()/1800}
	}
	for range n {
		p := geom.Vec3{2*rng.Float64() - 1, 2*rng.Float64() - 1, 2 + 2*rng.Float64()}
		world, a, b = append(world, p), append(a, see(p)), append(b, see(poseBA.Apply(p)))
	}
	return world, a, b
}

func TestMotionsHaveTheTrueOne(t *testing.T) {
	truth := geom.Pose{R: geom.ExpSO3(geom.Vec3{0.02, -0.08, 0.03}), T: geom.Vec3{0.3, 0.05, -0.02}}
	_, a, b := views(200, truth)
	motions, err := Solvers{}.Motions(a, b, 1.0/600)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range motions {
		turn := geom.LogSO3(m.PoseBA.R.Mul(truth.R.Transpose())).Norm()
		if turn < 0.01 && m.PoseBA.T.Dot(truth.T.Unit()) > 0.99 {
			return
		}
	}
	t.Errorf("none of %d motions is the true one", len(motions))
}

func TestPnPAmongOutliers(t *testing.T) {
	truth := geom.Pose{R: geom.ExpSO3(geom.Vec3{0.02, -0.08, 0.03}), T: geom.Vec3{0.3, 0.05, -0.02}}
	world, _, b := views(120, truth)
	for i := 0; i < len(b); i += 3 {
		b[i][0] += 0.1
	}
	pose, inlier, ok, err := Solvers{}.PnP(world, b, 3.0/600)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if d := pose.Centre().Sub(truth.Centre()).Norm(); d > 0.02 {
		t.Errorf("position off by %.3f", d)
	}
	for i, in := range inlier {
		if in && i%3 == 0 {
			t.Errorf("outlier %d was taken", i)
		}
	}
	if _, _, ok, err := (Solvers{}).PnP(world[:3], b[:3], 0.01); ok || err != nil {
		t.Errorf("three points: %v, %v", ok, err)
	}
}

func TestMarkersAreRead(t *testing.T) {
	g := image.NewGray(image.Rect(0, 0, 320, 240))
	for i := range g.Pix {
		g.Pix[i] = 220
	}
	const id, cell, left, top = 12, 12, 100, 80
	for y := range 6 * cell {
		for x := range 6 * cell {
			v := uint8(20)
			if i, j := x/cell-1, y/cell-1; i >= 0 && i < 4 && j >= 0 && j < 4 && assets.Marker4x4(id)>>(15-4*j-i)&1 == 1 {
				v = 220
			}
			g.Pix[(top+y)*320+left+x] = v
		}
	}
	seen, err := Solvers{}.Tags(g, marker.ArUco4x4)
	if err != nil || len(seen) != 1 || seen[0].ID != id {
		t.Fatalf("found %v, %v", seen, err)
	}
	want := [4]geom.Vec2{{left, top}, {left + 6*cell, top}, {left + 6*cell, top + 6*cell}, {left, top + 6*cell}}
	for k := range want {
		if seen[0].Corners[k].Sub(want[k]).Norm() > 1.2 {
			t.Errorf("corner %d at %v, want %v", k, seen[0].Corners[k], want[k])
		}
	}
}

func TestDescriptorsKnowThePointAgain(t *testing.T) {
	shift := geom.Vec2{12.4, 9.3}
	ga, gb := blobs(geom.Vec2{}), blobs(shift)
	at, err := pyramid(t, ga).Corners(nil, 120, 8)
	if err != nil {
		t.Fatal(err)
	}
	moved := make([]geom.Vec2, len(at))
	for i, p := range at {
		moved[i] = p.Add(shift)
	}
	da, err := Solvers{}.Describe(ga, at)
	if err != nil {
		t.Fatal(err)
	}
	db, err := Solvers{}.Describe(gb, moved)
	if err != nil {
		t.Fatal(err)
	}
	same, other, pairs := 0, 0, 0
	for i := range at {
		j := (i + len(at)/2) % len(at)
		if len(da[i]) == 0 || len(db[i]) == 0 || len(db[j]) == 0 {
			continue
		}
		pairs++
		if da[i][0].Distance(db[i][0]) < reloc.Most {
			same++
		}
		if da[i][0].Distance(db[j][0]) < reloc.Most {
			other++
		}
	}
	if pairs < 40 || 10*same < 9*pairs || 8*other > pairs {
		t.Errorf("of %d points %d look like themselves and %d like others", pairs, same, other)
	}
	if d, err := (Solvers{}).Describe(ga, []geom.Vec2{{3, 3}}); err != nil || len(d[0]) != 0 {
		t.Errorf("a point at the border has %d descriptors, %v", len(d[0]), err)
	}
}

func TestBadPicturesAreErrors(t *testing.T) {
	if _, err := NewPyramid(image.NewGray(image.Rect(0, 0, 20, 20))); err == nil {
		t.Error("a picture of 20x20 pixels was taken")
	}
	p := pyramid(t, blobs(geom.Vec2{}))
	if _, _, err := p.Flow(p, nil, nil, levels); err != nil {
		t.Errorf("no points: %v", err)
	}
	before := LivePyramids()
	q, err := NewPyramid(blobs(geom.Vec2{}))
	if err != nil {
		t.Fatal(err)
	}
	q.Close()
	q.Close()
	if LivePyramids() != before {
		t.Error("closing twice miscounts")
	}
}

func BenchmarkFlow400(b *testing.B) {
	p, err := NewPyramid(blobs(geom.Vec2{}))
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	q, err := NewPyramid(blobs(geom.Vec2{2, 1}))
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	at, err := p.Corners(nil, 400, 4)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.Flow(q, at, at, levels); err != nil {
			b.Fatal(err)
		}
	}
}
