// Package trace writes what happened in a call as JSON lines, for measuring and for tests. All times are
// wall-clock microseconds since the Unix epoch; captured is the frame's name, on its publisher's clock.
package trace

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// Frame is a frame when it came on screen.
type Frame struct {
	Event     string `json:"event"` // "frame"
	Captured  int64  `json:"captured"`
	Arrived   int64  `json:"arrived"`
	Decoded   int64  `json:"decoded"`
	Shown     int64  `json:"shown"`
	PoseExact bool   `json:"pose_exact"` // the pose of that very frame was there already
	State     string `json:"state"`      // the tracker's, empty where there is no pose
}

// Mark is a mark that was sent; Points are in pixels of the frame, whose size is Width x Height.
type Mark struct {
	Event    string       `json:"event"` // "mark"
	ID       string       `json:"id"`
	Captured int64        `json:"captured"`
	Sent     int64        `json:"sent"`
	Shape    string       `json:"shape"`
	Points   [][2]float64 `json:"points"`
	Width    int          `json:"width"`
	Height   int          `json:"height"`
}

// Placed is a word of the field on where a mark is.
type Placed struct {
	Event  string `json:"event"` // "placed"
	ID     string `json:"id"`
	At     int64  `json:"at"`
	State  string `json:"state"` // placed, waiting, refused
	Reason string `json:"reason,omitempty"`
}

// Tag is a reading when it was first on screen.
type Tag struct {
	Event   string `json:"event"` // "tag"
	Machine string `json:"machine"`
	Tag     string `json:"tag"`
	Source  int64  `json:"source"`  // the machine's clock; 0 where it gave none
	Arrived int64  `json:"arrived"` // when the relay had it, on this machine's clock
	Shown   int64  `json:"shown"`
	Value   any    `json:"value"`
	Alarm   string `json:"alarm,omitempty"`
	Quality string `json:"quality"`
}

// State is a change of the connection to the relay, or of the participant whose camera is shown.
type State struct {
	Event  string `json:"event"` // "state"
	At     int64  `json:"at"`
	What   string `json:"what"`  // relay, field
	State  string `json:"state"` // connected, connecting, closed; online, lost, left
	Reason string `json:"reason,omitempty"`
}

// End is the sum of it, the last line.
type End struct {
	Event      string  `json:"event"` // "end"
	At         int64   `json:"at"`
	Frames     int64   `json:"frames"`  // that came on screen
	Decoded    int64   `json:"decoded"` // by the decoder
	Received   int64   `json:"received"`
	Dropped    int64   `json:"dropped"` // received and not shown: superseded, or let go
	Lost       int64   `json:"lost"`    // packets that never came
	Errors     int64   `json:"errors"`  // access units that did not decode
	FPS        float64 `json:"fps"`     // shown per second, from the first to the last
	PoseExact  float64 `json:"pose_exact"`
	DelayP50   float64 `json:"delay_p50_ms"` // capture to screen; means something where the clocks agree
	DelayP95   float64 `json:"delay_p95_ms"`
	Marks      int     `json:"marks"`
	CPUSeconds float64 `json:"cpu_seconds"`
}

// Writer writes lines. A nil Writer writes nothing. It is safe for use by several goroutines.
type Writer struct {
	mu   sync.Mutex
	file *os.File
	buf  *bufio.Writer
	err  error
}

// Create makes the file, over an old one of that name.
func Create(path string) (*Writer, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	return &Writer{file: f, buf: bufio.NewWriter(f)}, nil
}

// Write writes one line: one of the types above. The first error stays and is told by Close.
func (w *Writer) Write(line any) {
	if w == nil {
		return
	}
	data, err := json.Marshal(line)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && w.err == nil {
		_, err = w.buf.Write(append(data, '\n'))
	}
	if w.err == nil {
		w.err = err
	}
}

// Flush brings what was written to the file.
func (w *Writer) Flush() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.buf.Flush(); w.err == nil {
		w.err = err
	}
}

// Close ends the file and returns the first error of all.
func (w *Writer) Close() error {
	if w == nil {
		return nil
	}
	w.Flush()
	if err := w.file.Close(); w.err == nil {
		w.err = err
	}
	if w.err != nil {
		return fmt.Errorf("trace: %w", w.err)
	}
	return nil
}
