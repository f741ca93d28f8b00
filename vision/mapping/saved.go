package mapping

import (
	"maps"
	"slices"

	"sightline/vision/geom"
	"sightline/vision/reloc"
)

// Saved is what is kept of the maps of a machine from one visit to the next. There are no pictures in it.
type Saved struct {
	Machine string // whose maps these are
	Worlds  []SavedWorld
	Marks   []SavedMark
}

// SavedWorld is one connected map.
type SavedWorld struct {
	Metric    bool
	Keyframes []Keyframe
	Landmarks []SavedLandmark // in the order of their IDs
}

// SavedLandmark is a point of the map and what it looks like.
type SavedLandmark struct {
	ID FeatureID
	Landmark
	Looks []reloc.Descriptor
}

// SavedMark is a mark that was placed in one of the worlds.
type SavedMark struct {
	ID    string
	World int // index into Worlds
	// Body is what the mark is, in the words of who drew it; nobody here reads it.
	Body   string
	Points []SavedPoint
}

// SavedPoint is one point of a mark in its world, and the normal of its surface.
type SavedPoint struct {
	geom.Spot
	Normal geom.Vec3
}

// With returns the maps and the marks of both: of two visits that did not know of each other. Of a mark that both have,
// this one's stays. Their worlds are joined when their place is seen again.
func (s Saved) With(o Saved) Saved {
	out := Saved{Machine: s.Machine, Worlds: slices.Concat(s.Worlds, o.Worlds), Marks: slices.Clone(s.Marks)}
	for _, m := range o.Marks {
		if !slices.ContainsFunc(s.Marks, func(has SavedMark) bool { return has.ID == m.ID }) {
			m.World += len(s.Worlds)
			out.Marks = append(out.Marks, m)
		}
	}
	return out
}

// leastSaved is the fewest key frames of a world that is worth keeping.
const leastSaved = 3

// Save returns all maps, and the names of their worlds one for one. Call it where Insert is called.
func (m *Mapper) Save() (saved []SavedWorld, names []string) {
	all := slices.Clone(m.dormant)
	if m.active != nil {
		all = append(all, m.active)
	}
	for _, w := range all {
		if len(w.frames) >= leastSaved {
			saved, names = append(saved, w.save()), append(names, w.name)
		}
	}
	return saved, names
}

func (w *world) save() SavedWorld {
	out := SavedWorld{Metric: w.metric}
	for _, k := range w.frames {
		n := *k
		n.Seen = slices.DeleteFunc(slices.Clone(k.Seen), func(o Observation) bool { _, has := w.points[o.ID]; return !has })
		out.Keyframes = append(out.Keyframes, n)
	}
	for _, id := range slices.Sorted(maps.Keys(w.points)) {
		out.Landmarks = append(out.Landmarks, SavedLandmark{ID: id, Landmark: w.points[id], Looks: thin(w.looks.Of(int64(id)), looksOfOne)})
	}
	return out
}

// thin takes so many of a list, evenly.
func thin[T any](all []T, most int) []T {
	if len(all) <= most {
		return all
	}
	out := make([]T, most)
	for i := range out {
		out[i] = all[i*len(all)/most]
	}
	return out
}

// Recall takes maps of an earlier visit, which wait to be seen again, and returns the names they have now,
// one for one. Features and key frames get new names; the corners of markers keep theirs.
func (m *Mapper) Recall(saved []SavedWorld) (names []string) {
	for _, s := range saved {
		m.worlds++
		w := newWorld(worldName(m.worlds), m.focal)
		w.metric = s.Metric
		fresh := map[FeatureID]FeatureID{}
		for _, l := range s.Landmarks {
			id := l.ID
			if id > 0 {
				id = m.NewID()
			}
			fresh[l.ID], w.points[id] = id, l.Landmark
			for _, d := range l.Looks {
				w.looks.Add(int64(id), d)
			}
		}
		for _, k := range s.Keyframes {
			m.recalled++
			n := Keyframe{Captured: -m.recalled, PoseCW: k.PoseCW}
			for _, o := range k.Seen {
				if id, has := fresh[o.ID]; has {
					o.ID = id
					n.Seen = append(n.Seen, o)
				}
			}
			w.frames = append(w.frames, &n)
		}
		m.dormant = append(m.dormant, w)
		names = append(names, w.name)
	}
	m.known.Store(int32(len(m.dormant)))
	return names
}
