package scene

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"sightline/annotate"
	"sightline/devices"
	"sightline/vision/geom"
)

// Sizes of a machine's panel.
const (
	panelWidth  = 236
	panelHead   = 30
	panelRow    = 34
	panelPad    = 12
	titleSize   = 15
	nameSize    = 14
	valueSize   = 20
	unitSize    = 13
	maxRows     = 5
	panelRadius = 11
)

// pin draws the panel of a machine's tags with a leader to its point.
func (s *stage) pin(id string, at geom.Vec2, m *annotate.Mark, c color.NRGBA) {
	p := s.pen
	machine := s.machine(m.Machine)
	rows := pickRows(machine)
	h := panelHead + panelRow*float64(max(1, len(rows))) + 6
	box := s.spot(id, at, panelWidth*p.s, h*p.s)
	tint := c
	switch worst(machine) {
	case devices.Bad:
		tint = red
	case devices.Stale:
		tint = dim
	}
	s.leader(at, box, tint)
	p.box(glass, box, panelRadius*p.s)
	p.frame(edge, box, panelRadius*p.s, 1)
	title := m.Machine
	if machine != nil {
		title = first(machine.Machine.Title, machine.Machine.Name, title)
		s.shownPanels[machine.Machine.Name] = true
	}
	x, y := box.x0+panelPad*p.s, box.y0+panelHead/2*p.s+2*p.s
	p.disc(tint, geom.Vec2{x + 4.5*p.s, y}, 4.5, 0)
	p.text(white, x+16*p.s, y, p.clip(title, titleSize, true, (panelWidth-2*panelPad-16)*p.s), titleSize, true)
	top := box.y0 + panelHead*p.s
	if len(rows) == 0 {
		p.text(dim, x, top+panelRow/2*p.s, "no readings yet", nameSize, false)
		return
	}
	for i, t := range rows {
		y0 := top + panelRow*float64(i)*p.s
		s.builder.drawn = append(s.builder.drawn, t.Reading)
		s.row(machine, t, rect{box.x0, y0, box.x1, y0 + panelRow*p.s})
	}
}

func (s *stage) machine(name string) *Machine {
	for i := range s.in.Machines {
		if s.in.Machines[i].Machine.Name == name {
			return &s.in.Machines[i]
		}
	}
	return nil
}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// worst is Bad with an alarm, Stale where every reading is, and Good otherwise.
func worst(m *Machine) devices.Quality {
	if m == nil || len(m.Tags) == 0 {
		return devices.Stale
	}
	stale := 0
	for _, t := range m.Tags {
		if t.Reading.Alarm != "" {
			return devices.Bad
		}
		if t.Reading.Quality == devices.Stale {
			stale++
		}
	}
	if stale == len(m.Tags) {
		return devices.Stale
	}
	return devices.Good
}

// pickRows returns the tags to show in their order: all with an alarm, and others while there is room.
func pickRows(m *Machine) []*Tag {
	if m == nil {
		return nil
	}
	alarms := 0
	for _, t := range m.Tags {
		if t.Reading.Alarm != "" {
			alarms++
		}
	}
	room := max(0, maxRows-alarms)
	var rows []*Tag
	for i := range m.Tags {
		t := &m.Tags[i]
		if t.Reading.Alarm == "" {
			if room == 0 {
				continue
			}
			room--
		}
		if len(rows) < maxRows {
			rows = append(rows, t)
		}
	}
	return rows
}

// row draws one tag: name, trend, value and unit, on red where it is an alarm, in grey where it is stale.
func (s *stage) row(m *Machine, t *Tag, r rect) {
	p := s.pen
	def := m.Machine.Tags[t.Reading.Tag]
	nameColour, valueColour, unitColour, lineColour := muted, white, muted, trend
	alarm := t.Reading.Alarm != ""
	stale := t.Reading.Quality == devices.Stale
	switch {
	case alarm && !stale:
		p.box(redBar, rect{r.x0 + 5*p.s, r.y0 + 2*p.s, r.x1 - 5*p.s, r.y1 - 2*p.s}, 6*p.s)
		nameColour, unitColour, lineColour = white, white, white
	case stale:
		nameColour, valueColour, unitColour, lineColour = dim, dim, dim, dim
	case t.Reading.Quality == devices.Bad || t.Reading.Quality == devices.Uncertain:
		valueColour = amber
	}
	y := (r.y0 + r.y1) / 2
	left, right := r.x0+panelPad*p.s, r.x1-panelPad*p.s
	unit := first(t.Reading.Unit, def.Unit)
	value := p.clip(Value(t.Reading), valueSize, true, 96*p.s)
	uw := p.measure(unit, unitSize, false)
	vw := p.measure(value, valueSize, true)
	x := right - uw
	if unit != "" {
		p.text(unitColour, x, y+2*p.s, unit, unitSize, false)
		x -= 4 * p.s
	}
	x -= vw
	p.text(valueColour, x, y, value, valueSize, true)
	name := first(def.Title, t.Reading.Tag)
	second := alarmWord(t.Reading.Alarm)
	if stale {
		second = "stale, " + Age(s.in.Now-t.Reading.Arrived)
	} else if t.Reading.Quality == devices.Bad || t.Reading.Quality == devices.Uncertain {
		second = string(t.Reading.Quality)
	}
	room := x - left - 6*p.s
	if second != "" {
		p.text(nameColour, left, y-6.5*p.s, p.clip(name, nameSize, false, room), nameSize, false)
		p.text(nameColour, left, y+8*p.s, p.clip(second, 12, true, room), 12, true)
		return
	}
	const spark = 46
	// A name that can be read is worth more than a trend.
	if len(t.Trend) > 1 && room > (spark+8)*p.s+p.measure(name, nameSize, false) {
		s.spark(t.Trend, rect{x - (spark+8)*p.s, y - 8*p.s, x - 8*p.s, y + 8*p.s}, lineColour)
		room -= (spark + 8) * p.s
	}
	p.text(nameColour, left, y, p.clip(name, nameSize, false, room), nameSize, false)
}

func alarmWord(alarm string) string {
	switch alarm {
	case "":
		return ""
	case "high":
		return "TOO HIGH"
	case "low":
		return "TOO LOW"
	}
	return "ALARM"
}

// spark draws a trend into a box: its range is its own.
func (s *stage) spark(values []float64, r rect, c color.NRGBA) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	if !(hi >= lo) {
		return
	}
	span := max(hi-lo, 1e-9, 0.01*max(math.Abs(hi), math.Abs(lo)))
	mid := (lo + hi) / 2
	p := s.pen
	start := len(p.arena)
	step := max(1, (len(values)-1)/sparkPoints)
	for i := 0; i < len(values); i += step {
		v := values[i]
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		x := r.x0 + (r.x1-r.x0)*float64(i)/float64(len(values)-1)
		y := (r.y0+r.y1)/2 - (r.y1-r.y0)*(v-mid)/span
		p.arena = append(p.arena, geom.Vec2{x, y})
	}
	line := p.arena[start:len(p.arena):len(p.arena)]
	if len(line) < 2 {
		return
	}
	p.add(Item{Kind: Line, Points: line, Width: 2 * p.s, Colour: c})
	p.disc(c, line[len(line)-1], 2.6, 0)
}

// sparkPoints is about how many points of a trend are drawn.
const sparkPoints = 24

// Value is a reading as people read it, without its unit.
func Value(r devices.Reading) string {
	switch {
	case r.Number != nil:
		return number(*r.Number)
	case r.Text != nil:
		return *r.Text
	case r.Flag != nil && *r.Flag:
		return "ON"
	case r.Flag != nil:
		return "OFF"
	}
	return "–"
}

// number has about three figures that say something.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case a >= 1e6:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// Age is a time in microseconds as people say it.
func Age(micros int64) string {
	switch s := max(0, micros) / 1_000_000; {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 2*3600:
		return fmt.Sprintf("%d min", s/60)
	default:
		return fmt.Sprintf("%d h", s/3600)
	}
}
