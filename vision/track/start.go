package track

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"sync"

	"sightline/vision/geom"
	"sightline/vision/mapping"
	"sightline/vision/solve"
)

// starter waits, from a reference frame, for a second view that has parallax.
type starter struct {
	reference *frame
	tried     int64 // capture time of the last try
}

// Limits of the start.
const (
	// startShift is the median shift of the features, as a share of the picture's width, from which a
	// start is worth trying.
	startShift = 0.025
	// startParallax is the median angle between the rays of the two views, in radians (1.2 degrees):
	// below, the depths of the first map are noise.
	startParallax = 0.021
	// startRMS is the residual, in pixels, that a right start may leave: features are followed to a few tenths.
	startRMS = 0.7
	// startMargin is how much more a second hypothesis must leave before the first is believed.
	startMargin = 1.15
	// tryEvery is the least time between two tries, in microseconds: a try costs two RANSACs.
	tryEvery = 30_000
)

// tryStart starts a map if this frame and the reference have enough parallax. It refuses quietly: the
// reason tells what is waited for.
func (t *Tracker) tryStart(f *frame) error {
	ref := t.starter.reference
	if ref == nil || len(ref.features) < mapping.MinLandmarks {
		t.starter.reference = f
		t.reason = "looking for texture"
		return nil
	}
	a, b, ids := pairs(ref, f)
	if len(ids) < mapping.MinLandmarks || 3*len(ids) < len(ref.features) {
		t.starter.reference = f
		t.reason = "looking for texture"
		return nil
	}
	t.reason = "waiting for parallax: move sideways"
	if medianShift(a, b)*t.focal < startShift*float64(t.cam.Width) || f.captured-t.starter.tried < tryEvery {
		return nil
	}
	t.starter.tried = f.captured
	views := t.between(ref, f, ids)
	st, ok, err := t.decide(views)
	if err != nil || !ok {
		return err
	}
	return t.begin(views, st, f)
}

// pairs are the features that two frames share, in normalized coordinates.
func pairs(x, y *frame) (a, b []geom.Vec2, ids []mapping.FeatureID) {
	in := make(map[mapping.FeatureID]geom.Vec2, len(x.features))
	for _, ft := range x.features {
		in[ft.id] = ft.n
	}
	for _, ft := range y.features {
		if n, has := in[ft.id]; has {
			a, b, ids = append(a, n), append(b, ft.n), append(ids, ft.id)
		}
	}
	return a, b, ids
}

func medianShift(a, b []geom.Vec2) float64 {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i].Sub(b[i]).Norm()
	}
	slices.Sort(d)
	return d[len(d)/2]
}

// view is one frame of a start: what it saw of the shared points, nil where it did not.
type view struct {
	frame *frame
	seen  []*geom.Vec2
}

// between picks the reference, up to four frames after it, and the newest, with what each saw of the
// points that the two ends share. Views in between tell apart what two views alone leave open.
func (t *Tracker) between(ref, f *frame, ids []mapping.FeatureID) []view {
	frames := []*frame{ref}
	i := slices.Index(t.history, ref)
	if i >= 0 {
		inner := t.history[i+1:]
		step := max(1, len(inner)/5)
		for k := step; k < len(inner) && len(frames) < 5; k += step {
			frames = append(frames, inner[k])
		}
	}
	frames = append(frames, f)
	views := make([]view, len(frames))
	for k, fr := range frames {
		at := make(map[mapping.FeatureID]*geom.Vec2, len(fr.features))
		for i := range fr.features {
			at[fr.features[i].id] = &fr.features[i].n
		}
		views[k] = view{frame: fr, seen: make([]*geom.Vec2, len(ids))}
		for i, id := range ids {
			views[k].seen[i] = at[id]
		}
	}
	return views
}

// start is a hypothesis adjusted over all its views.
type start struct {
	poses    []geom.Pose
	parallax float64 // median angle between the rays of the two ends, radians
	rms      float64 // px
}

// decide adjusts every motion that fits the two ends over all views, and takes the one that leaves the
// least error. It refuses where another motion leaves nearly as little, or where the winner has too
// little parallax (a turn on the spot).
func (t *Tracker) decide(views []view) (best start, ok bool, err error) {
	a, b := ends(views)
	motions, err := t.cfg.Solver.Motions(a, b, 1.0/t.focal)
	if err != nil {
		return best, false, err
	}
	each := make([]*start, len(motions))
	var tasks sync.WaitGroup // each takes as long as a frame
	for i, m := range motions {
		tasks.Go(func() {
			if s, ok := t.adjustStart(views, m.PoseBA); ok {
				each[i] = &s
			}
		})
	}
	tasks.Wait()
	var all []start
	for _, s := range each {
		if s != nil {
			all = append(all, *s)
		}
	}
	if len(all) == 0 {
		return best, false, nil
	}
	slices.SortFunc(all, func(x, y start) int { return cmp.Compare(x.rms, y.rms) })
	best = all[0]
	for _, other := range all[1:] {
		if !alike(other.last(), best.last()) && other.rms < startMargin*best.rms {
			return best, false, nil
		}
	}
	return best, best.parallax > startParallax && best.rms < startRMS, nil
}

func (s start) last() geom.Pose { return s.poses[len(s.poses)-1] }

// ends are the shared points in the first and in the last view.
func ends(views []view) (a, b []geom.Vec2) {
	last := views[len(views)-1]
	for i, n := range views[0].seen {
		a, b = append(a, *n), append(b, *last.seen[i])
	}
	return a, b
}

// alike says whether two motions are the same but for noise: within 1.5 degrees of turn and 15 of heading.
func alike(p, q geom.Pose) bool {
	turn := geom.LogSO3(p.R.Mul(q.R.Transpose())).Norm()
	return turn < 0.026 && p.T.Unit().Dot(q.T.Unit()) > 0.966
}

// adjustStart triangulates between the two ends, finds the views in between, and adjusts them all.
func (t *Tracker) adjustStart(views []view, poseBA geom.Pose) (start, bool) {
	last := len(views) - 1
	p := solve.Bundle{Focal: t.focal, HuberPx: 1, Poses: make([]geom.Pose, len(views)), Fixed: make([]bool, len(views))}
	p.Poses[0], p.Poses[last], p.Fixed[0] = geom.IdentityPose, poseBA, true
	var index []int // of the bundle's points among the shared ones
	for i, n := range views[0].seen {
		v := []solve.View{{PoseCW: geom.IdentityPose, N: *n}, {PoseCW: poseBA, N: *views[last].seen[i]}}
		x, _, ok := solve.Triangulate(v, t.focal)
		if ok && solve.ReprojectionPx(geom.IdentityPose, x, v[0].N, t.focal) < 2 && solve.ReprojectionPx(poseBA, x, v[1].N, t.focal) < 2 {
			p.Points, index = append(p.Points, x), append(index, i)
		}
	}
	if len(index) < mapping.MinLandmarks || 2*len(index) < len(views[0].seen) {
		return start{}, false
	}
	for k, v := range views {
		var s []solve.Sighting
		for j, i := range index {
			if n := v.seen[i]; n != nil {
				p.Obs = append(p.Obs, solve.BundleObs{Pose: k, Point: j, N: *n})
				s = append(s, solve.Sighting{P: p.Points[j], N: *n, Sigma: 2})
			}
		}
		if k != 0 && k != last {
			p.Poses[k] = solve.Pose(p.Poses[k-1], s, t.focal).PoseCW
		}
	}
	_, cost := p.Run(15)
	return t.judge(views, &p, index, cost)
}

// judge counts what an adjusted start explains. The scale is free: the last view is put at distance one.
func (t *Tracker) judge(views []view, p *solve.Bundle, index []int, cost float64) (start, bool) {
	last := len(views) - 1
	base := p.Poses[last].T.Norm()
	if base < 1e-9 {
		return start{}, false
	}
	var angles []float64
	for j, i := range index {
		if p.Points[j][2] > 0 && p.Poses[last].Apply(p.Points[j])[2] > 0 {
			angles = append(angles, solve.Parallax([]solve.View{
				{PoseCW: p.Poses[0], N: *views[0].seen[i]}, {PoseCW: p.Poses[last], N: *views[last].seen[i]}}))
		}
	}
	if len(angles) < mapping.MinLandmarks || 10*len(angles) < 9*len(index) {
		return start{}, false
	}
	slices.Sort(angles)
	for k := range p.Poses {
		p.Poses[k].T = p.Poses[k].T.Scale(1 / base)
	}
	return start{poses: p.Poses, parallax: angles[len(angles)/2], rms: math.Sqrt(cost / float64(2*len(p.Obs)))}, true
}

var errMapperEnded = errors.New("the mapper has ended")

// begin makes the first map of the views of a start.
func (t *Tracker) begin(views []view, st start, f *frame) error {
	proposals := make([]mapping.Proposal, len(views))
	for k, v := range views {
		proposals[k] = mapping.Proposal{Captured: v.frame.captured, PoseCW: st.poses[k], Seen: t.observations(v.frame), Flow: v.frame.flow, Grey: v.frame.grey}
	}
	err := errMapperEnded
	t.onMapper(true, func() { err = t.cfg.Mapper.Begin(proposals) })
	if err != nil {
		t.cfg.Logger.Debug("start refused", "err", err)
		t.starter.reference = f
		return nil
	}
	t.takeSnapshot()
	for _, v := range views {
		v.frame.put(t.snapshot.Keyframe(v.frame.captured).PoseCW, t.snapshot.Unit, t.snapshot.World)
		t.keep[v.frame.captured] = v.frame
	}
	if !t.locate(f, t.snapshot.Keyframe(f.captured).PoseCW) {
		t.onMapper(true, t.cfg.Mapper.Park)
		t.snapshot = nil
		t.starter.reference = f
		return nil
	}
	t.policy.made(t, f)
	t.cfg.Logger.Info("map started", "landmarks", len(t.snapshot.Landmarks), "metric", t.snapshot.Metric,
		"parallax_deg", st.parallax*180/math.Pi, "rms_px", st.rms)
	return nil
}

// observations are the features of a frame as the mapper takes them.
func (t *Tracker) observations(f *frame) []mapping.Observation {
	out := make([]mapping.Observation, len(f.features))
	for i := range f.features {
		ft := &f.features[i]
		out[i] = mapping.Observation{ID: ft.id, N: t.raw(ft), Roll: ft.roll}
	}
	return out
}

// onMapper runs f where the mapper runs: here, or on its own goroutine. With wait it returns when f is
// done; without, it may be dropped where the mapper is too busy, and says so.
func (t *Tracker) onMapper(wait bool, f func()) bool {
	if t.cfg.Sync {
		if !wait {
			defer t.times.start(StageBeside)()
		}
		f()
		return true
	}
	if wait {
		return t.cfg.Mapper.Call(f)
	}
	return t.cfg.Mapper.Post(f)
}
