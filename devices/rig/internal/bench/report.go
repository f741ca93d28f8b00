package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"sightline/devices/rig/internal/program"
)

// Usage is what a process used in all.
type Usage struct {
	Process    string  `json:"process"`
	CPUSeconds float64 `json:"cpu_seconds"`
	PeakMB     float64 `json:"peak_mb"`
}

func usage(p *program.Program) Usage {
	cpu, peak := p.Usage()
	return Usage{Process: p.Name, CPUSeconds: cpu.Seconds(), PeakMB: float64(peak) / (1 << 20)}
}

// Report is what the bench measured. Delays are in milliseconds.
type Report struct {
	Source  string  `json:"source"`
	Seconds float64 `json:"seconds"`
	// Frames per second: out of the camera, out of the encoder, and decoded by the expert.
	CapturedFPS float64 `json:"captured_fps"`
	EncodedFPS  float64 `json:"encoded_fps"`
	ReceivedFPS float64 `json:"received_fps"`
	// TrackedShare is the share of frames with a known pose; Metric says whether the map got its metres.
	TrackedShare    float64 `json:"tracked_share"`
	Metric          bool    `json:"metric"`
	TrackMS         Dist    `json:"track_ms"`
	CaptureToExpert Dist    `json:"capture_to_expert_ms"`
	CaptureToView   Dist    `json:"capture_to_field_view_ms"`
	PenToWorld      Dist    `json:"pen_up_to_world_ms"`
	TagToExpert     Dist    `json:"telemetry_to_expert_ms"`
	TagToField      Dist    `json:"telemetry_to_field_ms"`
	// Truth says what the marks were compared with: exact, measured or none.
	Truth      string      `json:"truth"`
	Marks      Marks       `json:"marks"`
	Recordings []Recording `json:"recordings"`
	Cases      []Case      `json:"cases"`
	Usage      []Usage     `json:"usage"`
	// Failures are the reasons why the job did not really happen; empty is success.
	Failures []string `json:"failures"`
}

// Recording is one file that an ordinary player read from its beginning to its end.
type Recording struct {
	File    string  `json:"file"`
	Seconds float64 `json:"seconds"`
	Frames  int     `json:"frames"`
}

// Case is a sealed recording, and what the relay's verify said of it.
type Case struct {
	File   string `json:"file"`
	Proven bool   `json:"proven"`
	Text   string `json:"text"`
}

// Print writes the report as a table for people.
func (r *Report) Print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	dist := func(name string, d Dist, unit string) {
		row(name, "p50 %.1f  p95 %.1f  max %.1f %s  (%d)", d.P50, d.P95, d.Max, unit, d.N)
	}
	fmt.Fprintln(w)
	row("source", "%s, %.0f s", r.Source, r.Seconds)
	row("frames per second", "captured %.1f, encoded %.1f, received %.1f", r.CapturedFPS, r.EncodedFPS, r.ReceivedFPS)
	metric := "no metres"
	if r.Metric {
		metric = "in metres"
	}
	row("tracked", "%.1f %% of the frames, %s", 100*r.TrackedShare, metric)
	dist("tracking", r.TrackMS, "ms")
	dist("capture to field view", r.CaptureToView, "ms")
	dist("capture to expert", r.CaptureToExpert, "ms")
	dist("pen up to in the world", r.PenToWorld, "ms")
	dist("telemetry to expert", r.TagToExpert, "ms")
	dist("telemetry to field", r.TagToField, "ms")
	m := r.Marks
	row("marks", "%d drawn, %d shown in the field", m.Drawn, m.Shown)
	if r.Truth != "none" {
		dist("mark error ("+r.Truth+" truth)", m.ErrorPx, "px")
		row("marks shown", "%.1f %% of %d truly visible", 100*m.ShownShare, m.Visible)
		row("within the claimed error", "%.1f %%, more than %d px off %.2f %%", 100*m.WithinClaim, wrongPx, 100*m.WrongShare)
	}
	for _, rec := range r.Recordings {
		row("plays", "%s: %.1f s, %d frames", rec.File, rec.Seconds, rec.Frames)
	}
	for _, c := range r.Cases {
		row("case", "%s: %s", c.File, c.Text)
	}
	for _, u := range r.Usage {
		row("used by "+u.Process, "%.1f s CPU (%.0f %% of a core), %.0f MB at its peak", u.CPUSeconds, 100*u.CPUSeconds/r.Seconds, u.PeakMB)
	}
	t.Flush()
	for _, f := range r.Failures {
		fmt.Fprintln(w, "FAILED:", f)
	}
	if len(r.Failures) == 0 {
		fmt.Fprintln(w, "All checks passed.")
	}
}

// Write puts report.json into the folder.
func (r *Report) Write(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "report.json"), append(data, '\n'), 0o644)
}
