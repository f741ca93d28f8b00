package tape

import (
	"cmp"
	"fmt"
	"slices"

	"sightline/annotate"
	"sightline/annotate/replica"
	"sightline/annotate/scene"
	"sightline/relay/wire"
)

// Alarm is the time that a tag was in alarm. To is the end of the tape where it still is.
type Alarm struct {
	Tag
	From, To int64
	Open     bool // it did not end
	Text     string
}

// Kind is what kind of thing happened.
type Kind string

// The kinds of moments.
const (
	Marked   Kind = "mark"     // somebody drew
	Spoken   Kind = "words"    // somebody said or wrote something
	Alarmed  Kind = "alarm"    // a value left its limits, or the machine raised an alarm
	Pictured Kind = "snapshot" // somebody took a snapshot
	Came     Kind = "came"
	Went     Kind = "went"
	Missing  Kind = "gap"    // something is not recorded
	Filled   Kind = "filled" // another recorder's, where the relay has none
)

// Moment is one thing that happened.
type Moment struct {
	At, To int64 // To is At for what has no length
	Kind   Kind
	Who    string // for people; empty where nobody did it
	Text   string // in words
	// Mark is the ID of a mark, as it was drawn first; Captured the frame that a mark or snapshot is of, and
	// Camera its publisher.
	Mark     string
	Shape    annotate.Shape
	Camera   string
	Captured int64
}

// findAlarms finds when each tag was in alarm.
func (t *Tape) findAlarms() {
	for _, name := range t.machines {
		for _, s := range t.tagsOf(name) {
			t.alarmsOf(s)
		}
		for key, s := range t.series {
			if key[0] == name && len(s.at) == 0 {
				t.alarmsOf(s) // of no tag that is read
			}
		}
	}
	slices.SortStableFunc(t.Alarms, func(a, b Alarm) int { return cmp.Compare(a.From, b.From) })
}

// alarmsOf follows one tag: by its own readings, and by what the machine says.
func (t *Tape) alarmsOf(s *series) {
	type change struct {
		at   int64
		on   bool
		text string
	}
	var all []change
	for i, r := range s.readings {
		if i == 0 && r.Alarm != "" || i > 0 && (r.Alarm != "") != (s.readings[i-1].Alarm != "") {
			text := ""
			if r.Alarm != "" {
				text = fmt.Sprintf("%s: %s is %s at %s %s", t.MachineTitle(s.machine), t.TagTitle(s.machine, s.tag), r.Alarm, scene.Value(r), r.Unit)
			}
			all = append(all, change{s.at[i], r.Alarm != "", text})
		}
	}
	if len(all) == 0 {
		for _, a := range s.alarms {
			all = append(all, change{a.at, a.Active, t.MachineTitle(s.machine) + ": " + cmp.Or(a.Text, t.TagTitle(s.machine, s.tag))})
		}
	}
	open := -1
	for _, c := range all {
		switch {
		case c.on && open < 0:
			open = len(t.Alarms)
			t.Alarms = append(t.Alarms, Alarm{Tag: Tag{s.machine, s.tag}, From: max(c.at, t.Start), To: t.End, Open: true, Text: c.text})
		case !c.on && open >= 0:
			t.Alarms[open].To, t.Alarms[open].Open = c.at, false
			open = -1
		}
	}
}

// findMoments gathers all that happened.
func (t *Tape) findMoments() {
	t.marked()
	for _, w := range t.Words {
		t.moment(Moment{At: w.At, Kind: Spoken, Who: w.Name, Text: w.Text})
	}
	for _, a := range t.Alarms {
		t.moment(Moment{At: a.From, To: a.To, Kind: Alarmed, Text: a.Text})
	}
	for _, e := range t.shots {
		s, _ := read[wire.Snapshot](e)
		t.moment(Moment{At: e.Time, Kind: Pictured, Who: t.Person(e.From), Text: "Snapshot", Camera: s.Camera, Captured: e.Captured})
	}
	for _, s := range t.Stays {
		t.moment(Moment{At: s.From, Kind: Came, Who: s.Name, Text: "joined as " + s.Role})
		if s.To < t.End {
			t.moment(Moment{At: s.To, Kind: Went, Who: s.Name, Text: went(s.Reason)})
		}
	}
	for _, g := range t.Manifest.Gaps {
		t.moment(Moment{At: max(g.From, t.Start), To: g.To, Kind: Missing, Who: t.Person(g.Who), Text: g.Why})
	}
	for _, f := range t.Fills {
		t.moment(Moment{At: f.From, To: f.To, Kind: Filled, Text: f.String()})
	}
	slices.SortStableFunc(t.Moments, func(a, b Moment) int { return cmp.Compare(a.At, b.At) })
}

// String says what was filled in.
func (f Fill) String() string { return f.Of + " of " + f.Name + ", from the " + f.Recorder }

func went(reason string) string {
	if reason == "left" {
		return "left"
	}
	return "was lost"
}

func (t *Tape) moment(m Moment) {
	m.To = max(m.To, m.At)
	t.Moments = append(t.Moments, m)
}

// marked finds who drew what: each mark once, when it was drawn first, in the words that it had.
func (t *Tape) marked() {
	seen := map[string]bool{}
	for _, e := range t.edits {
		if e.Kind != wire.KindMark || seen[e.ID] {
			continue
		}
		m, err := replica.DecodeMark(e.Body)
		if err != nil || m.Deleted {
			continue
		}
		seen[e.ID] = true
		t.moment(Moment{At: max(e.Time, t.Start), Kind: Marked, Who: cmp.Or(m.Author, t.Person(e.From)), Text: t.markWords(m), Mark: e.ID,
			Shape: m.Shape, Camera: m.Camera, Captured: e.Captured})
	}
}

// markWords says what a mark is.
func (t *Tape) markWords(m annotate.Mark) string {
	switch m.Shape {
	case annotate.Gesture:
		return map[annotate.Action]string{annotate.Point: "Points: here", annotate.Press: "Press here", annotate.TurnLeft: "Turn left",
			annotate.TurnRight: "Turn right", annotate.Pull: "Pull", annotate.Stop: "Stop"}[m.Action]
	case annotate.Text:
		return m.Text
	case annotate.Pin:
		return "Readings of " + t.MachineTitle(m.Machine)
	case annotate.Measure:
		return "Measures a distance"
	case annotate.Stroke:
		return "Draws freehand"
	}
	if m.Shape == annotate.Arrow {
		return "Draws an arrow"
	}
	return "Draws a " + string(m.Shape)
}
