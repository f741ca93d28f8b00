package track

import (
	"fmt"
	"image"
	"math"
	"slices"

	"sightline/vision"
	"sightline/vision/geom"
	"sightline/vision/mapping"
	"sightline/vision/solve"
)

func (t *Tracker) prepare(grey *image.Gray, captured int64) (*frame, error) {
	defer t.times.start(StagePyramid)()
	b := grey.Bounds()
	if b.Dx() != t.cam.Width || b.Dy() != t.cam.Height {
		return nil, fmt.Errorf("picture of %dx%d pixels, but the camera model is for %dx%d: give the camera.txt of this source or its field of view", b.Dx(), b.Dy(), t.cam.Width, t.cam.Height)
	}
	if t.last != nil && captured <= t.last.captured {
		return nil, fmt.Errorf("frame of %d µs after one of %d µs: capture times must grow", captured, t.last.captured)
	}
	g := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		i := grey.PixOffset(b.Min.X, b.Min.Y+y)
		copy(g.Pix[y*g.Stride:(y+1)*g.Stride], grey.Pix[i:i+b.Dx()])
	}
	p, err := t.cfg.Imager.Prepare(g)
	if err != nil {
		return nil, err
	}
	return &frame{captured: captured, grey: g, picture: p}, nil
}

// picture returns the prepared picture of a frame that may have had to make room for newer ones.
func (t *Tracker) picture(f *frame) (Picture, error) {
	if f.picture == nil {
		p, err := t.cfg.Imager.Prepare(f.grey)
		if err != nil {
			return nil, err
		}
		f.picture = p
	}
	return f.picture, nil
}

// follow finds the last frame's features in this one.
func (t *Tracker) follow(f *frame) error {
	defer t.times.start(StageFlow)()
	if t.last == nil || len(t.last.features) == 0 {
		return nil
	}
	before, err := t.picture(t.last)
	if err != nil {
		return err
	}
	at := make([]geom.Vec2, len(t.last.features))
	for i, ft := range t.last.features {
		at[i] = ft.px
	}
	found, ok, err := t.flowFrom(before, f.picture, at, t.guesses(f))
	if err != nil {
		return err
	}
	if count(ok) < int(followedShare*float64(len(ok))) {
		if shift, alike := t.align(before, f.picture); alike {
			guess := make([]geom.Vec2, len(at))
			for i, px := range at {
				guess[i] = px.Add(shift)
			}
			again, okAgain, err := t.flowBothWays(before, f.picture, at, guess, mostHalvings)
			if err != nil {
				return err
			}
			if count(okAgain) > count(ok) {
				found, ok = again, okAgain
			}
		}
	}
	from := at[:0]
	for i, ft := range t.last.features {
		if ok[i] {
			from = append(from, ft.px)
			ft.px = found[i]
			f.features = append(f.features, ft)
		}
	}
	t.takeFlow(f, from)
	return nil
}

func count(ok []bool) int {
	n := 0
	for _, v := range ok {
		if v {
			n++
		}
	}
	return n
}

// How often the pictures are halved to begin with, where points are followed.
const (
	// mostHalvings is for guesses that may be off by tens of pixels, and backHalvings for the way back, whose guess is
	// where it should end: with the finest scale alone more return that should not.
	mostHalvings = 3
	backHalvings = 1
	// surpriseLimit is up to how many pixels guesses were off a frame ago for the finest scale to be enough, which
	// reaches ten. It takes 0.6 of the time, and in three simulated plants 6.2, 8.8 and 8.6 % of the features are more
	// than 3 px off after 30 frames, where 6.0, 7.9 and 8.7 are without it.
	surpriseLimit = 4.0
)

// flowFrom follows points from their guesses: where the last ones were good at the finest scale first, and only what
// is not found there from the coarsest on.
func (t *Tracker) flowFrom(from, to Picture, at, guess []geom.Vec2) (found []geom.Vec2, ok []bool, err error) {
	if t.surprise > surpriseLimit {
		found, ok, err = t.flowBothWays(from, to, at, guess, mostHalvings)
	} else if found, ok, err = t.flowBothWays(from, to, at, guess, 0); err == nil {
		err = t.flowLost(from, to, at, guess, found, ok)
	}
	t.surprise = surprise(guess, found, ok)
	return found, ok, err
}

// flowLost follows those that are not ok from the coarsest scale on.
func (t *Tracker) flowLost(from, to Picture, at, guess, found []geom.Vec2, ok []bool) error {
	var lost []int
	var lostAt, lostGuess []geom.Vec2
	for i := range ok {
		if !ok[i] {
			lost, lostAt, lostGuess = append(lost, i), append(lostAt, at[i]), append(lostGuess, guess[i])
		}
	}
	again, okAgain, err := t.flowBothWays(from, to, lostAt, lostGuess, mostHalvings)
	if err != nil {
		return err
	}
	for k, i := range lost {
		found[i], ok[i] = again[k], okAgain[k]
	}
	return nil
}

// surprise is by how many pixels nine in ten of the points that were found were guessed wrong at most.
func surprise(guess, found []geom.Vec2, ok []bool) float64 {
	var off []float64
	for i := range ok {
		if ok[i] {
			off = append(off, found[i].Sub(guess[i]).Norm())
		}
	}
	if len(off) == 0 {
		return math.Inf(1)
	}
	slices.Sort(off)
	return off[len(off)*9/10]
}

// flowBothWays follows points forth and back, and keeps those that return to where they started.
func (t *Tracker) flowBothWays(from, to Picture, at, guess []geom.Vec2, halvings int) ([]geom.Vec2, []bool, error) {
	found, ok, err := t.cfg.Imager.Flow(from, to, at, guess, halvings)
	if err != nil {
		return nil, nil, err
	}
	back, okBack, err := t.cfg.Imager.Flow(to, from, found, at, backHalvings)
	if err != nil {
		return nil, nil, err
	}
	for i := range ok {
		ok[i] = ok[i] && okBack[i] && back[i].Sub(at[i]).Norm() < returnLimit && t.cam.Contains(found[i], 4)
	}
	return found, ok, nil
}

// guesses says where each feature of the last frame should be now: landmarks by the predicted pose, all
// others by the predicted turn of the camera.
func (t *Tracker) guesses(f *frame) []geom.Vec2 {
	out := make([]geom.Vec2, len(t.last.features))
	for i, ft := range t.last.features {
		out[i] = ft.px
	}
	if t.state != vision.Tracking || !t.last.tracked {
		return out
	}
	pred := t.predict(f)
	turn := pred.R.Mul(t.last.poseCW.R.Transpose())
	for i, ft := range t.last.features {
		c := turn.MulVec(geom.Vec3{ft.n[0], ft.n[1], 1})
		if l, has := t.snapshot.Landmarks[ft.id]; has {
			c = pred.Apply(l.P)
		}
		// It will have rolled about as far as it had.
		if px, ok := t.cam.Project(c); ok && t.cam.Contains(px, 0) {
			out[i] = px.Add(ft.roll.Scale(t.focal * t.cam.Readout))
		}
	}
	return out
}

// predict says where the camera should be now, if it went on moving as between the last two frames.
func (t *Tracker) predict(f *frame) geom.Pose {
	p := t.last.poseCW
	n := len(t.history)
	if n < 2 || !t.history[n-2].tracked || t.history[n-2].world != t.last.world {
		return p
	}
	before := t.history[n-2]
	dt, prev := float64(f.captured-t.last.captured), float64(t.last.captured-before.captured)
	if prev <= 0 || dt > 4*prev {
		return p
	}
	step := p.Mul(before.scaledTo(t.last.unit).Inverse())
	k := math.Min(dt/prev, 2)
	return geom.Pose{R: geom.ExpSO3(geom.LogSO3(step.R).Scale(k)), T: step.T.Scale(k)}.Mul(p)
}

// put gives the frame a pose in a world, and its motion the unit of that.
func (f *frame) put(poseCW geom.Pose, unit float64, world string) {
	f.twist, f.step = f.inUnit(f.twist, unit), f.inUnit(f.step, unit)
	f.stepped = f.stepped && f.world == world
	f.poseCW, f.unit, f.world = poseCW, unit, world
}

// scaledTo returns the frame's pose in another unit of the same world.
func (f *frame) scaledTo(unit float64) geom.Pose {
	p := f.poseCW
	if f.unit > 0 {
		p.T = p.T.Scale(unit / f.unit)
	}
	return p
}

// sightings are the features of a frame that are landmarks of the map, and their indices.
func (t *Tracker) sightings(f *frame) ([]solve.Sighting, []int) {
	if t.snapshot == nil {
		return nil, nil
	}
	s := make([]solve.Sighting, 0, len(f.features))
	at := make([]int, 0, len(f.features))
	for i, ft := range f.features {
		if l, has := t.snapshot.Landmarks[ft.id]; has {
			s = append(s, solve.Sighting{P: l.P, N: ft.n, Sigma: t.sightingSigma(f, l)})
			at = append(at, i)
		}
	}
	return s, at
}

// sightingSigma is the standard deviation in pixels of where a landmark is seen: of the following, and of the
// landmark where the camera has moved against the views that it is known from.
func (t *Tracker) sightingSigma(f *frame, l mapping.Landmark) float64 {
	near := t.last
	if near == nil || !near.tracked || near.world != t.snapshot.World {
		return sigmaPx
	}
	c := near.poseCW.Apply(l.P)
	if c[2] <= 0 {
		return sigmaPx
	}
	r := near.poseCW.R
	spread := measureSigma * t.cam.SpreadPx(c, r.Mul(l.Cov).Mul(r.Transpose()))
	return math.Hypot(sigmaPx, math.Min(spread, mostSpread))
}

// mostSpread bounds, in pixels, by how much a landmark's own error makes it count for less.
const mostSpread = 4.0

// locate takes the pose of a frame from its landmarks, started from a prediction; false where they do
// not agree on one. Features that disagree twice are given up.
func (t *Tracker) locate(f *frame, start geom.Pose) bool {
	s, at := t.sightings(f)
	res, ok := t.solvePose(s, start)
	if !ok {
		return false
	}
	t.setPose(f, res)
	t.takeTwist(f)
	for k, i := range at {
		if res.Inlier[k] {
			f.features[i].strikes = 0
		} else {
			f.features[i].strikes++
		}
	}
	kept := f.features[:0]
	for _, ft := range f.features {
		if ft.strikes < 2 {
			kept = append(kept, ft)
		}
	}
	f.features = kept
	return true
}

// solvePose refines from the prediction and, where that fails, from RANSAC.
func (t *Tracker) solvePose(s []solve.Sighting, start geom.Pose) (solve.PoseResult, bool) {
	if len(s) < minInliers {
		return solve.PoseResult{}, false
	}
	good := func(r solve.PoseResult) bool {
		return r.Inliers >= minInliers && 2*r.Inliers >= len(s) && r.Cov != nil
	}
	res := solve.Pose(start, s, t.focal)
	if good(res) {
		return res, true
	}
	world, seen := make([]geom.Vec3, len(s)), make([]geom.Vec2, len(s))
	for i, o := range s {
		world[i], seen[i] = o.P, o.N
	}
	p, _, ok, err := t.cfg.Solver.PnP(world, seen, 3*sigmaPx/t.focal)
	if err != nil || !ok {
		return res, false
	}
	again := solve.Pose(p, s, t.focal)
	return again, again.Inliers >= minInliers && 3*again.Inliers >= len(s) && again.Cov != nil
}

func (t *Tracker) setPose(f *frame, res solve.PoseResult) {
	f.put(res.PoseCW, t.snapshot.Unit, t.snapshot.World)
	f.tracked, f.cov, f.rms = true, res.Cov, res.RMS
}

func (t *Tracker) countLandmarks(f *frame) int {
	n := 0
	for _, ft := range f.features {
		if _, has := t.snapshot.Landmarks[ft.id]; has {
			n++
		}
	}
	return n
}

// poseSigmaPx is the standard deviation of where the pose puts a point in the middle of the view at the
// landmarks' mean depth, from the pose's covariance scaled by the residuals it left, and of the map where
// it is thin.
func (t *Tracker) poseSigmaPx(f *frame) float64 {
	z, n, settled := 0.0, 0, 0
	for _, ft := range f.features {
		if l, has := t.snapshot.Landmarks[ft.id]; has {
			z += f.poseCW.Apply(l.P)[2]
			n++
			if l.Views >= settledViews {
				settled++
			}
		}
	}
	if n == 0 || f.cov == nil {
		return 0
	}
	z /= float64(n)
	// A point c = (0,0,z) moves by w×c + v = (w_y·z + v_x, -w_x·z + v_y, …).
	x := f.cov[7]*z*z + f.cov[21] + 2*z*f.cov[9]
	y := f.cov[0]*z*z + f.cov[28] - 2*z*f.cov[4]
	sigma := t.focal / z * math.Sqrt(math.Max(x, y))
	sigma = math.Max(sigma*math.Max(f.rms/sigmaPx, 0.3), 0.1)
	thin := math.Max(0, 1-float64(settled)/settledLeast)
	return math.Hypot(sigma, thinPx*thin)
}

// A landmark that two or three key frames see agrees with their poses, whatever these are: its error shows in no
// residual. Those with settledViews have been contradicted by nobody. With fewer than settledLeast of
// them the map right here may be off by thinPx and not know it; what it is off by on the way is apart (wander). Of a
// head that walks by 4 degrees a frame half the frames have fewer than 20, of one that works before a machine all have
// more than 140.
const (
	settledViews = 4
	settledLeast = 40.0
	thinPx       = 4.0
)

// replenish finds new corners where there are too few features, away from those there are.
func (t *Tracker) replenish(f *frame) error {
	if len(f.features) >= targetFeatures/2 && !t.policy.wantsCorners {
		return nil
	}
	t.policy.wantsCorners = false
	return t.fill(f, targetFeatures)
}

// fill adds corners until a frame has so many features.
func (t *Tracker) fill(f *frame, most int) error {
	defer t.times.start(StageCorners)()
	taken := make([]geom.Vec2, len(f.features))
	for i, ft := range f.features {
		taken[i] = ft.px
	}
	fresh, err := t.cfg.Imager.Corners(f.picture, taken, most-len(taken), float64(t.cam.Width)/50)
	if err != nil {
		return err
	}
	for _, px := range fresh {
		ft := t.glimpse(f, px)
		ft.id = t.newID()
		f.features = append(f.features, ft)
	}
	return nil
}

func (t *Tracker) newID() mapping.FeatureID { return t.cfg.Mapper.NewID() }
