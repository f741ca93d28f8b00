// Package trace writes what the field client did, as JSON lines, for measuring it afterwards.
package trace

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"sync"

	"sightline/annotate"
	"sightline/annotate/scene"
	"sightline/vision"
	"sightline/vision/geom"
)

// Frame is the line of one tracked frame.
type Frame struct {
	Frame     int          `json:"frame"`    // index in the source
	Captured  int64        `json:"captured"` // µs since the Unix epoch, the frame's name
	State     vision.State `json:"state"`
	Reason    string       `json:"reason,omitempty"`
	Map       string       `json:"map"`
	Metric    bool         `json:"metric"`
	Sigma     float64      `json:"sigma"` // px
	Landmarks int          `json:"landmarks"`
	TrackMS   float64      `json:"track_ms"`   // tracking and placing
	ComposeMS float64      `json:"compose_ms"` // scene and picture
	Delay     int64        `json:"delay"`      // µs from capture to the composed picture
	Pose      *Pose        `json:"pose,omitempty"`
	Marks     []Mark       `json:"marks"`
}

// Pose is a poseCW: world to camera.
type Pose struct {
	Q geom.Quat `json:"q"` // x y z w
	T geom.Vec3 `json:"t"`
}

// Mark is where a mark was in a frame.
type Mark struct {
	ID     string      `json:"id"`
	U      float64     `json:"u"` // px of the camera's picture
	V      float64     `json:"v"`
	State  scene.State `json:"state"`
	Sigma  float64     `json:"sigma"` // px
	Reason string      `json:"reason,omitempty"`
}

// Placed is the event of a mark's first picture. Times are µs of the wall clock, 0 where unknown.
type Placed struct {
	Event    string         `json:"event"` // mark
	ID       string         `json:"id"`
	Shape    annotate.Shape `json:"shape"`
	Captured int64          `json:"mark_captured"` // the frame it was drawn on
	Arrived  int64          `json:"arrived"`       // its message
	PlacedAt int64          `json:"placed_at"`     // its first place in the world
	Sent     int64          `json:"sent"`          // the message with its place
	ShownAt  int64          `json:"shown_at"`      // the first composed picture that has it
	Frame    int64          `json:"shown_frame"`   // that picture's frame, captured
}

// Tag is the event of a reading that is drawn for the first time.
type Tag struct {
	Event   string `json:"event"` // tag
	Machine string `json:"machine"`
	Tag     string `json:"tag"`
	Source  int64  `json:"source"`  // µs, the machine's clock; 0 where it gives none
	Arrived int64  `json:"arrived"` // µs, the relay's clock
	Shown   int64  `json:"shown"`   // µs, this machine's clock
}

// FrameOf makes the line of an estimate.
func FrameOf(e vision.Estimate, index int, captured int64) Frame {
	f := Frame{Frame: index, Captured: captured, State: e.State, Reason: e.Reason, Map: e.Map, Metric: e.Metric,
		Sigma: e.SigmaPx, Landmarks: e.Landmarks, Marks: []Mark{}}
	if e.Posed() {
		f.Pose = &Pose{geom.QuatOf(e.PoseCW.R), e.PoseCW.T}
	}
	return f
}

// Writer writes lines. It is safe for use by several goroutines. The nil Writer writes nothing.
type Writer struct {
	mu   sync.Mutex
	file *os.File
	buf  *bufio.Writer
	err  error
}

// Create creates the file, over an old one; the empty path makes the nil Writer.
func Create(path string) (*Writer, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &Writer{file: f, buf: bufio.NewWriterSize(f, 1<<16)}, nil
}

// Put writes one line.
func (w *Writer) Put(line any) {
	if w == nil {
		return
	}
	data, err := json.Marshal(line)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		_, err = w.buf.Write(append(data, '\n'))
	}
	w.err = errors.Join(w.err, err)
}

// Close writes what is left and returns the errors there were.
func (w *Writer) Close() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.err, w.buf.Flush(), w.file.Close())
}
