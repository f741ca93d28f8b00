package seqbench

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// programs builds what the bench runs into a folder of the test's own.
func programs(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for name, pkg := range map[string]string{"replay": "./field/replay", "bridge": "./devices/bridge"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(bin, name), pkg)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", pkg, err, out)
		}
	}
	return bin
}

// TestTable renders a short sequence with the real bridge, replays it with the real tracker, and looks
// whether the table says what can be known: how many frames there were, and that the marks hold.
func TestTable(t *testing.T) {
	bin, dir := programs(t), t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	b := &bench{cfg: Config{Bridge: filepath.Join(bin, "bridge"), Sequences: filepath.Join(dir, "sequences")}, progress: io.Discard}
	row := Row{Name: "short", Source: "sim:plant?seed=2&motion=walk&size=320x240", Frames: 120, FPS: 30}
	if err := b.render(ctx, []Row{row, row}); err != nil {
		t.Fatal(err)
	}
	s, err := openSequence(b.folder(row), row.FPS)
	if err != nil {
		t.Fatal(err)
	}
	looped := filepath.Join(dir, "looped")
	if err := loop(s, 120, 150, looped); err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	out := filepath.Join(dir, "table.json")
	err = Run(ctx, Config{Replay: filepath.Join(bin, "replay"), Bridge: b.cfg.Bridge, Sequences: b.cfg.Sequences, Sequence: []string{looped},
		Only: "^folder", Hour: time.Minute, Sync: true, JSON: out}, &table, io.Discard)
	t.Log("\n" + table.String())
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var results []struct {
		Frames   int     `json:"frames"`
		Tracked  float64 `json:"tracked"`
		Visible  int     `json:"visible"`
		Shown    float64 `json:"shown"`
		Median   float64 `json:"error_median_px"`
		FrameP50 float64 `json:"frame_ms_p50"`
		PeakMB   float64 `json:"peak_mb"`
	}
	if err := json.Unmarshal(data, &results); err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 {
		t.Fatalf("%d rows, want 1", len(results))
	}
	r := results[0]
	if r.Frames != 150 || r.Tracked < 0.5 || r.Visible < 100 || r.Shown < 0.5 || r.Median > 3 || r.FrameP50 <= 0 || r.PeakMB < 10 {
		t.Errorf("%+v: not what a tracker does on an easy sequence", r)
	}
}

// TestNextVisit maps a plant on one path and comes back on another with what was kept. How well that goes is
// the tracker's matter; that the marks of the day before are judged on the new path is the bench's.
func TestNextVisit(t *testing.T) {
	bin, dir := programs(t), t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	b := &bench{cfg: Config{Bridge: filepath.Join(bin, "bridge"), Replay: filepath.Join(bin, "replay"), Sequences: dir, Sync: true}, progress: io.Discard}
	row := Row{Name: "next", Source: "sim:plant?seed=2&motion=walk&path=2&size=320x240", Before: "sim:plant?seed=2&motion=walk&size=320x240", Frames: 90, FPS: 30, Per: 6}
	if err := b.render(ctx, []Row{row}); err != nil {
		t.Fatal(err)
	}
	r, err := b.measure(ctx, row)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("shown %.2f, median %.2f px, returns %+v", r.Shown, r.Median, r.Returns)
	if n := r.Returns.Right + r.Returns.Late + r.Returns.Wrong; r.Frames != 90 || r.Visible < 300 || n == 0 && r.FirstPose != 0 {
		t.Errorf("%d frames, %d comparisons, %d returns to the known place", r.Frames, r.Visible, n)
	}
}

func TestRowsThatCannotRunAreSaid(t *testing.T) {
	dir := t.TempDir()
	var table strings.Builder
	err := Run(context.Background(), Config{Replay: "absent", Sequence: []string{dir}, Only: "folder", Hour: time.Minute}, &table, io.Discard)
	if err == nil || !strings.Contains(table.String(), "failed") {
		t.Errorf("an empty folder was measured: %v\n%s", err, table.String())
	}
	for _, bad := range []Config{{Only: "(", Hour: time.Minute}, {Only: "no such row", Hour: time.Minute}, {Hour: time.Second}} {
		if err := Run(context.Background(), bad, io.Discard, io.Discard); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}
