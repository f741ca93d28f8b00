package track

import (
	"slices"

	"sightline/vision/mapping"
)

// Save returns what is worth keeping of the maps and the marks until the next visit. It waits for the mapper.
func (t *Tracker) Save() mapping.Saved {
	var saved mapping.Saved
	var names []string
	t.onMapper(true, func() { saved.Worlds, names = t.cfg.Mapper.Save() })
	if s := t.cfg.Mapper.Snapshot(); s != nil {
		t.takeSnapshot()
		for _, id := range t.order { // marks in the unit that their map was saved in
			if a := t.anchors[id]; a.world == s.World {
				a.rescale(s)
			}
		}
	}
	for _, id := range t.order {
		a := t.anchors[id]
		w := slices.Index(names, a.world)
		if a.State != Placed || w < 0 {
			continue
		}
		a.loosen(0) // that was as seen from here
		m := mapping.SavedMark{ID: id, World: w}
		for _, p := range a.Points {
			m.Points = append(m.Points, mapping.SavedPoint(p))
		}
		saved.Marks = append(saved.Marks, m)
	}
	return saved
}

// Recall takes what an earlier visit kept. Its marks are hidden until their place is seen again.
func (t *Tracker) Recall(s mapping.Saved) {
	var names []string
	t.onMapper(true, func() { names = t.cfg.Mapper.Recall(s.Worlds) })
	if len(names) < len(s.Worlds) {
		return // the mapper has ended
	}
	for _, m := range s.Marks {
		a := &anchor{Placement: Placement{ID: m.ID, State: Placed, Map: names[m.World], Metric: s.Worlds[m.World].Metric, Changed: 1}}
		a.world, a.unit = names[m.World], 1
		if a.Metric {
			a.Map = mapping.MetricName(a.world)
		}
		for _, p := range m.Points {
			a.Points = append(a.Points, Point(p))
		}
		t.put(a)
	}
}
