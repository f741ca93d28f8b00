package replay

import (
	"fmt"
	"io"
	"os"
	"runtime/metrics"

	"sightline/vision/opencv"
)

// memory watches what a run holds, so that growth shows: of a tracker that forgets what it no longer needs, no
// column grows.
type memory struct {
	rows  []held
	every int // frames from one row to the next
}

// held is what the process holds after so many frames.
type held struct {
	frame     int
	resident  int    // bytes, C memory included
	live      uint64 // bytes of the Go heap after its last collection
	allocated uint64 // bytes, ever
	pictures  int64  // prepared pictures that are open: C memory
}

// mostRows is how many rows are printed at most: then every second one goes.
const mostRows = 12

// frame is called after each frame.
func (m *memory) frame(n int) {
	if m.every == 0 {
		m.every = 100
	}
	if n%m.every != 0 || n == 0 {
		return
	}
	m.rows = append(m.rows, holds(n))
	if len(m.rows) > mostRows {
		kept := m.rows[:0]
		for i := 1; i < len(m.rows); i += 2 {
			kept = append(kept, m.rows[i])
		}
		m.rows = kept
		m.every *= 2
	}
}

func holds(n int) held {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	h := held{frame: n, live: s[0].Value.Uint64(), allocated: s[1].Value.Uint64(), pictures: opencv.LivePyramids()}
	var pages int
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		if _, err := fmt.Sscan(string(statm), new(int), &pages); err == nil {
			h.resident = pages * os.Getpagesize()
		}
	}
	return h
}

// print writes the rows: allocation is that of a frame since the row before.
func (m *memory) print(w io.Writer) {
	if len(m.rows) < 2 {
		return
	}
	fmt.Fprintln(w, "after frame   resident MB   Go heap MB   allocated KB a frame   open pictures")
	for i, h := range m.rows[1:] {
		before := m.rows[i]
		fmt.Fprintf(w, "%11d   %11.0f   %10.0f   %20.0f   %13d\n", h.frame, float64(h.resident)/1e6, float64(h.live)/1e6,
			float64(h.allocated-before.allocated)/1e3/float64(h.frame-before.frame), h.pictures)
	}
}
