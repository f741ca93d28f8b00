package mapping

import (
	"image"
	"math"
	"slices"

	"sightline/vision/geom"
	"sightline/vision/solve"
)

// Query is a picture whose place is asked for.
type Query struct {
	Seen []Observation // as many of its corners as can be had
	Grey *image.Gray
}

// Recognition is the answer: where the camera was in the active map, and which landmarks the features of
// the query are.
type Recognition struct {
	World  string
	PoseCW geom.Pose
	Pairs  map[FeatureID]FeatureID
}

// Limits of knowing a place again. All must hold, so that a place is never taken for another.
const (
	// leastMatches is the fewest matches that RANSAC is asked about, leastInliers the fewest that must agree.
	leastMatches, leastInliers = 12, 12
	// guideReach is how far, in pixels, a feature may be from where the pose puts the landmark it looks like.
	guideReach = 6.0
	// guideMost is in how many bits the two may differ then: where they are speaks for them already.
	guideMost = 72
	// leastKnown is how many features must be known again in the end, and leastShare which share of those that
	// fall on a landmark: at another place that looks alike in parts, the rest of the view speaks against it. Of 182 true
	// returns on simulated plants 99 % had a share of 0.56 or more; the one false return had 0.51.
	leastKnown = 25
	leastShare = 0.55
	// leastSeen is which share of the landmarks that should be in the picture must be found in it. Many are
	// hidden behind others or are no corners from there; but where hardly any is, the place is another. A large map has more
	// landmarks in view than a picture has features: where mostSeen of those are landmarks, that many are enough.
	leastSeen, mostSeen = 0.15, 0.5
	// apart is how far apart two landmarks are different places, as a share of their distance from the origin.
	apart = 0.02
)

// Recognise looks for a picture's place in all maps. The map it is found in becomes the active one.
func (m *Mapper) Recognise(q Query) (Recognition, bool) {
	p := Proposal{Seen: slices.Clone(q.Seen), Grey: q.Grey}
	m.describe(&p)
	m.level(p.Seen)
	all := slices.Clone(m.dormant)
	if m.active != nil {
		all = append(all, m.active)
	}
	slices.Reverse(all) // the newest first
	for _, w := range all {
		pose, pairs, ok := m.find(w, &p, nil)
		if !ok {
			continue
		}
		if w != m.active {
			m.wake(w)
		}
		return Recognition{World: w.name, PoseCW: pose, Pairs: pairs}, true
	}
	return Recognition{}, false
}

// wake makes a waiting world the active one.
func (m *Mapper) wake(w *world) {
	m.forget(w)
	m.Park()
	m.active = w
	m.publish()
}

// find looks for a picture in one world, among the landmarks that skip does not leave out: first by looks
// alone, then, with the pose that they agree on, for all landmarks that should be in view.
func (m *Mapper) find(w *world, p *Proposal, skip map[FeatureID]bool) (geom.Pose, map[FeatureID]FeatureID, bool) {
	if m.cfg.PoseFinder == nil || len(p.Looks) == 0 {
		return geom.Pose{}, nil, false
	}
	accept := func(id int64) bool {
		_, has := w.points[FeatureID(id)]
		return has && !skip[FeatureID(id)]
	}
	others := func(a, b int64) bool {
		x, y := w.at(a), w.at(b)
		return !(x.Sub(y).Norm() < apart*x.Norm())
	}
	var world []geom.Vec3
	var seen []geom.Vec2
	for i, ds := range p.Looks {
		if id, ok := w.looks.Best(ds, accept, others); ok {
			world, seen = append(world, w.at(id)), append(seen, p.Seen[i].N)
		}
	}
	if len(world) < leastMatches {
		return geom.Pose{}, nil, false
	}
	pose, _, ok, err := m.cfg.PoseFinder.PnP(world, seen, 4/m.focal)
	if err != nil || !ok {
		return geom.Pose{}, nil, false
	}
	s := make([]solve.Sighting, len(world))
	for i := range world {
		s[i] = solve.Sighting{P: world[i], N: seen[i], Sigma: 2}
	}
	res := solve.Pose(pose, s, m.focal)
	if res.Inliers < leastInliers || res.Cov == nil {
		return geom.Pose{}, nil, false
	}
	return m.confirm(w, p, res.PoseCW, accept)
}

// confirm compares every landmark that a pose puts into the picture with the features beside it.
func (m *Mapper) confirm(w *world, p *Proposal, pose geom.Pose, accept func(int64) bool) (geom.Pose, map[FeatureID]FeatureID, bool) {
	var res solve.PoseResult
	var s []solve.Sighting
	pairs := map[FeatureID]FeatureID{}
	for range 2 { // the second time from the better pose
		near, inView := m.nearest(w, p, pose, accept)
		s = s[:0]
		clear(pairs)
		beside := 0
		for i, c := range near {
			if c.landmark == 0 {
				continue
			}
			beside++
			if c.distance <= guideMost {
				s = append(s, solve.Sighting{P: w.points[c.landmark].P, N: p.Seen[i].N, Sigma: 1.5})
				pairs[p.Seen[i].ID] = c.landmark
			}
		}
		if !enough(len(s), beside, inView, len(p.Seen)) {
			return pose, nil, false
		}
		if res = solve.Pose(pose, s, m.focal); res.Inliers < leastKnown || res.Cov == nil {
			return pose, nil, false
		}
		pose = res.PoseCW
	}
	for _, o := range p.Seen {
		if id, has := pairs[o.ID]; has && solve.ReprojectionPx(pose, w.points[id].P, o.N, m.focal) > 4 {
			delete(pairs, o.ID)
		}
	}
	return pose, pairs, len(pairs) >= leastKnown
}

// enough says whether so many features that are known again make a place known, where so many fall on any landmark, so many
// landmarks should be in view, and the picture has so many features.
func enough(known, beside, inView, features int) bool {
	return known >= leastKnown && float64(known) >= leastShare*float64(beside) &&
		float64(known) >= math.Min(leastSeen*float64(inView), mostSeen*float64(features))
}

// beside is the landmark near a feature that looks most like it.
type beside struct {
	landmark FeatureID
	distance int
}

// nearest finds for every feature of a picture the landmark beside it that looks most like it, where a
// pose is taken to be right, and counts the landmarks that should be in view.
func (m *Mapper) nearest(w *world, p *Proposal, pose geom.Pose, accept func(int64) bool) (out []beside, inView int) {
	const cell = 2 * guideReach
	type square [2]int
	at := make([]geom.Vec2, len(p.Seen))
	grid := map[square][]int{}
	for i, o := range p.Seen {
		at[i], _ = m.cfg.Camera.Project(geom.Vec3{o.N[0], o.N[1], 1})
		if len(p.Looks[i]) > 0 {
			c := square{int(at[i][0] / cell), int(at[i][1] / cell)}
			grid[c] = append(grid[c], i)
		}
	}
	out = make([]beside, len(p.Seen))
	for id, l := range w.points {
		px, front := m.cfg.Camera.Project(pose.Apply(l.P))
		if !front || !m.cfg.Camera.Contains(px, 0) || !accept(int64(id)) {
			continue
		}
		inView++
		c := square{int(px[0] / cell), int(px[1] / cell)}
		for dy := -1; dy <= 1; dy++ {
			for dx := -1; dx <= 1; dx++ {
				for _, i := range grid[square{c[0] + dx, c[1] + dy}] {
					if at[i].Sub(px).Norm() > guideReach {
						continue
					}
					d := w.looks.Distance(int64(id), p.Looks[i])
					if d < 256 && (out[i].landmark == 0 || d < out[i].distance || d == out[i].distance && id < out[i].landmark) {
						out[i] = beside{id, d}
					}
				}
			}
		}
	}
	return out, inView
}

// newest is how many key frames back a landmark was not seen for its sight to be a return.
const newest = 12

// lookEvery is the least time in microseconds between two looks for a return: comparing a picture with all maps
// takes as long as adjusting this one, and a loop may well be closed a little later.
const lookEvery = 300_000

// revisit looks whether the newest key frame shows a place that is known: in a waiting map, which is then
// joined, or in a part of this map that was left long ago.
func (m *Mapper) revisit(p *Proposal) {
	if p.Captured-m.looked < lookEvery {
		return
	}
	m.looked = p.Captured
	for _, w := range slices.Backward(m.dormant) {
		if pose, pairs, ok := m.find(w, p, nil); ok && m.join(w, p, pose, pairs) {
			return
		}
	}
	w := m.active
	if len(w.frames) <= newest {
		return
	}
	recent := map[FeatureID]bool{}
	for _, k := range w.frames[len(w.frames)-newest:] {
		for _, o := range k.Seen {
			recent[o.ID] = true
		}
	}
	if pose, pairs, ok := m.find(w, p, recent); ok {
		m.close(w, p, pose, pairs)
	}
}

// join makes the active world part of one that waited. The newest key frame was found there at pose, with
// the features of pairs. False where the two do not agree on how long a metre is.
func (m *Mapper) join(w *world, p *Proposal, pose geom.Pose, pairs map[FeatureID]FeatureID) bool {
	a := m.active
	last := a.frames[len(a.frames)-1]
	scale, ok := depthRatio(a, last.PoseCW, w, pose, pairs)
	if !ok || a.metric && w.metric && math.Abs(math.Log(scale)) > math.Log(mostScale) {
		return false
	}
	by := geom.SimilarityOf(last.PoseCW, pose, scale)
	a.move(by)
	w.moves = append(append(w.moves, a.moves...), Move{From: a.name, Unit: a.unit, By: by})
	w.frames = append(w.frames, a.frames...)
	for id, l := range a.points {
		if _, has := w.points[id]; !has { // markers' corners are in both
			w.points[id] = l
		}
	}
	a.looks.Each(w.looks.Add)
	w.observe(p, pairs)
	m.forget(w)
	m.active = w
	if a.metric && !w.metric {
		w.rescale(1 / scale)
		w.metric = true
	}
	w.adjust(window)
	for len(w.frames) > maxKeyframes {
		w.cull()
	}
	m.cfg.Logger.Info("two maps joined", "known", len(pairs), "scale", scale, "keyframes", len(w.frames))
	return true
}

// mostScale is by which factor two metric maps may differ in length and still be of one place.
const mostScale = 1.1

// observe notes that the newest key frame saw the landmarks that its features were found to be.
func (w *world) observe(p *Proposal, pairs map[FeatureID]FeatureID) {
	var more []Observation
	for _, o := range p.Seen {
		if id, has := pairs[o.ID]; has {
			o.ID = id
			more = append(more, o)
		}
	}
	last := len(w.frames) - 1
	w.frames[last] = w.frames[last].with(more...)
}

// depthRatio is how many units of world w one of world a is: the median over the features that are
// landmarks in both of the ratio of their depths. False where they are few or disagree.
func depthRatio(a *world, poseA geom.Pose, w *world, poseW geom.Pose, pairs map[FeatureID]FeatureID) (float64, bool) {
	var r []float64
	for f, id := range pairs {
		if l, has := a.points[f]; has {
			za, zw := poseA.Apply(l.P)[2], poseW.Apply(w.points[id].P)[2]
			if za > 0 && zw > 0 {
				r = append(r, zw/za)
			}
		}
	}
	if len(r) < leastInliers {
		return 0, false
	}
	slices.Sort(r)
	lo, mid, hi := r[len(r)/4], r[len(r)/2], r[len(r)*3/4]
	return mid, hi-lo < 0.2*mid
}

// driftPx is by how many pixels a map may have drifted for the adjustment alone to draw it together. Bending
// it by one key frame's word does harm where the drift is small: on a simulated tour with a drift of 6 px it
// made 7 % of the marks wrong that are shown, and left to the adjustment 1.6 %.
const driftPx = 24.0

// Limits of what a map may have drifted between two sights of a place. Odometry drifts by 1 to 2 % of its way
// (Mur-Artal and Tardos, ORB-SLAM2, 2017); what asks for much more is another place that looks alike.
const (
	mostDriftOfWay = 0.1 // of the way since, and as much again of the distance to what is seen, for turns on the spot
	mostDriftTurn  = 0.1 // radians
	mostDriftScale = 1.25
)

// plausible says whether a map may have drifted so much since the key frame that saw the place last.
func (w *world) plausible(by geom.Similarity, from int) bool {
	way := 0.0
	for i := from + 1; i < len(w.frames); i++ {
		way += w.frames[i].PoseCW.Centre().Sub(w.frames[i-1].PoseCW.Centre()).Norm()
	}
	last := w.frames[len(w.frames)-1].PoseCW
	moved := by.Apply(last.Centre()).Sub(last.Centre()).Norm()
	return moved < mostDriftOfWay*(way+w.medianDepth(last)) && geom.LogSO3(by.R).Norm() < mostDriftTurn && math.Abs(math.Log(by.S)) < math.Log(mostDriftScale)
}

// close draws a world together where a place that was left long ago is seen again: the key frames since
// then move, each by its share of the drift, and all are adjusted.
func (m *Mapper) close(w *world, p *Proposal, pose geom.Pose, pairs map[FeatureID]FeatureID) {
	last := w.frames[len(w.frames)-1]
	drift := m.driftOf(w, last.PoseCW, p, pairs)
	scale, ok := depthRatio(w, last.PoseCW, w, pose, pairs)
	if drift > driftPx {
		known := knownOf(pairs)
		by, from := geom.SimilarityOf(last.PoseCW, pose, scale), w.lastSeen(known)
		if !ok || !w.plausible(by, from) {
			m.cfg.Logger.Info("a place looks like one seen before, but is too far from it", "drift_px", drift, "known", len(pairs))
			return
		}
		w.bend(by, from, known)
	}
	w.observe(p, pairs)
	if drift > driftPx {
		w.adjust(len(w.frames) - 1)
		m.cfg.Logger.Info("loop closed", "drift_px", drift, "known", len(pairs), "scale", scale)
	} else {
		w.adjust(window)
	}
}

// driftOf is the median distance in pixels between where a pose puts known landmarks and where they are seen.
func (m *Mapper) driftOf(w *world, pose geom.Pose, p *Proposal, pairs map[FeatureID]FeatureID) float64 {
	var d []float64
	for _, o := range p.Seen {
		if id, has := pairs[o.ID]; has {
			d = append(d, solve.ReprojectionPx(pose, w.points[id].P, o.N, m.focal))
		}
	}
	slices.Sort(d)
	return d[len(d)/2]
}

// lastSeen is the key frame that saw any of the known landmarks last, before the newest few.
func (w *world) lastSeen(known map[FeatureID]bool) int {
	for i := len(w.frames) - newest - 1; i > 0; i-- {
		if slices.ContainsFunc(w.frames[i].Seen, func(o Observation) bool { return known[o.ID] }) {
			return i
		}
	}
	return 0
}

func knownOf(pairs map[FeatureID]FeatureID) map[FeatureID]bool {
	known := map[FeatureID]bool{}
	for _, id := range pairs {
		known[id] = true
	}
	return known
}

// bend spreads a correction of the newest key frame over those since key frame `from`, which saw the place last.
func (w *world) bend(by geom.Similarity, from int, known map[FeatureID]bool) {
	n := len(w.frames) - 1
	turn := geom.LogSO3(by.R)
	moved := map[FeatureID]bool{}
	for i := from + 1; i <= n; i++ {
		share := float64(i-from) / float64(n-from)
		s := geom.Similarity{S: math.Pow(by.S, share), R: geom.ExpSO3(turn.Scale(share)), T: by.T.Scale(share)}
		k := *w.frames[i]
		for _, o := range k.Seen {
			if l, has := w.points[o.ID]; has && !moved[o.ID] && !known[o.ID] {
				l.P, l.Cov = s.Apply(l.P), s.ApplyCov(l.Cov)
				w.points[o.ID], moved[o.ID] = l, true
			}
		}
		k.PoseCW = s.ApplyPose(k.PoseCW)
		w.frames[i] = &k
	}
}
