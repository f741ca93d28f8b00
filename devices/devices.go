// Package devices is everything with a plug: the types that cameras, codecs and machines share. The
// things themselves are below: media (cameras, codecs), mqtt (machines), sim (the simulated plant).
package devices

import "image"

// Frame is one picture of a camera. The picture is valid until Release; who keeps it longer copies it.
type Frame struct {
	// Picture is 4:2:0, full-range BT.601 as Go's image package has it.
	Picture *image.YCbCr
	// Captured is when the picture was taken: microseconds since the Unix epoch on this machine's
	// clock. It is the frame's name everywhere, and grows strictly from frame to frame.
	Captured int64
	// Index counts the frames of the source from 0, dropped ones included.
	Index int
	// OnRelease gives the picture's memory back; nil where the memory is the garbage collector's.
	OnRelease func()
}

// Release gives the picture back. It may be called once, from any goroutine.
func (f Frame) Release() {
	if f.OnRelease != nil {
		f.OnRelease()
	}
}

// Quality says how far a reading can be trusted, in OPC's three words and one of ours.
type Quality string

// The qualities of a reading.
const (
	Good      Quality = "good"
	Uncertain Quality = "uncertain"
	Bad       Quality = "bad"
	Stale     Quality = "stale" // the machine fell silent; the value is the last one heard
)

// Machine is a machine's birth: what it is and what its tags mean. Its name is "<area>/<machine>".
type Machine struct {
	Name  string         `json:"name"`
	Title string         `json:"title,omitempty"` // for people: "Feed pump 7"
	Tags  map[string]Tag `json:"tags,omitempty"`
	// Marker is the ArUco marker (DICT_4X4_50) on the machine, -1 where there is none; MarkerSize is
	// the side of its black square in metres.
	Marker     int     `json:"marker"`
	MarkerSize float64 `json:"marker_size,omitempty"`
	// SilentAfter is the number of seconds without a word after which its values are stale; 0 means 5.
	SilentAfter float64 `json:"silent_after,omitempty"`
}

// Tag describes one data point of a machine. Limits that do not exist are nil.
type Tag struct {
	Title string   `json:"title,omitempty"`
	Unit  string   `json:"unit,omitempty"`
	Low   *float64 `json:"low,omitempty"`  // below is an alarm
	High  *float64 `json:"high,omitempty"` // above is an alarm
	Min   *float64 `json:"min,omitempty"`  // range of display
	Max   *float64 `json:"max,omitempty"`
}

// Reading is the last value of a tag. Exactly one of Number, Text and Flag is set.
type Reading struct {
	Machine string   `json:"machine"`
	Tag     string   `json:"tag"`
	Number  *float64 `json:"number,omitempty"`
	Text    *string  `json:"text,omitempty"`
	Flag    *bool    `json:"flag,omitempty"`
	Unit    string   `json:"unit,omitempty"`
	Quality Quality  `json:"quality"`
	// Source is when the machine measured it, Arrived when it was read from the broker: microseconds
	// since the Unix epoch, each on its own clock. Source is 0 where the machine gives no time.
	Source  int64 `json:"source,omitempty"`
	Arrived int64 `json:"arrived"`
	// Alarm is "low", "high" or empty, by the limits of the machine's birth.
	Alarm string `json:"alarm,omitempty"`
}

// Alarm is an alarm that a machine raised or that a limit made; its ID is "<area>/<machine>/<tag>".
type Alarm struct {
	Machine string `json:"machine"`
	Tag     string `json:"tag"`
	Active  bool   `json:"active"`
	Text    string `json:"text"`
	Source  int64  `json:"source,omitempty"` // µs since the Unix epoch, the machine's clock
	Arrived int64  `json:"arrived"`
}
