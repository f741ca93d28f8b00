package room

import (
	"maps"
	"slices"

	"sightline/annotate/scene"
	"sightline/devices"
)

// trendLength is how many earlier numbers of a tag are kept.
const trendLength = 60

// machine is a machine of the room.
type machine struct {
	birth  devices.Machine
	tags   map[string]*tag
	alarms map[string]string // texts of the alarms that are active and no tag's
}

type tag struct {
	reading devices.Reading
	trend   []float64 // the oldest first
}

func newMachine(name string) *machine {
	return &machine{birth: devices.Machine{Name: name, Marker: -1}, tags: map[string]*tag{}, alarms: map[string]string{}}
}

func (m *machine) born(b devices.Machine) { m.birth = b }

// read takes a reading. Only good numbers are part of the trend.
func (m *machine) read(v devices.Reading) {
	t := m.tags[v.Tag]
	if t == nil {
		t = &tag{}
		m.tags[v.Tag] = t
	}
	t.reading = v
	if v.Number == nil || v.Quality != devices.Good {
		return
	}
	if len(t.trend) == trendLength {
		t.trend = slices.Delete(t.trend, 0, 1)
	}
	t.trend = append(t.trend, *v.Number)
}

// alarm takes an alarm that the machine raised. One that a limit made is in its tag's reading as well.
func (m *machine) alarm(a devices.Alarm) {
	if a.Active {
		m.alarms[a.Tag] = a.Text
	} else {
		delete(m.alarms, a.Tag)
	}
}

// scene is the machine as it is drawn: its tags by name.
func (m *machine) scene() scene.Machine {
	out := scene.Machine{Machine: m.birth, Tags: make([]scene.Tag, 0, len(m.tags))}
	for _, name := range slices.Sorted(maps.Keys(m.tags)) {
		t := m.tags[name]
		r := t.reading
		if r.Alarm == "" && m.alarms[name] != "" {
			r.Alarm = "active"
		}
		out.Tags = append(out.Tags, scene.Tag{Reading: r, Trend: slices.Clone(t.trend)})
	}
	return out
}
