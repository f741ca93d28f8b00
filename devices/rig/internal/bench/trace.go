package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

// fieldFrame is a line of the field client's trace: one tracked frame.
type fieldFrame struct {
	Frame    int         `json:"frame"`    // index in the source
	Captured int64       `json:"captured"` // µs
	State    string      `json:"state"`
	Metric   bool        `json:"metric"`
	TrackMS  float64     `json:"track_ms"`
	Delay    int64       `json:"delay"` // µs, capture to composed picture
	Marks    []fieldMark `json:"marks"`
}

type fieldMark struct {
	ID    string  `json:"id"`
	U     float64 `json:"u"` // px of the camera's picture
	V     float64 `json:"v"`
	State string  `json:"state"` // shown, hidden or outside
	Sigma float64 `json:"sigma"` // px
}

// event is a line of either trace that has an event's name. Times are µs of the machine's clock.
type event struct {
	Event    string       `json:"event"`
	ID       string       `json:"id"`
	Captured int64        `json:"captured"`
	Shown    int64        `json:"shown"`    // frame, tag: when it was on screen
	ShownAt  int64        `json:"shown_at"` // mark, field: the first picture that has it
	Sent     int64        `json:"sent"`     // mark, expert: pen up
	Source   int64        `json:"source"`   // tag: the machine's time
	Shape    string       `json:"shape"`
	Points   [][2]float64 `json:"points"`
	Width    int          `json:"width"`
	Height   int          `json:"height"`
}

// fieldTrace is what the field client wrote.
type fieldTrace struct {
	frames []fieldFrame
	events []event
	end    map[string]any
}

// expertTrace is what the expert's client wrote.
type expertTrace struct {
	events []event
	end    map[string]any
}

// lines calls each with every line of a trace. A last line that was cut is passed over: a killed
// program leaves one.
func lines(path string, each func(line []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		if !json.Valid(sc.Bytes()) {
			continue
		}
		if err := each(sc.Bytes()); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	return sc.Err()
}

func readFieldTrace(path string) (fieldTrace, error) {
	var t fieldTrace
	err := lines(path, func(line []byte) error {
		e, err := parseEvent(line)
		if err != nil {
			return err
		}
		switch {
		case e.Event == "end":
			return json.Unmarshal(line, &t.end)
		case e.Event != "":
			t.events = append(t.events, e)
			return nil
		}
		var f fieldFrame
		if err := json.Unmarshal(line, &f); err != nil {
			return err
		}
		t.frames = append(t.frames, f)
		return nil
	})
	return t, err
}

func readExpertTrace(path string) (expertTrace, error) {
	var t expertTrace
	err := lines(path, func(line []byte) error {
		e, err := parseEvent(line)
		if err != nil {
			return err
		}
		if e.Event == "end" {
			return json.Unmarshal(line, &t.end)
		}
		t.events = append(t.events, e)
		return nil
	})
	return t, err
}

// parseEvent reads the fields that events share. A number where another event has something else is no
// error: events are told apart by their name first.
func parseEvent(line []byte) (event, error) {
	var name struct {
		Event string `json:"event"`
	}
	if err := json.Unmarshal(line, &name); err != nil {
		return event{}, err
	}
	e := event{Event: name.Event}
	switch name.Event {
	case "mark", "tag", "frame":
		err := json.Unmarshal(line, &e)
		return e, err
	}
	return e, nil
}
