package bench

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"sightline/annotate"
	"sightline/annotate/scene"
	"sightline/relay/wire"
	"sightline/vision/geom"
)

// measuresAreTrue compares the lengths that were measured in a session of the simulated plant, as the room's
// log has them, with the true distances of the places that were drawn on.
func measuresAreTrue(t *testing.T, cfg Config) {
	t.Helper()
	marks := map[string]annotate.Entry{}
	logs, err := filepath.Glob(filepath.Join(cfg.Out, "data", "recordings", room, "*", "log.jsonl"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no log in the recordings: %v", err)
	}
	for _, path := range logs {
		if err := lines(path, func(line []byte) error { return takeMeasure(marks, line) }); err != nil {
			t.Fatal(err)
		}
	}
	field, err := readFieldTrace(filepath.Join(cfg.Out, "field.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	frames := map[int64]int{}
	for _, f := range field.frames {
		frames[f.Captured] = f.Frame
	}
	truth, _, err := newTruth(cfg.Source, cfg.FPS)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range marks {
		frame, seen := frames[e.Captured]
		if e.Mark.Shape != annotate.Measure || e.Anchor == nil || !e.Anchor.Metric || !seen {
			continue
		}
		var ends [2]geom.Vec3
		for k, px := range e.Mark.Points {
			p, ok := truth.surface(frame, px)
			if !ok {
				t.Fatalf("nobody knows what is at %v of frame %d", px, frame)
			}
			ends[k] = p
		}
		want := 1000 * ends[1].Sub(ends[0]).Norm()
		var got, within float64
		if _, err := fmt.Sscanf(scene.Length(e), "%f ± %f mm", &got, &within); err != nil {
			t.Errorf("the length reads %q", scene.Length(e))
			continue
		}
		n++
		t.Logf("measured %s, true %.1f mm", scene.Length(e), want)
		// One of twenty may lie outside of the error it claims, none by twice that; and a map that is a few
		// seconds old may be a tenth off.
		if math.Abs(got-want) > max(2*within, 0.1*want) {
			t.Errorf("measured %s, true %.1f mm", scene.Length(e), want)
		}
	}
	if n == 0 {
		t.Error("no measure has its length in millimetres")
	}
}

// takeMeasure keeps the last word of a line of the log about a mark.
func takeMeasure(marks map[string]annotate.Entry, line []byte) error {
	var env wire.Envelope
	if err := json.Unmarshal(line, &env); err != nil {
		return err
	}
	e := marks[env.ID]
	switch env.Kind {
	case wire.KindMark:
		e.ID, e.Captured = env.ID, env.Captured
		if err := json.Unmarshal(env.Body, &e.Mark); err != nil {
			return err
		}
	case wire.KindAnchor:
		e.Anchor = &annotate.Anchor{}
		if err := json.Unmarshal(env.Body, e.Anchor); err != nil {
			return err
		}
	default:
		return nil
	}
	marks[env.ID] = e
	return nil
}
