package track

import (
	"sightline/vision"
	"sightline/vision/geom"
	"sightline/vision/mapping"
	"sightline/vision/solve"
)

// Limits of finding landmarks again.
const (
	// reacquireMost is how many landmarks are looked for again in one frame: it bounds the time.
	reacquireMost = 120
	// reacquireGate is how far from its projection, in pixels, a landmark may be found: three standard
	// deviations of the pose and the patch together.
	reacquireGate = 4.0
	// relocateLeast is the fewest landmarks that must agree before a lost tracker believes a place.
	relocateLeast = 25
	// relocateTries is how many key frames are compared in one frame while lost.
	relocateTries = 3
)

// reacquire looks for landmarks that should be in view and are not being followed, with the patch of
// the nearest key frame. It undoes the drift of following, and brings back what a hand had covered.
func (t *Tracker) reacquire(f *frame) {
	k, kf := t.nearestKeyframe(f.poseCW, t.medianDepth(f))
	if k == nil || kf == f {
		return
	}
	ids, at, guess := t.missing(f, k)
	if len(ids) == 0 {
		return
	}
	from, err := t.picture(kf)
	if err != nil {
		return
	}
	found, ok, err := t.flowBothWays(from, f.picture, at, guess)
	if err != nil {
		return
	}
	for i, id := range ids {
		if ok[i] && found[i].Sub(guess[i]).Norm() < reacquireGate {
			f.features = append(f.features, feature{id: id, px: found[i], n: t.cam.Normalize(found[i])})
		}
	}
}

// missing are the landmarks of a key frame that should be in view but are not followed: where they are
// in the key frame and where they should be now, in pixels.
func (t *Tracker) missing(f *frame, k *mapping.Keyframe) (ids []mapping.FeatureID, at, guess []geom.Vec2) {
	have := make(map[mapping.FeatureID]bool, len(f.features))
	for _, ft := range f.features {
		have[ft.id] = true
	}
	for _, o := range k.Seen {
		l, has := t.snapshot.Landmarks[o.ID]
		if !has || have[o.ID] || len(ids) == reacquireMost {
			continue
		}
		px, ok := t.cam.Project(f.poseCW.Apply(l.P))
		src, okSrc := t.cam.Project(geom.Vec3{o.N[0], o.N[1], 1})
		if ok && okSrc && t.cam.Contains(px, 8) {
			ids, at, guess = append(ids, o.ID), append(at, src), append(guess, px)
		}
	}
	return ids, at, guess
}

// relocate tries to find a lost camera: first where it was, then by what key frames look like.
func (t *Tracker) relocate(f *frame) bool {
	if t.locate(f, t.last.poseCW) {
		return true
	}
	f.features = nil
	if t.cfg.Recogniser == nil || len(t.snapshot.Keyframes) == 0 {
		return false
	}
	px, err := t.cfg.Imager.Corners(f.picture, nil, targetFeatures, float64(t.cam.Width)/80)
	if err != nil || len(px) < relocateLeast {
		t.reason = "surface without texture"
		return false
	}
	t.reason = "place not known: look back at where the marks are"
	n := len(t.snapshot.Keyframes)
	for try := range min(relocateTries, n) {
		k := t.snapshot.Keyframes[(n-1-(t.lostFor*relocateTries+try)%n+n)%n]
		if t.recognise(f, k, px) {
			return true
		}
	}
	return false
}

// recognise matches the frame against one key frame, and believes it only if enough landmarks agree.
func (t *Tracker) recognise(f *frame, k *mapping.Keyframe, px []geom.Vec2) bool {
	kf := t.keep[k.Captured]
	if kf == nil {
		return false
	}
	var ids []mapping.FeatureID
	var at []geom.Vec2
	for _, o := range k.Seen {
		if _, has := t.snapshot.Landmarks[o.ID]; has {
			if p, ok := t.cam.Project(geom.Vec3{o.N[0], o.N[1], 1}); ok {
				ids, at = append(ids, o.ID), append(at, p)
			}
		}
	}
	pairs, err := t.cfg.Recogniser.Match(kf.grey, f.grey, at, px)
	if err != nil || len(pairs) < relocateLeast {
		return false
	}
	var world []geom.Vec3
	var seen []geom.Vec2
	var s []solve.Sighting
	for _, p := range pairs {
		l, n := t.snapshot.Landmarks[ids[p[0]]].P, t.cam.Normalize(px[p[1]])
		world, seen = append(world, l), append(seen, n)
		s = append(s, solve.Sighting{P: l, N: n, Sigma: 2 * sigmaPx})
	}
	pose, _, ok, err := t.cfg.Solver.PnP(world, seen, 4*sigmaPx/t.focal)
	if err != nil || !ok {
		return false
	}
	res := solve.Pose(pose, s, t.focal)
	if res.Inliers < relocateLeast || 3*res.Inliers < len(s) || res.Cov == nil {
		return false
	}
	for i, p := range pairs {
		if res.Inlier[i] {
			f.features = append(f.features, feature{id: ids[p[0]], px: px[p[1]], n: seen[i]})
		}
	}
	return t.locate(f, res.PoseCW)
}

// restart gives the map up and begins as on the first frame. Marks of the old map wait for a place.
func (t *Tracker) restart() {
	t.onMapper(true, t.cfg.Mapper.Reset)
	t.cfg.Logger.Info("place not found again: starting a new map")
	t.state, t.reason, t.snapshot = vision.Initializing, "looking for texture", nil
	t.starter, t.panorama.reference = starter{}, nil
	for c, f := range t.keep {
		f.drop()
		delete(t.keep, c)
	}
}

// whyLost says in words what made tracking fail, for the people who look at the picture.
func (t *Tracker) whyLost(f *frame) string {
	before := max(1, len(t.last.features))
	sum, n := 0, 0
	for i := 0; i < len(f.grey.Pix); i += 97 {
		sum += int(f.grey.Pix[i])
		n++
	}
	switch {
	case sum < 16*n:
		return "too dark"
	case 4*len(f.features) < before:
		return "moving too fast or view covered"
	case len(f.features) < minInliers:
		return "surface without texture"
	}
	return "place not known: look back at where the marks are"
}
