package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
)

func TestVerify(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	s, err := seal.Open(data, seal.Relay)
	if err != nil {
		t.Fatal(err)
	}
	w, err := evidence.Create(dir, evidence.WriterConfig{Seal: s, About: evidence.About{Format: evidence.Format, ID: "c", Key: s.Key()},
		Clock: func() (int64, time.Time) { return 1, time.Unix(1, 0) }})
	if err == nil {
		err = w.End(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	code, out, _ := run(t.Context(), "seal-key", "--data", data)
	if code != 0 || strings.TrimSpace(out) != s.Key() {
		t.Fatalf("seal-key: %d %q", code, out)
	}
	zip := filepath.Join(t.TempDir(), "case.zip")
	if code, _, text := run(t.Context(), "archive", dir, "--out", zip); code != 0 {
		t.Fatal(text)
	}
	for _, path := range []string{dir, zip} {
		if code, out, text := run(t.Context(), "verify", path, "--key", s.Key()); code != 0 || !strings.Contains(out, "\nPROVEN") {
			t.Errorf("%d %s %s", code, out, text)
		}
	}
	if code, _, _ := run(t.Context(), "verify", dir, "--key", filepath.Join(data, "seal", "key.pub")); code != 0 {
		t.Error("a key in a file is not taken")
	}
	if err := os.WriteFile(filepath.Join(dir, "more.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, text := run(t.Context(), "verify", dir, "--key", s.Key(), "--json")
	var report evidence.Report
	if err := json.Unmarshal([]byte(out), &report); code != 1 || text != "" || err != nil || len(report.Faults) != 1 || report.Faults[0].Place != "more.txt" {
		t.Errorf("%d %s %s %v", code, out, text, err)
	}
	if code, _, text := run(t.Context(), "verify", dir, "--key", "nonsense"); code != 1 || !strings.Contains(text, "seal-key") {
		t.Errorf("%d %s", code, text)
	}
}

// What people do to a case is in the audit log, and a case that is gone without a word is missed.
func TestCases(t *testing.T) {
	data := t.TempDir()
	s, err := seal.Open(data, seal.Relay)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(data, "recordings", "hall", "x")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := evidence.Create(dir, evidence.WriterConfig{Seal: s, About: evidence.About{Format: evidence.Format, ID: "c-1", Room: "hall", Key: s.Key()},
		Clock: func() (int64, time.Time) { return 1, time.Unix(1, 0) }})
	if err == nil {
		err = w.End(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args string
		code int
		want string
	}{
		{"list", 0, "c-1   closed  hall"},
		{"hold c-1 --why trial", 0, ""},
		{"list", 0, "trial"},
		{"delete c-1 --why space", 1, "release it first"},
		{"release c-1 --why over", 0, ""},
		{"export c-1 --out " + filepath.Join(t.TempDir(), "c.zip"), 0, ""},
		{"delete c-2 --why space", 1, "no case"},
		{"delete c-1 --why space", 0, ""},
		{"list", 0, "deleted"},
	} {
		code, out, text := run(t.Context(), append(append([]string{"cases"}, strings.Fields(step.args)...), "--data", data)...)
		if code != step.code || !strings.Contains(out+text, step.want) {
			t.Errorf("%s: %d %s%s", step.args, code, out, text)
		}
	}
	log, err := os.ReadFile(filepath.Join(data, "audit.jsonl"))
	for _, want := range []string{"case held", "case released", "case exported", "case deleted"} {
		if strings.Count(string(log), want) != 1 || err != nil {
			t.Errorf("%s is not once in the audit log: %s %v", want, log, err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if code, out, text := run(t.Context(), "cases", "list", "--data", data); code != 1 || !strings.Contains(out, "missing") || !strings.Contains(text, "1 case(s)") {
		t.Errorf("%d %s%s", code, out, text)
	}
}
