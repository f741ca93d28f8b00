package track

import (
	"cmp"
	"slices"

	"sightline/vision/geom"
	"sightline/vision/mapping"
	"sightline/vision/solve"
)

// preparedKeyframes is how many key frames stay prepared for following, beside the last two frames: a
// prepared picture of 640x480 holds 2.5 MB, a grey one 0.3 MB.
const preparedKeyframes = 8

// remember puts the frame into the history and lets go what is too old.
func (t *Tracker) remember(f *frame) {
	t.last = f
	t.history = append(t.history, f)
	oldest := f.captured - t.cfg.History.Microseconds()
	gone := 0
	for gone < len(t.history)-2 && t.history[gone].captured < oldest {
		if t.keep[t.history[gone].captured] == nil {
			t.history[gone].drop()
		}
		t.fade(t.history[gone])
		gone++
	}
	t.history = slices.Delete(t.history, 0, gone)
	t.dropPictures()
}

// fadedFor is how long, in microseconds, a frame can be drawn on after its picture was let go: an expert
// who freezes the picture takes his time. 400 features of 16 bytes are 0.2 MB for each second.
const fadedFor = 30_000_000

// faded is what is kept of a frame whose picture was let go: a mark drawn on it can still be placed among the
// landmarks it saw, only nothing can be measured in it.
type faded struct {
	frame // without picture and features
	seen  []fadedFeature
}

type fadedFeature struct {
	id mapping.FeatureID
	px [2]float32 // in pixels, to a ten-thousandth, where it is when the middle row is read
}

func (t *Tracker) fade(f *frame) {
	thin := &faded{frame: *f, seen: make([]fadedFeature, len(f.features))}
	thin.grey, thin.picture, thin.features = nil, nil, nil
	for i, ft := range f.features {
		px, _ := t.cam.Project(geom.Vec3{ft.n[0], ft.n[1], 1})
		thin.seen[i] = fadedFeature{ft.id, [2]float32{float32(px[0]), float32(px[1])}}
	}
	t.faded = append(t.faded, thin)
	gone := 0
	for t.faded[gone].captured < f.captured-fadedFor {
		gone++
	}
	t.faded = slices.Delete(t.faded, 0, gone)
}

// recalled is a faded frame as a frame again, without a picture.
func (t *Tracker) recalled(thin *faded) *frame {
	f := thin.frame
	for _, s := range thin.seen {
		px := geom.Vec2{float64(s.px[0]), float64(s.px[1])}
		f.features = append(f.features, feature{id: s.id, px: px, n: t.cam.Normalize(px)})
	}
	return &f
}

// dropPictures frees the prepared pictures that are not of the last two frames or of the newest key frames.
func (t *Tracker) dropPictures() {
	var kept []*frame
	for _, f := range t.keep {
		if f.picture != nil {
			kept = append(kept, f)
		}
	}
	slices.SortFunc(kept, func(a, b *frame) int { return cmp.Compare(b.captured, a.captured) })
	for _, f := range kept[min(len(kept), preparedKeyframes):] {
		if f != t.last {
			f.drop()
		}
	}
	for _, f := range t.history[:max(0, len(t.history)-2)] {
		if t.keep[f.captured] == nil {
			f.drop()
		}
	}
}

// find returns the frame of that name if it is still remembered.
func (t *Tracker) find(captured int64) *frame {
	if i, ok := slices.BinarySearchFunc(t.history, captured, func(f *frame, c int64) int { return cmp.Compare(f.captured, c) }); ok {
		return t.history[i]
	}
	if f := t.keep[captured]; f != nil {
		return f
	}
	if i, ok := slices.BinarySearchFunc(t.faded, captured, func(f *faded, c int64) int { return cmp.Compare(f.captured, c) }); ok {
		return t.recalled(t.faded[i])
	}
	return nil
}

// settle renews the pose of a remembered frame in the map as it is now, from what was seen in it.
func (t *Tracker) settle(f *frame) bool {
	if f.settled == t.snapshot.Version {
		return true
	}
	s, _ := t.sightings(f)
	start := t.snapshot.Keyframes[t.keyframeNear(f.captured)].PoseCW
	if f.tracked && f.world == t.snapshot.World {
		start = f.scaledTo(t.snapshot.Unit)
	}
	res, ok := t.solvePose(s, start)
	if !ok {
		return false
	}
	t.setPose(f, res)
	f.settled = t.snapshot.Version
	return true
}

// keyframeNear is the index of the key frame captured nearest in time.
func (t *Tracker) keyframeNear(captured int64) int {
	best, gap := 0, int64(1)<<62
	for i, k := range t.snapshot.Keyframes {
		if d := max(k.Captured-captured, captured-k.Captured); d < gap {
			best, gap = i, d
		}
	}
	return best
}

// residual is the reprojection error in pixels of a landmark in a remembered frame.
func (t *Tracker) residual(f *frame, p geom.Vec3, n geom.Vec2) float64 {
	return solve.ReprojectionPx(f.poseCW, p, n, t.focal)
}
