package bench

import (
	"cmp"
	"context"
	"fmt"
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
	for name, pkg := range map[string]string{"relay": "./relay", "field": "./field", "expert": "./expert", "bridge": "./devices/bridge"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(bin, name), pkg)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", pkg, err, out)
		}
	}
	return bin
}

// script writes an expert's script and returns its path.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "expert.script")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, cfg Config) *Report {
	t.Helper()
	if _, err := exec.LookPath("ffprobe"); err != nil {
		t.Skip("no ffprobe to play the recordings with: make deps installs it")
	}
	cfg.Bin, cfg.Out, cfg.Headless = programs(t), cmp.Or(cfg.Out, filepath.Join(t.TempDir(), "out")), true
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	r, err := Run(ctx, cfg, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	r.Print(&table)
	t.Log(table.String())
	return r
}

// deskMarks are points on the board of the desk sequence, as shares of the picture. The poses of that
// sequence come from the board, and are true for what stands in its plane: points in front of it are
// off by up to 40 px against the pictures themselves, whoever follows them.
var deskMarks = []string{"0.30,0.15", "0.36,0.15", "0.42,0.15", "0.30,0.28", "0.36,0.28", "0.42,0.28", "0.30,0.38", "0.36,0.38", "0.46,0.22"}

// TestDesk streams real footage through the real programs. The expert marks points of frames that it has
// received, 400 ms after it saw them; each mark is compared with the truth in every later frame.
func TestDesk(t *testing.T) {
	dir, err := filepath.Abs("../../../../../shared/data/desk")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("../shared/data/desk is absent: this test needs that sequence")
	}
	text := "wait video 20s\nwait tracking 20s\nsleep 300ms\n"
	for _, m := range deskMarks {
		text += fmt.Sprintf("mark gesture:point %s delay=400ms\n", m)
	}
	text += "sleep 5s\nquit\n"
	r := run(t, Config{Source: "seq:" + dir, FPS: 12, For: 15 * time.Second, Script: script(t, text), Every: 1})
	m := r.Marks
	logMarks(t, r)
	if m.Drawn < 8 || m.Shown < 8 {
		t.Errorf("%d marks drawn, %d shown, want at least 8", m.Drawn, m.Shown)
	}
	if m.Visible < 100 {
		t.Fatalf("only %d comparisons with the truth", m.Visible)
	}
	if m.ErrorPx.P50 > 3 {
		t.Errorf("median error %.2f px", m.ErrorPx.P50)
	}
	if m.WrongShare > 0 {
		t.Errorf("%.2f %% of what is shown is off by more than %d px", 100*m.WrongShare, wrongPx)
	}
}

func logMarks(t *testing.T, r *Report) {
	t.Helper()
	for _, x := range r.Marks.PerMark {
		t.Logf("%s: shown in %.0f %%, error p50 %.2f p95 %.2f max %.2f px", x.ID, 100*x.ShownShare, x.ErrorPx.P50, x.ErrorPx.P95, x.ErrorPx.Max)
	}
}

// TestPlant runs the demo's job, shortly and without windows, and wants every check of it to pass.
func TestPlant(t *testing.T) {
	text := "wait video 20s\nwait tracking 30s\nsleep 2s\n" +
		"mark circle 0.63,0.55 0.70,0.55 delay=400ms\nmark arrow 0.30,0.52 0.42,0.36 delay=400ms\nmark text 0.46,0.55 text=\"检查 coupling\"\n" +
		"mark measure 0.20,0.62 0.34,0.64 delay=400ms\nwait placed 4 15s\nwait tag hall1/pump-7 pressure 10s\nsleep 4s\nquit\n"
	cfg := Config{Source: "sim:plant?seed=7", FPS: 20, For: 12 * time.Second, Script: script(t, text), Every: 3}
	cfg.Out = filepath.Join(t.TempDir(), "out")
	r := run(t, cfg)
	logMarks(t, r)
	for _, f := range r.Failures {
		t.Error(f)
	}
	measuresAreTrue(t, cfg)
}
