package mqtt

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"sightline/devices"
	"sightline/relay/wire"
)

// Message is one thing that a machine said, as it goes into a room log.
type Message struct {
	Machine string // "<area>/<machine>"
	Kind    string // wire.KindMachine, wire.KindTag or wire.KindAlarm
	ID      string // Machine, or "<area>/<machine>/<tag>"
	Body    any    // devices.Machine, devices.Reading or devices.Alarm
}

// plant is what is known of all machines. It is pure: what the broker says and the time (µs since the
// Unix epoch) go in, messages come out.
type plant struct {
	machines map[string]*machine
	tags     int // births, readings and alarms
	births   int // bytes
}

type machine struct {
	birth    *devices.Machine
	weight   int                        // of the birth, bytes
	readings map[string]devices.Reading // as they came: Quality is the machine's word
	alarms   map[string]devices.Alarm
	heard    int64 // last sign of life, or when it was first known
	silent   bool
}

const (
	// maxTags and maxBirths, in bytes, bound what one broker can make the reader remember. Births have room for a
	// title, a unit and limits of every tag.
	maxTags   = 100_000
	maxBirths = 64 << 20
	// tagWeight is about how many bytes a tag of a birth takes beside its texts.
	tagWeight = 200
	// silentAfter is the silence, in seconds, after which a machine that says nothing else is stale.
	silentAfter = 5
)

var (
	errFull   = errors.New("more than 100,000 tags: this one is not read")
	errBirths = errors.New("the births of all machines have more than 64 MiB: this one is not read")
)

// handle takes one message of the broker's. A retained one was said some time ago: it is no sign of life.
func (p *plant) handle(topic string, payload []byte, retained bool, now int64) ([]Message, error) {
	at, err := parseTopic(topic)
	if err != nil {
		return nil, err
	}
	switch {
	case len(payload) == 0:
		return nil, nil // how MQTT clears what was retained
	case len(payload) > maxPayload:
		return nil, fmt.Errorf("payload of %d bytes, at most %d", len(payload), maxPayload)
	case at.tag == birth && !at.alarm:
		return p.born(at, payload, retained, now)
	case at.alarm:
		return p.alarmed(at, payload, retained, now)
	}
	return p.read(at, payload, retained, now)
}

func (p *plant) machine(name string, now int64) *machine {
	m := p.machines[name]
	if m == nil {
		m = &machine{readings: map[string]devices.Reading{}, alarms: map[string]devices.Alarm{}, heard: now}
		p.machines[name] = m
	}
	return m
}

// alive notes a sign of life, and returns the readings that it makes good again.
func (m *machine) alive(retained bool, now int64) []Message {
	if retained {
		return nil
	}
	m.heard = now
	if !m.silent {
		return nil
	}
	m.silent = false
	return m.allReadings()
}

func (p *plant) born(at address, payload []byte, retained bool, now int64) ([]Message, error) {
	b, err := parseBirth(at.machine, payload)
	if err != nil {
		return nil, err
	}
	tags, births, weight := p.tags, p.births, len(payload)+tagWeight*len(b.Tags)
	if m := p.machines[at.machine]; m == nil || m.birth == nil {
		tags++
	} else {
		births -= m.weight
	}
	switch births += weight; {
	case tags > maxTags:
		return nil, errFull
	case births > maxBirths:
		return nil, errBirths
	}
	m := p.machine(at.machine, now)
	p.tags, p.births = tags, births
	m.birth, m.weight = &b, weight
	out := append([]Message{{at.machine, wire.KindMachine, at.machine, b}}, m.alive(retained, now)...)
	for _, tag := range slices.Sorted(maps.Keys(m.readings)) { // the limits may be others now
		r := m.readings[tag]
		before := r
		changed := m.judge(&r)
		m.readings[tag] = r
		if r.Alarm != before.Alarm || r.Unit != before.Unit {
			out = append(append(out, m.reading(tag)), changed...)
		}
	}
	return out, nil
}

func (p *plant) read(at address, payload []byte, retained bool, now int64) ([]Message, error) {
	r, err := parseReading(payload)
	if err != nil {
		return nil, err
	}
	m := p.machines[at.machine]
	if m == nil || m.readings[at.tag].Tag == "" {
		if p.tags >= maxTags {
			return nil, errFull
		}
		p.tags++
		m = p.machine(at.machine, now)
	}
	r.Machine, r.Tag, r.Arrived = at.machine, at.tag, now
	r.Alarm = m.readings[at.tag].Alarm
	changed := m.judge(&r)
	revived := m.alive(retained, now)
	m.readings[at.tag] = r
	revived = slices.DeleteFunc(revived, func(x Message) bool { return x.ID == at.machine+"/"+at.tag })
	return append(append(revived, m.reading(at.tag)), changed...), nil
}

func (p *plant) alarmed(at address, payload []byte, retained bool, now int64) ([]Message, error) {
	a, err := parseAlarm(payload)
	if err != nil {
		return nil, err
	}
	m := p.machines[at.machine]
	known := false
	if m != nil {
		_, known = m.alarms[at.tag]
	}
	if !known {
		if p.tags >= maxTags {
			return nil, errFull
		}
		p.tags++
		m = p.machine(at.machine, now)
	}
	a.Machine, a.Tag, a.Arrived = at.machine, at.tag, now
	m.alarms[at.tag] = a
	return append(m.alive(retained, now), m.alarm(at.tag)), nil
}

// judge holds a reading against the limits of the machine's birth. It sets the reading's unit and alarm,
// and returns the alarm that is raised or cleared thereby. A bad value changes no alarm.
func (m *machine) judge(r *devices.Reading) []Message {
	if m.birth == nil {
		return nil
	}
	tag := m.birth.Tags[r.Tag]
	r.Unit = tag.Unit
	if r.Quality == devices.Bad || r.Quality == devices.Stale {
		return nil
	}
	before := r.Alarm
	r.Alarm = ""
	var limit float64
	switch {
	case r.Number == nil:
	case tag.High != nil && *r.Number > *tag.High:
		r.Alarm, limit = "high", *tag.High
	case tag.Low != nil && *r.Number < *tag.Low:
		r.Alarm, limit = "low", *tag.Low
	}
	if r.Alarm == before {
		return nil
	}
	a := devices.Alarm{Machine: r.Machine, Tag: r.Tag, Active: r.Alarm != "", Source: r.Source, Arrived: r.Arrived}
	title := tag.Title
	if title == "" {
		title = r.Tag
	}
	if a.Active {
		a.Text = fmt.Sprintf("%s %s: %s, limit %s", title, r.Alarm, amount(*r.Number, tag.Unit), amount(limit, tag.Unit))
	} else {
		a.Text = title + " back within its limits"
	}
	m.alarms[r.Tag] = a
	return []Message{m.alarm(r.Tag)}
}

func amount(v float64, unit string) string {
	s := strconv.FormatFloat(v, 'g', 5, 64)
	if unit != "" {
		s += " " + unit
	}
	return s
}

// tick returns the readings of the machines that have fallen silent, as stale.
func (p *plant) tick(now int64) []Message {
	var out []Message
	for _, name := range slices.Sorted(maps.Keys(p.machines)) {
		m := p.machines[name]
		after := float64(silentAfter)
		if m.birth != nil && m.birth.SilentAfter > 0 {
			after = m.birth.SilentAfter
		}
		if !m.silent && float64(now-m.heard) > after*1e6 {
			m.silent = true
			out = append(out, m.allReadings()...)
		}
	}
	return out
}

// snapshot returns all that is known of a machine: its birth, its readings, its active alarms.
func (p *plant) snapshot(name string) []Message {
	m := p.machines[name]
	if m == nil {
		return nil
	}
	var out []Message
	if m.birth != nil {
		out = append(out, Message{name, wire.KindMachine, name, *m.birth})
	}
	out = append(out, m.allReadings()...)
	for _, tag := range slices.Sorted(maps.Keys(m.alarms)) {
		if m.alarms[tag].Active {
			out = append(out, m.alarm(tag))
		}
	}
	return out
}

func (m *machine) allReadings() []Message {
	var out []Message
	for _, tag := range slices.Sorted(maps.Keys(m.readings)) {
		out = append(out, m.reading(tag))
	}
	return out
}

func (m *machine) reading(tag string) Message {
	r := m.readings[tag]
	if m.silent {
		r.Quality = devices.Stale
	}
	return Message{r.Machine, wire.KindTag, r.Machine + "/" + tag, r}
}

func (m *machine) alarm(tag string) Message {
	a := m.alarms[tag]
	return Message{a.Machine, wire.KindAlarm, a.Machine + "/" + tag, a}
}
