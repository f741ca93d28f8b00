package track

import (
	"sightline/vision"
	"sightline/vision/geom"
	"sightline/vision/mapping"
)

// Limits of finding landmarks again.
const (
	// reacquireMost is how many landmarks are looked for again in one frame: it bounds the time.
	reacquireMost = 120
	// reacquireGate is how far from its projection, in pixels, a landmark may be found: three standard
	// deviations of the pose and the patch together.
	reacquireGate = 4.0
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
	found, ok, err := t.flowBothWays(from, f.picture, at, guess, mostHalvings)
	if err != nil {
		return
	}
	for i, id := range ids {
		if ok[i] && found[i].Sub(guess[i]).Norm() < reacquireGate {
			ft := t.sight(found[i], f.velocityOf(t.snapshot.Landmarks[id].P))
			ft.id = id
			f.features = append(f.features, ft)
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
		px, ok := t.project(f, l.P)
		n := o.N.Add(o.Roll.Scale(t.cam.Readout))
		src, okSrc := t.cam.Project(geom.Vec3{n[0], n[1], 1})
		if ok && okSrc && t.cam.Contains(px, 8) {
			ids, at, guess = append(ids, o.ID), append(at, src), append(guess, px)
		}
	}
	return ids, at, guess
}

// answer is what the mapper said of a picture.
type answer struct {
	mapping.Recognition
	known bool
}

// askEvery is how often a lost tracker asks where it is, in microseconds: describing and comparing a picture
// costs the mapper some ten milliseconds.
const askEvery = 100_000

// relocate tries to find a camera that has lost its place, or has none yet: where it was last, or by what
// the mapper knows again. The question is answered while the features of the picture asked about are
// followed further.
func (t *Tracker) relocate(f *frame) bool {
	if t.state == vision.Lost && t.last.tracked && t.locate(f, t.last.poseCW) {
		return true
	}
	if t.ask(f) {
		return true
	}
	return t.takeAnswer(f)
}

// ask asks the mapper where a picture was taken. True where the answer came at once and was believed.
func (t *Tracker) ask(f *frame) bool {
	if f.captured-t.asked < askEvery || t.state == vision.Initializing && !t.cfg.Mapper.Knows() {
		return false
	}
	if t.state == vision.Lost {
		t.reason = "place not known: look back at where the marks are"
		f.features = nil // what was followed into the loss is worth nothing
	}
	if err := t.fill(f, targetFeatures); err != nil || len(f.features) < mapping.MinLandmarks {
		t.reason = "surface without texture"
		return false
	}
	t.asked = f.captured
	q, mapper := mapping.Query{Seen: t.observations(f), Grey: f.grey}, t.cfg.Mapper
	t.onMapper(false, func() {
		a := answer{}
		a.Recognition, a.known = mapper.Recognise(q)
		select {
		case t.answers <- a:
		default: // an older one was not fetched yet
		}
	})
	return t.takeAnswer(f)
}

// takeAnswer uses an answer of the mapper, if there is one: the features it knows become landmarks.
func (t *Tracker) takeAnswer(f *frame) bool {
	var a answer
	select {
	case a = <-t.answers:
	default:
		return false
	}
	if !a.known {
		return false
	}
	t.takeSnapshot()
	if t.snapshot == nil || t.snapshot.World != a.World {
		return false
	}
	for i, ft := range f.features {
		if id, has := a.Pairs[ft.id]; has {
			f.features[i].id = id
		}
	}
	if !t.locate(f, a.PoseCW) {
		return false
	}
	t.policy.made(t, f)
	t.cfg.Logger.Info("place known again", "map", a.World, "landmarks", len(a.Pairs))
	return true
}

// restart leaves the map for later and begins a new one beside it.
func (t *Tracker) restart() {
	t.onMapper(true, t.cfg.Mapper.Park)
	t.cfg.Logger.Info("place not found again: starting a new map beside the old one")
	t.state, t.reason, t.snapshot = vision.Initializing, "looking for texture", nil
	t.starter, t.panorama.reference = starter{}, nil
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
