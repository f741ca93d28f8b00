package track

import (
	"math"
	"slices"

	"sightline/vision/geom"
	"sightline/vision/mapping"
)

// keyframePolicy decides when a frame is worth keeping; making it one stands apart (maybeKeyframe).
type keyframePolicy struct {
	world        string
	poseCW       geom.Pose
	unit         float64
	captured     int64
	landmarks    int
	depth        float64
	wantsCorners bool
}

// Limits of the policy.
const (
	// stepShare is the baseline that makes a new view, as a share of the scene's depth: 4 % is 2.3 degrees
	// of parallax, twice what a landmark needs.
	stepShare = 0.04
	// turnStep is the turn of the camera that does, in radians: a tenth of a usual field of view.
	turnStep = 0.1
	// lossShare is the share of the last key frame's landmarks below which new ones are needed.
	lossShare = 0.6
	// leastGap is the time between key frames in microseconds that leaves the mapper its breath, and urgentShare
	// the share of the last key frame's landmarks below which there is no time for that.
	leastGap    = 100_000
	urgentShare = 0.45
)

func (k *keyframePolicy) made(t *Tracker, f *frame) {
	*k = keyframePolicy{world: f.world, poseCW: f.poseCW, unit: f.unit, captured: f.captured, landmarks: t.countLandmarks(f),
		depth: t.medianDepth(f), wantsCorners: true}
}

// wants says whether the frame shows enough that the map has not seen.
func (k *keyframePolicy) wants(f *frame, landmarks int) bool {
	was := frame{poseCW: k.poseCW, unit: k.unit}
	step := f.poseCW.Centre().Sub(was.scaledTo(f.unit).Centre()).Norm()
	turn := geom.LogSO3(f.poseCW.R.Mul(k.poseCW.R.Transpose())).Norm()
	depth := k.depth * f.unit / k.unit
	if f.captured-k.captured < leastGap {
		return turn > 2*turnStep || float64(landmarks) < urgentShare*float64(k.landmarks)
	}
	return step > stepShare*depth || turn > turnStep || float64(landmarks) < lossShare*float64(k.landmarks)
}

func (t *Tracker) maybeKeyframe(f *frame) {
	if !t.policy.wants(f, t.countLandmarks(f)) {
		return
	}
	p := mapping.Proposal{Captured: f.captured, PoseCW: f.poseCW, Seen: t.observations(f), Flow: f.flow, Grey: f.grey}
	world, unit, mapper := t.snapshot.World, t.snapshot.Unit, t.cfg.Mapper
	taken := t.onMapper(false, func() {
		// Where the map has become part of another one since, the pose is of a world that is no more.
		if now := mapper.Snapshot(); now != nil && now.World == world {
			p.PoseCW.T = p.PoseCW.T.Scale(now.Unit / unit)
			mapper.Insert(p)
		}
	})
	if taken {
		t.keep[f.captured] = f
		t.policy.made(t, f)
	}
}

// medianDepth is the median depth of the landmarks that a frame sees.
func (t *Tracker) medianDepth(f *frame) float64 {
	var z []float64
	for _, ft := range f.features {
		if l, has := t.snapshot.Landmarks[ft.id]; has {
			z = append(z, f.poseCW.Apply(l.P)[2])
		}
	}
	if len(z) == 0 {
		return 1
	}
	slices.Sort(z)
	return z[len(z)/2]
}

// nearestKeyframe is the key frame of the map whose view is most like a pose's, of those whose picture
// is at hand.
func (t *Tracker) nearestKeyframe(pose geom.Pose, depth float64) (*mapping.Keyframe, *frame) {
	var best *mapping.Keyframe
	score := math.Inf(1)
	for _, k := range t.snapshot.Keyframes {
		if t.keep[k.Captured] == nil {
			continue
		}
		turn := geom.LogSO3(k.PoseCW.R.Mul(pose.R.Transpose())).Norm()
		step := k.PoseCW.Centre().Sub(pose.Centre()).Norm() / depth
		if s := turn + step; s < score {
			best, score = k, s
		}
	}
	if best == nil {
		return nil, nil
	}
	return best, t.keep[best.Captured]
}

// takeSnapshot looks whether the mapper has a newer map, and lets go the pictures of key frames that
// are no longer in it.
func (t *Tracker) takeSnapshot() {
	s := t.cfg.Mapper.Snapshot()
	if s == nil || t.snapshot == s {
		return
	}
	t.snapshot = s
	if s.Readout != t.cam.Readout {
		t.setReadout(s.Readout)
	}
	t.moveTo(s)
	t.letGo(s)
	if t.last != nil && t.last.tracked {
		t.relocateLast()
	}
}

// keptPictures bounds the pictures of key frames of all worlds.
const keptPictures = 130

// letGo forgets the pictures of key frames that are no longer in their world, and the oldest of other
// worlds where there are too many.
func (t *Tracker) letGo(s *mapping.Snapshot) {
	in := map[int64]bool{}
	newest := int64(0)
	for _, k := range s.Keyframes {
		in[k.Captured] = true
		newest = max(newest, k.Captured)
	}
	var elsewhere []int64
	for c, f := range t.keep {
		switch {
		case f.world != s.World:
			elsewhere = append(elsewhere, c)
		case !in[c] && c < newest:
			t.dropKept(c)
		}
	}
	slices.Sort(elsewhere)
	for _, c := range elsewhere[:max(0, min(len(elsewhere), len(t.keep)-keptPictures))] {
		t.dropKept(c)
	}
}

func (t *Tracker) dropKept(captured int64) {
	f := t.keep[captured]
	if !slices.Contains(t.history, f) && f != t.last {
		f.drop()
	}
	delete(t.keep, captured)
}

// relocateLast brings the last frame's pose into the new map, so that the prediction starts from it.
func (t *Tracker) relocateLast() {
	if t.last.world == t.snapshot.World && t.last.unit != t.snapshot.Unit {
		t.last.put(t.last.scaledTo(t.snapshot.Unit), t.snapshot.Unit, t.last.world)
	}
}

// moveTo takes what is remembered of worlds that have become part of this one along: frames, and marks.
func (t *Tracker) moveTo(s *mapping.Snapshot) {
	for _, m := range s.Moves {
		for _, f := range t.history {
			f.move(m, s)
		}
		for _, f := range t.faded {
			f.move(m, s)
		}
		for _, f := range t.keep {
			f.move(m, s)
		}
		if t.last != nil {
			t.last.move(m, s)
		}
		for _, id := range t.order {
			t.anchors[id].move(m, s)
		}
		if t.policy.world == m.From {
			t.policy = keyframePolicy{world: s.World, captured: t.policy.captured, unit: s.Unit, depth: 1, wantsCorners: true}
		}
	}
}

// move takes a frame's pose into the world that its own became part of.
func (f *frame) move(m mapping.Move, s *mapping.Snapshot) {
	if f.world != m.From {
		return
	}
	grown := m.By.S * m.Unit // as lengths are by the move
	f.twist, f.step = f.inUnit(f.twist, grown), f.inUnit(f.step, grown)
	f.poseCW, f.unit, f.world = m.By.ApplyPose(f.scaledTo(m.Unit)), s.Unit, s.World
}
