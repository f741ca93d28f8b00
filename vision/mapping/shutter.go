package mapping

import (
	"slices"

	"sightline/vision/geom"
)

// level corrects observations for their rows being read at other times than the middle one.
func (m *Mapper) level(seen []Observation) { correct(seen, m.readout) }

// correct corrects observations for so many seconds more, and says whether that changed any.
func correct(seen []Observation, seconds float64) (changed bool) {
	for i, o := range seen {
		seen[i].N = o.N.Sub(o.Roll.Scale(seconds))
		changed = changed || o.Roll != geom.Vec2{}
	}
	return changed
}

// SetReadout makes the maps what they are where reading a picture takes so many seconds. It is called where Begin and
// Insert are: through Post, or in step with them.
func (m *Mapper) SetReadout(seconds float64) {
	more := seconds - m.readout
	m.readout = seconds
	worlds := m.dormant
	if m.active != nil {
		worlds = append(slices.Clip(worlds), m.active)
	}
	for _, w := range worlds {
		w.expose(more)
	}
	if m.active != nil {
		m.measureScale()
		m.publish()
	}
}

// expose corrects what a world has seen for so many seconds more of reading a picture, and adjusts all of it.
func (w *world) expose(seconds float64) {
	changed := false
	for i, k := range w.frames {
		n := *k
		n.Seen = slices.Clone(k.Seen)
		n.Doubted = slices.Clone(k.Doubted)
		changed = correct(n.Seen, seconds) || changed
		correct(n.Doubted, seconds)
		w.frames[i] = &n
	}
	if changed {
		w.adjust(len(w.frames) - 1)
	}
}
