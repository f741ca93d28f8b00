package anchoring

import (
	"math"
	"sync"
	"testing"

	"sightline/devices/sim"
	"sightline/vision/camera"
)

// A camera that reads its rows one after another is found to do so, in a map that was begun as if it did not, and the marks
// stay about as well as with one that does not: those drawn before as well as those drawn then. One that does not is left
// alone, and of one of which it is told that is believed. Of a picture that is held upright it is the columns.
func TestRollingShutter(t *testing.T) {
	const readout = 0.028
	var mu sync.Mutex
	medians := map[string]float64{}
	t.Run("cameras", func(t *testing.T) {
		for name, c := range map[string]struct {
			truth, told float64
			beside      bool
			upright     bool
		}{"global": {}, "rolling": {truth: readout}, "beside": {truth: readout, beside: true}, "told": {truth: readout, told: readout},
			"upright": {truth: -readout, upright: true}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				o := sim.Options{Seed: 83, Motion: sim.Tour, Readout: c.truth, Width: 640, Height: 480}
				if c.upright {
					o.Width, o.Height = 480, 640
				}
				cam := camera.FromFOV(o.Width, o.Height, sim.FOV)
				cam.Readout = c.told
				r := newRigOf(t, o, Config{Camera: cam, Sync: !c.beside})
				var all []float64
				for f := range 160 {
					e := r.track(f)
					switch {
					case f == 44 || f == 124:
						for _, px := range spots[:5] {
							r.mark(f, px)
						}
					case f > 130:
						px, _ := r.errors(f, e)
						all = append(all, px...)
					}
				}
				if len(all) < 100 {
					t.Fatalf("%d marks are shown", len(all))
				}
				got, median := r.Camera().Readout, quantile(all, 0.5)
				t.Logf("readout %.1f ms: %d marks shown, median %.2f, p95 %.2f px", 1000*got, len(all), median, quantile(all, 0.95))
				if math.Abs(got-c.truth) > 0.004 || c.truth == c.told && got != c.told {
					t.Errorf("readout is taken for %.1f ms, is %.1f", 1000*got, 1000*c.truth)
				}
				mu.Lock()
				defer mu.Unlock()
				medians[name] = median
			})
		}
	})
	for _, name := range []string{"rolling", "told", "upright"} { // beside: as much as is mapped in the time
		if medians[name] > 2*medians["global"] {
			t.Errorf("%s: marks are %.2f px off, with a global shutter %.2f", name, medians[name], medians["global"])
		}
	}
}
