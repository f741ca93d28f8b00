package anchoring

import (
	"image"
	"math"
	"slices"
	"strconv"
	"testing"

	"sightline/devices/sim"
	"sightline/vision"
	"sightline/vision/geom"
	"sightline/vision/marker"
	"sightline/vision/opencv"
	"sightline/vision/track"
)

// rig is a tracker before the simulated plant, whose truth is exact.
type rig struct {
	*Anchoring
	t     *testing.T
	world *sim.World
	truth map[string]geom.Vec3
}

func newRig(t *testing.T, o sim.Options, cfg Config) *rig {
	t.Helper()
	cfg.Sync = true
	return newRigOf(t, o, cfg)
}

// newRigOf is newRig, but that it maps in step only where cfg says so.
func newRigOf(t *testing.T, o sim.Options, cfg Config) *rig {
	t.Helper()
	w, err := sim.NewWorld(o)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Camera.Width == 0 {
		cfg.Camera = w.Camera()
	}
	a, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return &rig{Anchoring: a, t: t, world: w, truth: map[string]geom.Vec3{}}
}

func grey(y []uint8, width, height int) *image.Gray {
	return &image.Gray{Pix: y, Stride: width, Rect: image.Rect(0, 0, width, height)}
}

func captured(frame int) int64 { return int64(frame)*33_333 + 1 }

func (r *rig) track(frame int) vision.Estimate {
	r.t.Helper()
	return r.trackGrey(frame, r.world.Picture(frame).Y)
}

func (r *rig) trackGrey(frame int, y []uint8) vision.Estimate {
	r.t.Helper()
	c := r.world.Camera()
	e, err := r.Track(grey(y, c.Width, c.Height), captured(frame))
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// mark places a mark on a pixel of a frame, and remembers where it truly is.
func (r *rig) mark(frame int, px geom.Vec2) {
	p, ok := r.world.Surface(frame, px)
	if !ok {
		r.t.Fatalf("no surface at %v of frame %d", px, frame)
	}
	id := strconv.Itoa(len(r.truth))
	r.truth[id] = p
	r.Place(id, captured(frame), []geom.Vec2{px})
}

// pixelOf is where a frame sees a world point.
func (r *rig) pixelOf(frame int, p geom.Vec3) geom.Vec2 {
	px, _, ok := r.world.Project(frame, p)
	if !ok || !r.world.Camera().Contains(px, 0) {
		r.t.Fatalf("point %v is not in view", p)
	}
	return px
}

// errors are the distances, in pixels, between the marks shown and where they truly are, and how many
// true points are in view.
func (r *rig) errors(frame int, e vision.Estimate) (px []float64, inView int) {
	cam := r.world.Camera()
	for _, p := range r.Placements() {
		want, _, front := r.world.Project(frame, r.truth[p.ID])
		if !front || !cam.Contains(want, 8) {
			continue
		}
		inView++
		if m := Project(p, 0, e, r.Camera()); m.State == "shown" {
			px = append(px, m.Px.Sub(want).Norm())
		}
	}
	return px, inView
}

var spots = []geom.Vec2{{120, 250}, {300, 307}, {348, 334}, {250, 90}, {420, 60}, {150, 300}, {330, 250}, {500, 90}, {60, 420}, {300, 180}}

func quantile(x []float64, q float64) float64 {
	s := slices.Clone(x)
	slices.Sort(s)
	return s[int(q*float64(len(s)-1))]
}

// TestMarksStayOnTheMachine draws on frames 12 frames late, as an expert does, and compares with the truth
// in every later frame.
func TestMarksStayOnTheMachine(t *testing.T) {
	r := newRig(t, sim.Options{Seed: 2, Motion: sim.Walk}, Config{})
	var all []float64
	inView, metricAt := 0, -1
	for f := range 200 {
		e := r.track(f)
		if f == 52 || f == 92 {
			for i, px := range spots {
				if i%2 == (f/40)%2 {
					r.mark(f-12, px)
				}
			}
		}
		if e.Metric && metricAt < 0 {
			metricAt = f
		}
		px, n := r.errors(f, e)
		all = append(all, px...)
		inView += n
	}
	shown := float64(len(all)) / float64(inView)
	t.Logf("%d of %d in view shown (%.0f %%), error median %.2f, p95 %.2f, max %.2f px", len(all), inView, 100*shown, quantile(all, 0.5), quantile(all, 0.95), quantile(all, 1))
	if shown < 0.6 {
		t.Errorf("only %.0f %% of the marks in view are shown", 100*shown)
	}
	if m := quantile(all, 0.5); m > 1.5 {
		t.Errorf("median error %.2f px", m)
	}
	if m := quantile(all, 0.98); m > 10 {
		t.Errorf("2 %% of what is shown is off by more than %.1f px", m)
	}
}

// TestMarkersGiveMetres compares the distance between two marks, and the direction of gravity, with the truth.
func TestMarkersGiveMetres(t *testing.T) {
	upright := marker.Board{Name: "pump", Machine: "pump", Upright: true, Tags: []marker.Tag{marker.Square(marker.ArUco4x4, sim.MarkerPump, 0, 0, 0.15)}}
	r := newRig(t, sim.Options{Seed: 2, Motion: sim.Calm}, Config{Boards: marker.Set{Boards: []marker.Board{upright}}})
	var e vision.Estimate
	for f := range 150 {
		e = r.track(f)
		if f == 110 {
			r.mark(f, r.pixelOf(f, geom.Vec3{-0.62, -0.226, 0.66})) // the motor's nameplate
			r.mark(f, r.pixelOf(f, geom.Vec3{0.72, -0.40, 0.47}))   // the marker plate
		}
	}
	if !e.Metric {
		t.Fatalf("after 150 frames the map is not metric; markers seen: %v", r.Markers())
	}
	p := r.Placements()
	if len(p) != 2 || p[0].State != track.Placed || p[1].State != track.Placed {
		t.Fatalf("marks are not placed: %+v", p)
	}
	got := p[0].Points[0].P.Sub(p[1].Points[0].P).Norm()
	want := r.truth["0"].Sub(r.truth["1"]).Norm()
	t.Logf("distance %.4f m, truly %.4f m", got, want)
	if math.Abs(got-want) > 0.05*want {
		t.Errorf("distance %.3f m, truly %.3f m", got, want)
	}
	down, world, ok := r.Down()
	if !ok || world != e.Map {
		t.Fatalf("gravity known %v, in %q; the camera is in %q", ok, world, e.Map)
	}
	seen, truly := e.PoseCW.R.MulVec(down), r.world.PoseCW(149).R.MulVec(geom.Vec3{0, 0, -1})
	t.Logf("down %v, truly %v in the camera's frame", seen, truly)
	if off := math.Acos(seen.Dot(truly)); !(off < 0.05) {
		t.Errorf("gravity is off by %.3f radians", off)
	}
}

// TestLostAndFoundAgain covers the camera for a second; the marks must come back where they were.
func TestLostAndFoundAgain(t *testing.T) {
	r := newRig(t, sim.Options{Seed: 4, Motion: sim.Calm}, Config{})
	dark := make([]uint8, 640*480)
	sawLost := false
	var after []float64
	for f := range 170 {
		if f >= 110 && f < 140 {
			e := r.trackGrey(f, dark)
			sawLost = sawLost || e.State == vision.Lost
			if e.State == vision.Lost && e.Reason == "" {
				t.Fatal("lost without a reason in words")
			}
			if px, _ := r.errors(f, e); len(px) > 0 {
				t.Fatalf("frame %d: a mark is shown in the dark", f)
			}
			continue
		}
		e := r.track(f)
		if f == 90 {
			for _, px := range spots {
				r.mark(f, px)
			}
		}
		if f > 150 {
			px, _ := r.errors(f, e)
			after = append(after, px...)
		}
	}
	if !sawLost {
		t.Error("the tracker did not notice that it saw nothing")
	}
	if len(after) == 0 {
		t.Fatal("no mark came back")
	}
	t.Logf("after the dark: %d shown, median %.2f px", len(after), quantile(after, 0.5))
	if m := quantile(after, 0.5); m > 2.5 {
		t.Errorf("marks came back %.2f px off", m)
	}
}

// TestHoldsBeforeThereIsAMap marks the first frame of a camera on a tripod, which never has parallax.
func TestHoldsBeforeThereIsAMap(t *testing.T) {
	r := newRig(t, sim.Options{Seed: 2, Motion: sim.Still, Hand: true}, Config{})
	var all []float64
	for f := range 40 {
		e := r.track(f)
		if f == 0 {
			for _, px := range spots {
				r.mark(0, px)
			}
		}
		if e.State != vision.Initializing {
			t.Fatalf("frame %d: state %s without parallax", f, e.State)
		}
		px, _ := r.errors(f, e)
		all = append(all, px...)
	}
	if len(all) < 300 {
		t.Fatalf("%d of 400 marks shown", len(all))
	}
	if m := quantile(all, 1); m > 1 {
		t.Errorf("a mark on a still camera moved by %.2f px", m)
	}
}

// TestHoldsWhileTheMapBegins marks the first frame of a camera that walks: until there is a map the marks hold by the
// motion of what is around them, which parallax moves against the turn of the camera.
func TestHoldsWhileTheMapBegins(t *testing.T) {
	var all []float64
	for seed := range uint64(3) {
		r := newRig(t, sim.Options{Seed: 20 + seed, Motion: sim.Walk}, Config{})
		for f := range 30 {
			e := r.track(f)
			if f == 0 {
				for _, px := range spots {
					r.mark(0, px)
				}
			}
			if e.State != vision.Initializing {
				break
			}
			px, _ := r.errors(f, e)
			all = append(all, px...)
		}
	}
	t.Logf("%d marks in frames without a map: error p50 %.2f p95 %.2f px", len(all), quantile(all, 0.5), quantile(all, 0.95))
	if len(all) < 100 {
		t.Fatalf("only %d marks shown in frames without a map", len(all))
	}
	if m := quantile(all, 0.5); m > 1.2 { // by the turn alone 1.9
		t.Errorf("median error %.2f px", m)
	}
}

func TestForgottenFrameIsRefusedInWords(t *testing.T) {
	r := newRig(t, sim.Options{Seed: 2}, Config{})
	r.track(0)
	r.Place("x", 12345, []geom.Vec2{{100, 100}})
	p := r.Placements()
	if len(p) != 1 || p[0].State != track.Refused || p[0].Reason == "" {
		t.Errorf("got %+v", p)
	}
	r.Forget("x")
	if len(r.Placements()) != 0 {
		t.Error("a forgotten mark is still there")
	}
}

func TestPicturesAreFreed(t *testing.T) {
	before := opencv.LivePyramids()
	w, err := sim.NewWorld(sim.Options{Seed: 2, Motion: sim.Walk, Width: 320, Height: 240})
	if err != nil {
		t.Fatal(err)
	}
	a, err := Start(Config{Camera: w.Camera(), Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	most := int64(0)
	for f := range 120 {
		y := w.Picture(f).Y
		if _, err := a.Track(grey(y, 320, 240), captured(f)); err != nil {
			t.Fatal(err)
		}
		if f%10 == 5 {
			a.Place(strconv.Itoa(f), captured(f), []geom.Vec2{{160, 120}})
		}
		most = max(most, opencv.LivePyramids()-before)
	}
	a.Close()
	if most > 16 {
		t.Errorf("%d prepared pictures at once", most)
	}
	if left := opencv.LivePyramids() - before; left != 0 {
		t.Errorf("%d pictures are never freed", left)
	}
}

func TestWrongPictureIsAnError(t *testing.T) {
	r := newRig(t, sim.Options{Seed: 2}, Config{})
	if _, err := r.Track(image.NewGray(image.Rect(0, 0, 100, 100)), 1); err == nil {
		t.Error("a picture of another size was taken")
	}
	r.track(0)
	if _, err := r.Track(image.NewGray(image.Rect(0, 0, 640, 480)), captured(0)); err == nil {
		t.Error("a frame of the same time was taken")
	}
}

func BenchmarkTrack(b *testing.B) {
	w, err := sim.NewWorld(sim.Options{Seed: 2, Motion: sim.Walk})
	if err != nil {
		b.Fatal(err)
	}
	var pictures []*image.Gray
	for f := range 150 {
		pictures = append(pictures, grey(w.Picture(f).Y, 640, 480))
	}
	a, err := Start(Config{Camera: w.Camera()})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k := i % 298 // forth and back, so that the motion goes on
		if k >= 150 {
			k = 298 - k
		}
		if _, err := a.Track(pictures[k], captured(i)); err != nil {
			b.Fatal(err)
		}
	}
}
