package mapping

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"sightline/vision/geom"
	"sightline/vision/reloc"
	"sightline/vision/solve"
)

// world is one connected map: everything in it is in one frame of reference. The mapper's goroutine owns it.
type world struct {
	name   string
	focal  float64
	frames []*Keyframe // in the order they came
	points map[FeatureID]Landmark
	unit   float64
	metric bool
	looks  *reloc.Index
	// looksMost is at how many descriptors they are thinned out.
	looksMost int
	moves     []Move
}

func newWorld(name string, focal float64) *world {
	return &world{name: name, focal: focal, points: map[FeatureID]Landmark{}, unit: 1, looks: &reloc.Index{}, looksMost: mostLooks}
}

// qualified changes with the unit, so that an anchor in the old unit is never drawn in the new one.
func (w *world) qualified() string {
	if w.metric {
		return MetricName(w.name)
	}
	return w.name
}

// MetricName is the name of a world once it is in metres.
func MetricName(world string) string { return world + "-metres" }

// views gathers, for every feature that wanted accepts, the key frames that see it.
func (w *world) views(wanted func(FeatureID) bool) map[FeatureID][]solve.View {
	by := map[FeatureID][]solve.View{}
	for _, k := range w.frames {
		for _, o := range k.Seen {
			if wanted(o.ID) {
				by[o.ID] = append(by[o.ID], solve.View{PoseCW: k.PoseCW, N: o.N})
			}
		}
	}
	return by
}

// triangulate makes landmarks of the features that have parallax and whose views agree.
func (w *world) triangulate() {
	missing := w.views(func(id FeatureID) bool { _, has := w.points[id]; return !has })
	for id, v := range missing {
		if len(v) < 2 || solve.Parallax(v) < minParallax {
			continue
		}
		p, cov, ok := solve.Triangulate(v, w.focal)
		if ok && w.agrees(v, p) {
			w.points[id] = Landmark{P: p, Cov: cov, Views: len(v)}
		}
	}
}

func (w *world) agrees(views []solve.View, p geom.Vec3) bool {
	for _, v := range views {
		if solve.ReprojectionPx(v.PoseCW, p, v.N, w.focal) > maxReprojection {
			return false
		}
	}
	return true
}

// redundantShare is the share of a key frame's landmarks that three others see from which it is of no more use
// (Mur-Artal et al., ORB-SLAM, 2015).
const redundantShare = 0.9

// cull keeps memory bounded. Past the limit the newest key frame goes that is of no more use: the old ones hold the world
// in its place, and without them it would wander under the marks, a little with every window that is adjusted. Where
// all are of use, that goes whose landmarks the others see best.
func (w *world) cull() {
	if len(w.frames) <= maxKeyframes {
		return
	}
	count := w.sights()
	best, share := 1, -1.0
	for i := len(w.frames) - window - 1; i > 0 && share < redundantShare; i-- {
		k, redundant := w.frames[i], 0
		for _, o := range k.Seen {
			if count[o.ID] > 3 {
				redundant++
			}
		}
		if s := float64(redundant) / float64(len(k.Seen)+1); s > share {
			best, share = i, s
		}
	}
	w.frames = slices.Delete(slices.Clone(w.frames), best, best+1)
	w.dropUnseen()
}

// sights counts the key frames that see each feature.
func (w *world) sights() map[FeatureID]int {
	count := make(map[FeatureID]int, len(w.points))
	for _, k := range w.frames {
		for _, o := range k.Seen {
			count[o.ID]++
		}
	}
	return count
}

// dropUnseen removes the landmarks that fewer than two key frames see, and now and then what they look like.
func (w *world) dropUnseen() {
	count := w.sights()
	maps.DeleteFunc(w.points, func(id FeatureID, _ Landmark) bool { return count[id] < 2 })
	if w.looks.Len() >= w.looksMost {
		w.thinLooks()
	}
}

// thinLooks forgets what landmarks that are gone looked like, and of the others all but a few views and scales.
func (w *world) thinLooks() {
	kept := &reloc.Index{}
	for _, id := range slices.Sorted(maps.Keys(w.points)) {
		for _, d := range thin(w.looks.Of(int64(id)), looksOfOne) {
			kept.Add(int64(id), d)
		}
	}
	w.looks = kept
	w.looksMost = max(mostLooks, 2*w.looks.Len())
}

func (w *world) medianDepth(poseCW geom.Pose) float64 {
	var z []float64
	for _, l := range w.points {
		z = append(z, poseCW.Apply(l.P)[2])
	}
	slices.Sort(z)
	return z[len(z)/2]
}

// rescale multiplies all lengths of the world by s.
func (w *world) rescale(s float64) {
	w.move(geom.Similarity{S: s, R: geom.Identity3})
	w.unit *= s
}

// move takes the whole world elsewhere.
func (w *world) move(s geom.Similarity) {
	for i, k := range w.frames {
		n := *k
		n.PoseCW = s.ApplyPose(n.PoseCW)
		w.frames[i] = &n
	}
	for id, l := range w.points {
		l.P, l.Cov = s.Apply(l.P), s.ApplyCov(l.Cov)
		w.points[id] = l
	}
	for i := range w.moves {
		w.moves[i].By = s.Mul(w.moves[i].By)
	}
}

// at returns where a landmark is; NaN where there is none.
func (w *world) at(id int64) geom.Vec3 {
	if l, has := w.points[FeatureID(id)]; has {
		return l.P
	}
	return geom.Vec3{math.NaN(), math.NaN(), math.NaN()}
}

// learn remembers what the landmarks of a key frame look like.
func (w *world) learn(p Proposal) {
	for i, o := range p.Seen {
		if i < len(p.Looks) {
			for _, d := range p.Looks[i] {
				w.looks.Add(int64(o.ID), d)
			}
		}
	}
}

func (w *world) snapshot(version int, markers map[int][4]geom.Vec3) *Snapshot {
	return &Snapshot{
		Version: version, World: w.name, Name: w.qualified(), Unit: w.unit, Metric: w.metric,
		Keyframes: slices.Clone(w.frames), Landmarks: maps.Clone(w.points), Links: w.links(), Markers: markers, Moves: slices.Clone(w.moves),
	}
}

func worldName(serial int) string { return fmt.Sprintf("w%d", serial) }
