package program

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func sh(t *testing.T, script string) *Program {
	t.Helper()
	p, err := Start(t.Context(), filepath.Join(t.TempDir(), "sh.log"), []string{"WORD=there"}, "/bin/sh", "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReadyThenAskedToEnd(t *testing.T) {
	p := sh(t, "echo ready $WORD; echo more; exec sleep 60")
	if line, err := p.Line(10 * time.Second); err != nil || line != "ready there\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := p.Says(t.Context(), "more", 10*time.Second); err != nil {
		t.Error(err)
	}
	if err := p.End(10 * time.Second); err != nil {
		t.Error(err)
	}
	if _, peak := p.Usage(); peak == 0 {
		t.Error("nothing is known of its memory")
	}
}

func TestFailures(t *testing.T) {
	if err := sh(t, "echo oops >&2; exit 3").Wait(); err == nil || !strings.Contains(err.Error(), "exit status 3; it said last:\n  oops") {
		t.Error(err)
	}
	if _, err := sh(t, "exit 0").Line(10 * time.Second); err == nil || !strings.Contains(err.Error(), "before it was ready") {
		t.Error(err)
	}
	deaf := sh(t, "trap '' TERM; echo ready; while :; do sleep 0.1; done")
	if _, err := deaf.Line(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if err := deaf.End(500 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "did not end") {
		t.Error(err)
	}
	if _, err := Start(t.Context(), filepath.Join(t.TempDir(), "x.log"), nil, "/no/such/program"); err == nil {
		t.Error("what is not there was started")
	}
}
