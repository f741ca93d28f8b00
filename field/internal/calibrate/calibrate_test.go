package calibrate

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sightline/vision/camera"
	"sightline/vision/geom"
)

// truth is the lens that the test's camera has: a cheap wide one.
var truth = camera.Model{Width: 480, Height: 360, Fx: 358, Fy: 361, Cx: 246, Cy: 175, K1: -0.27, K2: 0.09, P1: 0.0012, P2: -0.0008}

// photographer renders a chessboard of 9x6 inner corners and squares of 25 mm exactly: every pixel is the
// mean of 2x2 rays through the lens.
type photographer struct {
	cam  camera.Model
	rays []geom.Vec2 // normalized, for each of the 2x2 of each pixel
	rng  *rand.Rand
}

const fine = 2

func newPhotographer(cam camera.Model) *photographer {
	p := &photographer{cam: cam, rng: rand.New(rand.NewPCG(7, 8))}
	for i := range cam.Width * cam.Height {
		for k := range fine * fine {
			x := float64(i%cam.Width) + (float64(k%fine)+0.5)/fine - 0.5
			y := float64(i/cam.Width) + (float64(k/fine)+0.5)/fine - 0.5
			p.rays = append(p.rays, cam.Normalize(geom.Vec2{x, y}))
		}
	}
	return p
}

const squareM = 0.025

// take photographs the board with its middle at a place before the camera, in metres, turned by a rotation
// vector.
func (p *photographer) take(at, turn geom.Vec3) *image.Gray {
	bc := geom.Pose{R: geom.ExpSO3(turn), T: at}.Inverse()
	g := image.NewGray(image.Rect(0, 0, p.cam.Width, p.cam.Height))
	for i := range g.Pix {
		sum := 0
		for _, n := range p.rays[i*fine*fine : (i+1)*fine*fine] {
			d := bc.R.MulVec(geom.Vec3{n[0], n[1], 1})
			s := -bc.T[2] / d[2]
			// Squares are counted from the board's corner; its rim is a square wide.
			x, y := (bc.T[0]+s*d[0])/squareM+5, (bc.T[1]+s*d[1])/squareM+3.5
			switch {
			case x < -1 || y < -1 || x > 11 || y > 8:
				sum += 90 // the room
			case x < 0 || y < 0 || x > 10 || y > 7 || (int(x)+int(y))%2 == 1:
				sum += 215
			default:
				sum += 30
			}
		}
		v := float64(sum)/(fine*fine) + 1.5*p.rng.NormFloat64()
		g.Pix[i] = uint8(math.Max(0, math.Min(255, v)))
	}
	return g
}

// shot is where the board is held.
type shot struct{ at, turn geom.Vec3 }

// good are views as the program asks for them: everywhere in the picture, near and far, tilted each way, the
// board always wholly in view.
func good() []shot { return shots(0, 0.26, float64(truth.Width)) }

// shots are views about a place from x metres to the left or right, at least near away, left of a column of
// the picture.
func shots(x, near, right float64) []shot {
	rng := rand.New(rand.NewPCG(3, 9))
	between := func(lo, hi float64) float64 { return lo + (hi-lo)*rng.Float64() }
	var all []shot
	for len(all) < 24 {
		s := shot{geom.Vec3{x + between(-0.12, 0.12), between(-0.1, 0.1), near + between(0, 0.16)}, geom.Vec3{between(-0.6, 0.6), between(-0.6, 0.6), between(-0.4, 0.4)}}
		if s.inView(right) {
			all = append(all, s)
		}
	}
	return all
}

func (s shot) inView(right float64) bool {
	for k := range 4 {
		corner := geom.Vec3{squareM * 5.5 * float64(k%2*2-1), squareM * 4 * float64(k/2*2-1), 0}
		if px, ok := truth.Project(geom.ExpSO3(s.turn).MulVec(corner).Add(s.at)); !ok || !truth.Contains(px, 3) || px[0] > right {
			return false
		}
	}
	return true
}

// record writes a sequence folder without a camera.txt, one picture after the other.
func record(t *testing.T, shots []shot, by func(i int) *photographer) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rgb"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i, s := range shots {
		var b bytes.Buffer
		if err := png.Encode(&b, by(i).take(s.at, s.turn)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "rgb", fmt.Sprintf("%05d.png", i)), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func calibrate(t *testing.T, c Command) (camera.Model, string, error) {
	t.Helper()
	c.Out = filepath.Join(t.TempDir(), "camera.txt")
	if c.Chessboard == "" {
		c.Chessboard = "9x6"
	}
	c.Square, c.Views, c.MaxRMS = 25, 24, 0.5
	var said strings.Builder
	if err := c.Do(context.Background(), &said, slog.New(slog.DiscardHandler)); err != nil {
		if _, there := os.Stat(c.Out); there == nil {
			t.Error("a refused lens was written")
		}
		return camera.Model{}, said.String(), err
	}
	m, err := camera.Load(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	return m, said.String(), nil
}

// worstPixel is how far apart two lenses see the same ray, in pixels, over the picture.
func worstPixel(a, b camera.Model) float64 {
	worst := 0.0
	for y := 0.0; y < float64(a.Height); y += 20 {
		for x := 0.0; x < float64(a.Width); x += 20 {
			px, _ := b.Project(a.Ray(geom.Vec2{x, y}))
			worst = math.Max(worst, px.Sub(geom.Vec2{x, y}).Norm())
		}
	}
	return worst
}

// TestLensIsFound calibrates a camera whose lens is known exactly, from pictures and from a film of them.
func TestLensIsFound(t *testing.T) {
	p := newPhotographer(truth)
	dir := record(t, good(), func(int) *photographer { return p })
	m, said, err := calibrate(t, Command{Source: "seq:" + dir})
	t.Log("\n" + said)
	if err != nil {
		t.Fatal(err)
	}
	if e := math.Abs(m.Fx-truth.Fx) / truth.Fx; e > 0.003 {
		t.Errorf("fx is %.2f, want %.2f", m.Fx, truth.Fx)
	}
	if w := worstPixel(truth, m); w > 1 {
		t.Errorf("the lens found sees a ray %.2f px from where the true one does", w)
	} else {
		t.Logf("no pixel is more than %.2f px from the truth", w)
	}
	for _, want := range []string{"root mean square", "fx 35", "±", "degrees across"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said", want)
		}
	}
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("no ffmpeg to make a film with: make deps installs it")
	}
	film := filepath.Join(t.TempDir(), "board.mp4")
	if out, err := exec.Command("ffmpeg", "-v", "error", "-framerate", "5", "-i", filepath.Join(dir, "rgb", "%05d.png"),
		"-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p", film).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	m, _, err = calibrate(t, Command{Source: "file:" + film})
	if err != nil {
		t.Fatal(err)
	}
	if w := worstPixel(truth, m); w > 1.5 {
		t.Errorf("from a film the lens sees a ray %.2f px from where the true one does", w)
	}
}

// TestWhatDoesNotTellEnoughIsRefused gives views that an honest program must not make a lens of.
func TestWhatDoesNotTellEnoughIsRefused(t *testing.T) {
	p := newPhotographer(truth)
	zoomed := truth
	zoomed.Fx, zoomed.Fy = 1.4*truth.Fx, 1.4*truth.Fy
	z := newPhotographer(zoomed)
	plain := func(int) *photographer { return p }
	var frontal, same []shot
	for _, s := range good() {
		s.turn[2] = 0
		frontal = append(frontal, shot{s.at, s.turn.Scale(0.1)})
		same = append(same, good()[0])
	}
	for want, c := range map[string]struct {
		shots []shot
		by    func(int) *photographer
		board string
	}{
		"at least 8 are needed":   {good()[:5], plain, ""},
		"differ enough, at least": {same[:9], plain, ""},
		"too alike":               {frontal, plain, ""},
		"was never in the":        {shots(-0.12, 0.4, 300), plain, ""},
		"px off on average":       {good(), func(i int) *photographer { return []*photographer{p, z}[i/12] }, ""},
		"no chessboard of 10x7":   {good()[:4], plain, "10x7"},
	} {
		_, said, err := calibrate(t, Command{Source: "seq:" + record(t, c.shots, c.by), Chessboard: c.board})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q\n%s", err, want, said)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for want, c := range map[string]Command{
		"inner corners": {Source: "seq:x", Chessboard: "nine", Square: 22, Views: 24, MaxRMS: 1},
		"--views 3":     {Source: "seq:x", Chessboard: "9x6", Square: 22, Views: 3, MaxRMS: 1},
		"--square":      {Source: "seq:x", Chessboard: "9x6", Views: 24, MaxRMS: 1},
		"--max-rms":     {Source: "seq:x", Chessboard: "9x6", Square: 22, Views: 24},
		"no such":       {Source: "seq:" + filepath.Join(t.TempDir(), "absent"), Chessboard: "9x6", Square: 22, Views: 24, MaxRMS: 1},
	} {
		err := c.Do(context.Background(), &strings.Builder{}, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
