package evidence

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// The kinds of faults.
const (
	Changed   = "changed"   // bytes are not those that were sealed
	Missing   = "missing"   // a file or a record is not there
	Added     = "added"     // a file, bytes or a record were not there
	Reordered = "reordered" // pieces or records are in another order
	Truncated = "truncated" // a file or the chain ends too early
	WrongKey  = "wrong key" // signed by somebody else
	BrokenLog = "broken log"
	BadStamp  = "bad stamp"
	Clock     = "clock"    // time ran backwards, or jumped, and the recorder does not say so
	Disagree  = "disagree" // track, table and log tell different things
	NotClosed = "not closed"
	Deleted   = "deleted"
	Unread    = "not readable"
)

// Fault is something that is not as it was sealed.
type Fault struct {
	Kind  string `json:"kind"`
	Place string `json:"place"` // the file, and where in it
	Text  string `json:"text"`
}

// Report is what Verify found.
type Report struct {
	Case About `json:"case"`
	// Proven says that all of the case is as it was recorded: there is no fault.
	Proven bool    `json:"proven"`
	Faults []Fault `json:"faults"`
	// Remarks are what the recorder itself says of the case: gaps, clocks that were set, a recovery.
	Remarks []string `json:"remarks"`

	Records  uint64   `json:"records"`
	Pieces   int      `json:"pieces"`
	Files    int      `json:"files"`
	Bytes    int64    `json:"bytes"`
	Messages int      `json:"messages"`
	Frames   int      `json:"frames"`
	Heads    int      `json:"heads"`      // signed, and in the transparency log
	SealedTo int64    `json:"sealed_to"`  // session time up to which heads vouch for the case, µs
	Log      *LogSeen `json:"log"`        // the transparency log as the last head saw it
	Stamps   []Stamp  `json:"timestamps"` // by authorities
	ClosedBy string   `json:"closed_by"`
	// Seconds are the reports of the second recorders' cases, and Compared what their comparison with this case found.
	Seconds  []*Report  `json:"second_recorders,omitempty"`
	Compared []Compared `json:"compared,omitempty"`
}

// LogSeen is the state of the transparency log.
type LogSeen struct {
	Size int64  `json:"size"`
	Root string `json:"root"`
}

// maxFaults is how many faults are told; the rest is of little use.
const maxFaults = 100

func (r *Report) fault(kind, place, format string, args ...any) {
	if len(r.Faults) < maxFaults {
		r.Faults = append(r.Faults, Fault{kind, place, fmt.Sprintf(format, args...)})
	}
}

func (r *Report) remark(format string, args ...any) {
	r.Remarks = append(r.Remarks, fmt.Sprintf(format, args...))
}

// Write says the report in words.
func (r *Report) Write(to io.Writer) error {
	var b strings.Builder
	if r.Case.ID != "" {
		fmt.Fprintf(&b, "Case %s of room %s, begun %s.\n", r.Case.ID, r.Case.Room, r.Case.UTC)
	}
	fmt.Fprintf(&b, "%d bytes in %d files and %d pieces: %d frames and %d messages.\n", r.Bytes, r.Files, r.Pieces, r.Frames, r.Messages)
	fmt.Fprintf(&b, "%d records in the chain; %d heads are signed, up to %s of session time.\n", r.Records, r.Heads, micros(r.SealedTo))
	if r.Log != nil {
		fmt.Fprintf(&b, "The last head is in the transparency log of %d entries with root %s.\n", r.Log.Size, r.Log.Root)
	}
	for _, s := range r.Stamps {
		fmt.Fprintf(&b, "%s\n", s)
	}
	for _, s := range r.Remarks {
		fmt.Fprintf(&b, "Note: %s\n", s)
	}
	for _, f := range r.Faults {
		fmt.Fprintf(&b, "FAULT, %s: %s: %s\n", f.Kind, f.Place, f.Text)
	}
	if len(r.Faults) == maxFaults {
		fmt.Fprintf(&b, "There may be more faults than these %d.\n", maxFaults)
	}
	for _, second := range r.Seconds {
		fmt.Fprintf(&b, "\nSecond recorder:\n")
		if err := second.Write(&b); err != nil {
			return err
		}
		b.WriteString("\nAll in all: ")
	}
	if r.Proven {
		b.WriteString("PROVEN: the case is complete, and every byte is as it was recorded.\n")
	} else {
		b.WriteString("NOT PROVEN.\n")
	}
	_, err := io.WriteString(to, b.String())
	return err
}

func micros(us int64) string { return (time.Duration(us) * time.Microsecond).String() }
