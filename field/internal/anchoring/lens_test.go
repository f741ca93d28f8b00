package anchoring

import (
	"math"
	"testing"

	"sightline/devices/sim"
	"sightline/vision"
	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/track"
)

// A lens that was guessed as 72 degrees is found to have 64 while the camera moves, and marks stay where they were drawn: those
// of before, and those drawn then. A lens that is known is left alone.
func TestAGuessedLensIsFound(t *testing.T) {
	for name, cfg := range map[string]Config{"in step": {Guessed: true, Sync: true}, "beside": {Guessed: true}, "known": {Sync: true}} {
		t.Run(name, func(t *testing.T) {
			cfg.Camera, cfg.Life = camera.FromFOV(640, 480, 72*math.Pi/180), "run"
			r := newRigOf(t, sim.Options{Seed: 2, Motion: sim.Walk}, cfg)
			var all []float64
			found, name := -1, ""
			frames := 170
			if !cfg.Guessed {
				frames = 80
			}
			for f := range frames {
				e := r.track(f)
				if e.State == vision.Tracking && r.Camera() != cfg.Camera && found < 0 {
					found = f
				}
				switch {
				case f == 20:
					for _, px := range spots[:5] {
						r.mark(f, px)
					}
				case f == 130:
					for _, px := range spots[5:] {
						r.mark(f, px)
					}
				case f > 140:
					px, _ := r.errors(f, e)
					all, name = append(all, px...), e.Map
				}
			}
			truth := r.world.Camera()
			off := math.Abs(r.Camera().Fx/truth.Fx - 1)
			if !cfg.Guessed {
				if r.Camera() != cfg.Camera {
					t.Errorf("a known lens became %+v", r.Camera())
				}
				return
			}
			if len(all) == 0 {
				t.Fatal("no mark is shown")
			}
			t.Logf("found in frame %d, off by %.1f %%; maps are called %s; %d marks shown, median %.2f, p95 %.2f px", found, 100*off, name, len(all), quantile(all, 0.5), quantile(all, 0.95))
			if found < 0 || off > 0.02 {
				t.Errorf("focal length %.0f, in truth %.0f", r.Camera().Fx, truth.Fx)
			}
			if m := quantile(all, 0.5); m > 2 {
				t.Errorf("marks are %.1f px off", m)
			}
			if len(r.Placements()) != len(spots) {
				t.Errorf("%d marks are left of %d", len(r.Placements()), len(spots))
			}
		})
	}
}

// TestMarksThroughAnotherLens changes the lens while there are marks: those that are there stay, one that was deleted since
// the maps were saved does not come back.
func TestMarksThroughAnotherLens(t *testing.T) {
	r := newRig(t, sim.Options{Seed: 2, Motion: sim.Walk}, Config{})
	for f := range 80 {
		r.track(f)
		if f == 30 || f == 70 { // the first is in the maps, the other on a frame that is still remembered
			r.mark(f, geom.Vec2{300, 307})
			r.mark(f, geom.Vec2{348, 334})
		}
	}
	saved := r.tracker.Save()
	r.Forget("1")
	r.Forget("3")
	r.change(1, saved)
	e := r.track(80)
	placed := map[string]bool{}
	for _, p := range r.Placements() {
		placed[p.ID] = p.State == track.Placed
	}
	if len(placed) != 2 || !placed["0"] || !placed["2"] {
		t.Errorf("marks and whether they are placed: %v; want 0 and 2", placed)
	}
	if px, _ := r.errors(80, e); len(px) == 0 || quantile(px, 1) > 10 {
		t.Errorf("marks are off by %.1f px, in state %s %s", px, e.State, e.Reason)
	}
}
