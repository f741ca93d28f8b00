package longrun

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Table is what was found, a row for each thing.
type Table struct {
	Rows     []Row    `json:"rows"`
	Failures []string `json:"failures"`
}

// Row is one thing that was measured.
type Row struct{ What, Found string }

func (t *Table) add(what, format string, values ...any) {
	t.Rows = append(t.Rows, Row{what, fmt.Sprintf(format, values...)})
}

// want notes a failure where something is not so.
func (t *Table) want(so bool, format string, values ...any) {
	if !so {
		t.Failures = append(t.Failures, fmt.Sprintf(format, values...))
	}
}

// Print writes the table for people.
func (t *Table) Print(out io.Writer) {
	fmt.Fprintln(out, "\n| session | |\n|---|---|")
	for _, r := range t.Rows {
		fmt.Fprintf(out, "| %s | %s |\n", r.What, r.Found)
	}
	for _, f := range t.Failures {
		fmt.Fprintln(out, "FAILED:", f)
	}
}

// Write writes the table into a folder, for programs.
func (t *Table) Write(dir string) error {
	data, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "session.json"), append(data, '\n'), 0o644)
}

// spread are the middle and the ends of a distribution.
type spread struct{ p50, p95, p99, most float64 }

func spreadOf(x []float64) spread {
	if len(x) == 0 {
		return spread{}
	}
	s := slices.Sorted(slices.Values(x))
	at := func(p int) float64 { return s[min(len(s)-1, len(s)*p/100)] }
	return spread{at(50), at(95), at(99), s[len(s)-1]}
}
