package tape

import (
	"cmp"
	"slices"
	"strings"

	"sightline/annotate/scene"
	"sightline/devices"
)

// series is all that was heard of one tag, by time.
type series struct {
	machine, tag string
	at           []int64
	readings     []devices.Reading
	alarms       []said
}

// said is an alarm as a machine raised it, or took it back.
type said struct {
	at int64
	devices.Alarm
}

func (t *Tape) serie(machine, tag string) *series {
	key := [2]string{machine, tag}
	s := t.series[key]
	if s == nil {
		s = &series{machine: machine, tag: tag}
		t.series[key] = s
		t.heard(machine)
	}
	return s
}

func (s *series) put(at int64, r devices.Reading) {
	s.at, s.readings = append(s.at, at), append(s.readings, r)
}

func (s *series) alarm(at int64, a devices.Alarm) { s.alarms = append(s.alarms, said{at, a}) }

// sort puts readings in order; nearly always they are.
func (s *series) sort() {
	slices.SortStableFunc(s.alarms, func(a, b said) int { return cmp.Compare(a.at, b.at) })
	if slices.IsSorted(s.at) {
		return
	}
	order := make([]int, len(s.at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.at[a], s.at[b]) })
	at, readings := make([]int64, len(order)), make([]devices.Reading, len(order))
	for i, j := range order {
		at[i], readings[i] = s.at[j], s.readings[j]
	}
	s.at, s.readings = at, readings
}

// index is the place of the last reading at or before an instant, -1 for none.
func (s *series) index(session int64) int {
	i, _ := slices.BinarySearch(s.at, session+1)
	return i - 1
}

// keptTrend is how many earlier numbers a trend shows, as on the live desk.
const keptTrend = 90

// tagAt is the tag as it stood at an instant; ok is false before its first reading.
func (t *Tape) tagAt(s *series, session int64) (tag scene.Tag, ok bool) {
	i := s.index(session)
	if i < 0 {
		return scene.Tag{}, false
	}
	r := s.readings[i]
	heard := i
	for heard > 0 && s.readings[heard].Quality == devices.Stale {
		heard-- // stale since it was last heard
	}
	r.Arrived = t.UTC(s.at[heard])
	if r.Alarm == "" && s.raised(session) {
		r.Alarm = "active"
	}
	for j := max(0, i-keptTrend+1); j <= i; j++ {
		if v := s.readings[j]; v.Number != nil && v.Quality != devices.Stale {
			tag.Trend = append(tag.Trend, *v.Number)
		}
	}
	tag.Reading = r
	return tag, true
}

// raised says whether the machine itself had raised an alarm of this tag.
func (s *series) raised(session int64) bool {
	active := false
	for _, a := range s.alarms {
		if a.at <= session {
			active = a.Active
		}
	}
	return active
}

// Machines returns the machines with the last readings of their tags as they stood at an instant, by name,
// the tags by title. Reading.Arrived is the relay's wall clock (UTC).
func (t *Tape) Machines(session int64) []scene.Machine {
	var out []scene.Machine
	for _, name := range t.machines {
		born, known := t.born(name, session)
		m := scene.Machine{Machine: born}
		for _, s := range t.tagsOf(name) {
			if tag, ok := t.tagAt(s, session); ok {
				m.Tags = append(m.Tags, tag)
			}
		}
		if known || len(m.Tags) > 0 {
			out = append(out, m)
		}
	}
	return out
}

// born is what a machine had said of itself by then.
func (t *Tape) born(name string, session int64) (m devices.Machine, known bool) {
	m = devices.Machine{Name: name, Marker: -1}
	for _, b := range t.births[name] {
		if b.at <= session {
			m, known = b.machine, true
		}
	}
	return m, known
}

// tagsOf returns the series of a machine by the titles of their tags.
func (t *Tape) tagsOf(name string) []*series {
	var out []*series
	for key, s := range t.series {
		if key[0] == name && len(s.at) > 0 {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b *series) int {
		return cmp.Or(strings.Compare(t.TagTitle(name, a.tag), t.TagTitle(name, b.tag)), strings.Compare(a.tag, b.tag))
	})
	return out
}

// TagTitle is what a tag is called, for people.
func (t *Tape) TagTitle(machine, tag string) string {
	born, _ := t.born(machine, t.End)
	return cmp.Or(born.Tags[tag].Title, tag)
}

// MachineTitle is what a machine is called, for people.
func (t *Tape) MachineTitle(machine string) string {
	born, _ := t.born(machine, t.End)
	return cmp.Or(born.Title, machine)
}

// Value is one reading at its time.
type Value struct {
	At int64
	devices.Reading
}

// Values calls fn with every reading of the tape in the order of their times, until it returns false.
func (t *Tape) Values(fn func(Value) bool) {
	var all []Value
	for _, name := range t.machines {
		for _, s := range t.tagsOf(name) {
			for i, r := range s.readings {
				all = append(all, Value{s.at[i], r})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Value) int { return cmp.Compare(a.At, b.At) })
	for _, v := range all {
		if !fn(v) {
			return
		}
	}
}

// Tag names one data point of the tape.
type Tag struct{ Machine, Tag string }

// Tags returns all tags that were read, by machine and title.
func (t *Tape) Tags() []Tag {
	var out []Tag
	for _, name := range t.machines {
		for _, s := range t.tagsOf(name) {
			out = append(out, Tag{name, s.tag})
		}
	}
	return out
}

// Reading returns the last reading of a tag at or before an instant.
func (t *Tape) Reading(tag Tag, session int64) (Value, bool) {
	s := t.series[[2]string{tag.Machine, tag.Tag}]
	if s == nil {
		return Value{}, false
	}
	i := s.index(session)
	if i < 0 {
		return Value{}, false
	}
	return Value{s.at[i], s.readings[i]}, true
}

// Ends returns the first and the last reading of a tag that is one of Tags.
func (t *Tape) Ends(tag Tag) (first, last Value) {
	s := t.series[[2]string{tag.Machine, tag.Tag}]
	n := len(s.at) - 1
	return Value{s.at[0], s.readings[0]}, Value{s.at[n], s.readings[n]}
}
