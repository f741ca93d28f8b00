package call

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"sightline/annotate/scene"
	"sightline/devices"
	"sightline/relay/wire"
)

// ledger makes a Room of the messages of the log. Its owner has the lock.
type ledger struct {
	last     map[[2]string]wire.Envelope // what holds for each (kind, id), without its body
	people   map[string]Person
	machines map[string]devices.Machine
	tags     map[string]map[string]*tag // by machine and tag
	chat     []Line
	faults   map[string]string // by what is not recorded as it should be
	recorded wire.Recorded
	consents map[string]wire.Consent // by participant: what was asked, or answered
}

// tag is a reading with what led to it.
type tag struct {
	reading devices.Reading
	trend   []float64
}

// Bounds of what is kept.
const (
	keptTrend = 90
	keptChat  = 50
)

func newLedger() *ledger {
	return &ledger{last: map[[2]string]wire.Envelope{}, people: map[string]Person{},
		machines: map[string]devices.Machine{}, faults: map[string]string{}, consents: map[string]wire.Consent{}, tags: map[string]map[string]*tag{}}
}

// take reads one message; at is its session time on this machine's clock. It returns whether anything
// changed, and what is wrong with a body that cannot be read.
func (l *ledger) take(e wire.Envelope, at time.Time) (bool, error) {
	key := [2]string{e.Kind, e.ID}
	if old, ok := l.last[key]; ok && !e.Newer(old) {
		return false, nil
	}
	var err error
	switch e.Kind {
	case wire.KindParticipant:
		err = read(e, func(p wire.Participant) { l.people[e.ID] = Person{Participant: p, Since: at} })
	case wire.KindMachine:
		err = read(e, func(m devices.Machine) { l.machines[e.ID] = m })
	case wire.KindTag:
		err = read(e, func(r devices.Reading) { l.reading(r, at) })
	case wire.KindChat:
		err = read(e, func(c wire.Chat) { l.say(e, c, at) })
	case wire.KindFault:
		err = read(e, func(f wire.Fault) { l.faulty(e.ID, f) })
	case wire.KindRecorded:
		err = read(e, func(r wire.Recorded) { l.recorded = r })
	case wire.KindConsent:
		err = read(e, func(c wire.Consent) { l.consents[e.ID] = c })
	default:
		return false, nil
	}
	if err != nil {
		return false, err
	}
	e.Body, e.Extra = nil, nil
	l.last[key] = e
	return true, nil
}

func read[T any](e wire.Envelope, take func(T)) error {
	var v T
	if err := json.Unmarshal(e.Body, &v); err != nil {
		return fmt.Errorf("%s %s from %s cannot be read: %w", e.Kind, e.ID, e.From, err)
	}
	take(v)
	return nil
}

// faulty takes what the relay says of its recording.
func (l *ledger) faulty(what string, f wire.Fault) {
	if l.faults[what] = f.Text; f.Over {
		delete(l.faults, what)
	}
}

func (l *ledger) reading(r devices.Reading, at time.Time) {
	if l.tags[r.Machine] == nil {
		l.tags[r.Machine] = map[string]*tag{}
	}
	t := l.tags[r.Machine][r.Tag]
	if t == nil {
		t = &tag{}
		l.tags[r.Machine][r.Tag] = t
	}
	if r.Quality != devices.Stale || t.reading.Machine == "" {
		r.Arrived = at.UnixMicro()
	} else {
		r.Arrived = t.reading.Arrived // stale since it was last heard
	}
	if r.Number != nil && r.Quality != devices.Stale && !math.IsNaN(*r.Number) && !math.IsInf(*r.Number, 0) {
		t.trend = append(t.trend, *r.Number)
		if len(t.trend) > keptTrend {
			t.trend = slices.Delete(t.trend, 0, len(t.trend)-keptTrend)
		}
	}
	t.reading = r
}

func (l *ledger) say(e wire.Envelope, c wire.Chat, at time.Time) {
	l.chat = append(l.chat, Line{From: e.From, Text: c.Text, At: at})
	slices.SortStableFunc(l.chat, func(a, b Line) int { return a.At.Compare(b.At) })
	if len(l.chat) > keptChat {
		l.chat = slices.Delete(l.chat, 0, len(l.chat)-keptChat)
	}
}

var roleOrder = map[string]int{"field": 0, "expert": 1, "viewer": 2}

// fill writes what is known into a room.
func (l *ledger) fill(r *Room) {
	for _, p := range l.people {
		r.People = append(r.People, p)
	}
	slices.SortFunc(r.People, func(a, b Person) int {
		return cmp.Or(cmp.Compare(roleOrder[a.Role], roleOrder[b.Role]), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	names := map[string]bool{}
	for name := range l.machines {
		names[name] = true
	}
	for name := range l.tags {
		names[name] = true
	}
	for name := range names {
		r.Machines = append(r.Machines, l.machine(name))
	}
	slices.SortFunc(r.Machines, func(a, b scene.Machine) int { return strings.Compare(a.Machine.Name, b.Machine.Name) })
	for _, line := range l.chat {
		line.From = cmp.Or(l.people[line.From].Name, line.From)
		r.Chat = append(r.Chat, line)
	}
	for _, what := range slices.Sorted(maps.Keys(l.faults)) {
		r.Fault = l.faults[what]
	}
	r.Recorded = l.recorded
	if c := l.consents[r.Self.ID]; c.State == wire.ConsentAsked {
		r.Asked = cmp.Or(c.Text, "This call is recorded. May what comes from you be recorded?")
	}
}

func (l *ledger) machine(name string) scene.Machine {
	born, ok := l.machines[name]
	if !ok {
		born.Marker = -1
	}
	born.Name = name
	m := scene.Machine{Machine: born}
	for _, t := range l.tags[name] {
		m.Tags = append(m.Tags, scene.Tag{Reading: t.reading, Trend: slices.Clone(t.trend)})
	}
	slices.SortFunc(m.Tags, func(a, b scene.Tag) int {
		x, y := cmp.Or(born.Tags[a.Reading.Tag].Title, a.Reading.Tag), cmp.Or(born.Tags[b.Reading.Tag].Title, b.Reading.Tag)
		return cmp.Or(strings.Compare(x, y), strings.Compare(a.Reading.Tag, b.Reading.Tag))
	})
	return m
}
