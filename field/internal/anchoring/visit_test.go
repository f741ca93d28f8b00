package anchoring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sightline/devices/sim"
	"sightline/vision"
)

// TestMarksReturnAtTheNextVisit maps the plant, keeps the map, and comes back on another path in dim light.
func TestMarksReturnAtTheNextVisit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pump.slmap")
	first := newRig(t, sim.Options{Seed: 51, Motion: sim.Walk}, Config{})
	for f := range 110 {
		first.track(f)
		if f == 60 {
			for _, px := range spots {
				first.mark(f, px)
			}
		}
	}
	if err := first.Save(path, "hall1/pump-7", func(id string) (string, bool) { return "mark " + id, true }); err != nil {
		t.Fatal(err)
	}

	second := newRig(t, sim.Options{Seed: 51, Motion: sim.Walk, Path: 2, Light: sim.Dim}, Config{})
	bodies, err := second.Recall(path, "hall1/pump-7")
	if err != nil {
		t.Fatal(err)
	}
	if len(bodies) == 0 || bodies["0"] != "mark 0" {
		t.Fatalf("bodies of the marks: %v", bodies)
	}
	second.truth = first.truth
	since, back := -1, -1
	var all []float64
	for f := range 60 {
		e := second.track(f)
		px, inView := second.errors(f, e)
		if inView > 0 && since < 0 {
			since = f
		}
		if e.State == vision.Tracking && len(px) > 0 && back < 0 {
			back = f
		}
		all = append(all, px...)
	}
	if back < 0 {
		t.Fatal("no mark of yesterday came back")
	}
	t.Logf("marks in view from frame %d, back in frame %d; error median %.2f, p95 %.2f px", since, back, quantile(all, 0.5), quantile(all, 0.95))
	if back-since > 15 {
		t.Errorf("%d frames until the place was known: more than half a second", back-since)
	}
	if m := quantile(all, 0.5); m > 2 {
		t.Errorf("yesterday's marks are %.1f px off", m)
	}
}

func TestMapOfAnotherMachineIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pump.slmap")
	r := newRig(t, sim.Options{Seed: 2, Width: 320, Height: 240}, Config{})
	if err := r.Save(path, "hall1/pump-7", func(string) (string, bool) { return "", true }); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Recall(path, "hall1/pump-8"); err == nil || !strings.Contains(err.Error(), "pump-7") || !strings.Contains(err.Error(), "pump-8") {
		t.Errorf("the map of pump-7 at pump-8: %v", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:len(data)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Recall(path, ""); err == nil {
		t.Error("a map file cut short was taken")
	}
}
