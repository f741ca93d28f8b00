package seqbench

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// column is one number of the table.
type column struct {
	head  string
	value func(Result) string
}

func percent(n number) string {
	if math.IsNaN(float64(n)) {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100*float64(n))
}

func digits(n number, digits int) string {
	if math.IsNaN(float64(n)) {
		return "-"
	}
	return fmt.Sprintf("%.*f", digits, float64(n))
}

var columns = []column{
	{"frames", func(r Result) string { return fmt.Sprint(r.Frames) }},
	{"track%", func(r Result) string { return percent(r.Tracked) }},
	{"first", func(r Result) string { return fmt.Sprint(r.FirstPose) }},
	{"shown%", func(r Result) string { return percent(r.Shown) }},
	{"held%", func(r Result) string { return percent(r.Held) }},
	{"p50px", func(r Result) string { return digits(r.Median, 2) }},
	{"p90px", func(r Result) string { return digits(r.P90, 2) }},
	{"p95px", func(r Result) string { return digits(r.P95, 2) }},
	{"wrong%", func(r Result) string { return percent(r.Wrong) }},
	{"mispl%", func(r Result) string { return percent(r.Misplaced) }},
	{"in95%", func(r Result) string { return percent(r.Within) }},
	{"<1s", func(r Result) string { return digits(r.Young, 2) }},
	{">15s", func(r Result) string { return digits(r.Old, 2) }},
	{"jitter", func(r Result) string { return digits(r.Jitter, 2) }},
	{"rmse_mm", func(r Result) string { return digits(r.Trajectory, 1) }},
	{"returns", func(r Result) string {
		return fmt.Sprintf("%d/%d/%d", r.Returns.Right, r.Returns.Late, r.Returns.Wrong)
	}},
	{"sec", func(r Result) string { return digits(r.Returns.Median, 2) }},
	{"ms50", func(r Result) string { return digits(r.FrameP50, 1) }},
	{"ms95", func(r Result) string { return digits(r.FrameP95, 1) }},
	{"cpu_s", func(r Result) string { return digits(r.CPU, 1) }},
	{"MB", func(r Result) string { return digits(r.PeakMB, 0) }},
}

// nameWidth is that of the first column, in characters.
const nameWidth = 21

// table writes each row when it is measured.
type table struct{ w io.Writer }

func newTable(w io.Writer) table {
	fmt.Fprintf(w, "%-*s", nameWidth, "sequence")
	for _, c := range columns {
		fmt.Fprintf(w, " %*s", width(c), c.head)
	}
	fmt.Fprintln(w)
	return table{w}
}

func width(c column) int { return max(6, len(c.head)) }

func (t table) row(r Result) {
	if r.Error != "" {
		fmt.Fprintf(t.w, "%-*s failed: %s\n", nameWidth, r.Name, strings.ReplaceAll(r.Error, "\n", "; "))
		return
	}
	fmt.Fprintf(t.w, "%-*s", nameWidth, r.Name)
	for _, c := range columns {
		fmt.Fprintf(t.w, " %*s", width(c), c.value(r))
	}
	fmt.Fprintln(t.w)
}

// legend says what the columns mean.
func (t table) legend() {
	fmt.Fprint(t.w, `
track   frames with a pose; first is the first of them
shown   of marks times frames in which the true point is in view and not hidden; held: and within 10 px
px      error of what was shown of those; <1s and >15s: its median by the age of the mark
wrong   of what was shown of those, off by more than 10 px; mispl: of everything drawn
in95    of what was shown of those, within the claimed 95 % radius (2.45 sigma)
jitter  px, standard deviation of a mark about its own mean error
rmse    of the camera's place, in mm, after a similarity
returns of a known place into view, or to it after a loss, or on a next visit: right within 0.5 s / late or never /
        wrong; sec: median
ms      per frame; cpu and MB are of the whole process, reading pictures included
`)
}
