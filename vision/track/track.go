// Package track finds where the camera is in every frame, and where in the world a mark belongs.
//
// A Tracker follows features from frame to frame, takes the camera's pose from those that are landmarks
// of the map, proposes key frames to the mapper, and keeps two seconds of frames, and for half a minute what was seen in
// them, so that a mark can be placed as of the frame it was drawn on. It is owned by one goroutine.
package track

import (
	"image"
	"log/slog"
	"math"
	"time"

	"sightline/vision"
	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/mapping"
	"sightline/vision/stereo"
)

// Picture is a picture prepared for following features. Close frees it.
type Picture interface{ Close() }

// Motion is one hypothesis of how the camera moved from a picture A to a picture B: poseBA takes A's
// camera frame to B's, with a translation of length one. Inlier tells which pairs agree.
type Motion struct {
	PoseBA geom.Pose
	Inlier []bool
}

// Imager follows features (implemented by vision/opencv).
type Imager interface {
	Prepare(g *image.Gray) (Picture, error)
	// Flow follows points (pixels) from one picture to another, each from its guess, beginning where the pictures are
	// halved so many times: guesses may be off by about ten pixels, doubled with each.
	Flow(from, to Picture, at, guess []geom.Vec2, halvings int) (found []geom.Vec2, ok []bool, err error)
	// Corners returns up to most corners, at least distance pixels apart and from those taken.
	Corners(p Picture, taken []geom.Vec2, most int, distance float64) ([]geom.Vec2, error)
	// Small returns the picture at an eighth of its size.
	Small(p Picture) *image.Gray
}

// Solver finds poses among outliers (implemented by vision/opencv). Coordinates are normalized, and so
// are thresholds.
type Solver interface {
	Motions(a, b []geom.Vec2, threshold float64) ([]Motion, error)
	PnP(world []geom.Vec3, seen []geom.Vec2, threshold float64) (poseCW geom.Pose, inlier []bool, ok bool, err error)
}

// Config is what a Tracker needs.
type Config struct {
	Camera camera.Model
	Imager Imager
	Solver Solver
	Mapper *mapping.Mapper
	// Sync maps in step with the frames, on the tracker's goroutine, so that a run repeats exactly.
	Sync   bool
	Logger *slog.Logger
	// History is for how long a frame is kept with its picture; 0 means two seconds.
	History time.Duration
}

// Tracker is the state machine. All methods are called from one goroutine.
type Tracker struct {
	cfg   Config
	cam   camera.Model // with the readout that was found
	focal float64

	state    vision.State
	reason   string
	snapshot *mapping.Snapshot
	last     *frame  // the frame before this one
	surprise float64 // px, see surprise
	history  []*frame
	faded    []*faded         // older than the history, without pictures
	keep     map[int64]*frame // key frames of the map, by capture time
	answers  chan answer      // of the mapper, to where a picture was taken
	asked    int64            // capture time of the last question
	starter  starter
	panorama panorama
	policy   keyframePolicy
	seen     int64 // capture time of the last frame whose pose was known
	anchors  map[string]*anchor
	order    []string
	budget   int // how many surfaces may still be measured in this frame

	surveys, surveyed chan survey         // to Survey and back
	surveying         int                 // under way
	finder            *stereo.Rangefinder // that of a tracker that measures in step
	times             Stages
}

// feature is a point that is being followed.
type feature struct {
	id mapping.FeatureID
	px geom.Vec2
	n  geom.Vec2 // normalized, where it is when the middle row is read
	// roll is by how much that is off from where it was seen for each second that reading the picture takes.
	roll geom.Vec2
	// strikes counts the frames in a row in which it disagreed with the pose.
	strikes int
}

// frame is a picture and what was seen in it. Once it is in the history, only poseCW, unit and world
// are written, with what is in that unit, when the map moves, and features where the readout or their motion is found.
type frame struct {
	captured int64
	grey     *image.Gray
	picture  Picture // nil when it had to make room
	features []feature
	tracked  bool
	poseCW   geom.Pose
	unit     float64
	world    string
	cov      []float64
	rms      float64
	settled  int // version of the map that the pose was renewed in
	// flow is how fast the picture moves, in normalized coordinates each second, and between that from the frame before
	// to this one, where it was measured.
	flow, between geom.Affine
	moving        bool
	// twist is how the camera moves, each second, in the unit of the pose, and step that from the frame before to this
	// one, where it was measured.
	twist, step geom.Twist
	stepped     bool
}

// Tuning, in pixels where nothing else is said.
const (
	// targetFeatures is how many points are followed: enough to cover a picture of 640x480 at the least
	// distance between corners. Chosen, not yet measured as a curve.
	targetFeatures = 400
	// returnLimit is how far a point may come back from where it started when it is followed forth and back.
	returnLimit = 0.8
	// minInliers is the fewest landmarks that make a pose; six degrees of freedom want twelve
	// coordinates to check them.
	minInliers = 15
	// sigmaPx is the standard deviation of a followed feature: sub-pixel flow and the landmark's own error.
	sigmaPx = 1.0
	// giveUpAfter is how long a lost tracker looks for the place it knows before it starts a new map beside the
	// old one. The old one is still looked for, and the two are joined when it is found.
	giveUpAfter = 300 * time.Millisecond
)

// New returns a tracker that has seen nothing.
func New(cfg Config) *Tracker {
	if cfg.History == 0 {
		cfg.History = 2 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Tracker{cfg: cfg, cam: cfg.Camera, focal: cfg.Camera.Focal(),
		state: vision.Initializing, keep: map[int64]*frame{}, answers: make(chan answer, 1), asked: -askEvery, anchors: map[string]*anchor{},
		surveys: make(chan survey, mostSurveys), surveyed: make(chan survey, mostSurveys)}
}

// Track takes the next frame and says where the camera was. grey is copied; captured is in
// microseconds and must grow from frame to frame. An error means that the picture could not be used (its size is
// not the camera's); tracking goes on from the last one that could.
func (t *Tracker) Track(grey *image.Gray, captured int64) (vision.Estimate, error) {
	f, err := t.prepare(grey, captured)
	if err != nil {
		return vision.Estimate{}, err
	}
	done := t.times.start(StageMap)
	t.takeSnapshot()
	done()
	if err := t.follow(f); err != nil {
		f.drop()
		return vision.Estimate{}, err
	}
	if err := t.advance(f); err != nil {
		f.drop() // it is prepared again if it became a key frame
		return vision.Estimate{}, err
	}
	t.remember(f)
	done = t.times.start(StageAnchors)
	t.refreshAnchors(f)
	done()
	return t.estimate(f), nil
}

// advance is the whole state machine: what the tracker does with a frame whose features were followed.
func (t *Tracker) advance(f *frame) error {
	defer t.times.start(StagePose)()
	switch t.state {
	case vision.Initializing:
		if t.relocate(f) {
			t.state, t.reason = vision.Tracking, ""
			break
		}
		t.turn(f)
		if err := t.tryStart(f); err != nil {
			return err
		}
		if t.snapshot != nil && f.tracked && f.world == t.snapshot.World { // and not one that was known again a moment ago
			t.state, t.reason = vision.Tracking, ""
		}
	case vision.Tracking:
		if !t.locate(f, t.predict(f)) {
			t.state, t.reason = vision.Lost, t.whyLost(f)
		}
	case vision.Lost:
		switch {
		case t.relocate(f):
			t.state, t.reason = vision.Tracking, ""
		case f.captured-t.seen > giveUpAfter.Microseconds():
			t.restart()
		}
	}
	if t.state == vision.Tracking {
		t.seen = f.captured
		t.reacquire(f)
		t.maybeKeyframe(f)
	}
	return t.replenish(f)
}

// Close frees the pictures. The tracker must not be used afterwards.
func (t *Tracker) Close() {
	for _, f := range t.history {
		f.drop()
	}
	for _, f := range t.keep {
		f.drop()
	}
	if t.last != nil {
		t.last.drop()
	}
}

// drop frees the prepared picture; the grey one stays and can be prepared again.
func (f *frame) drop() {
	if f.picture != nil {
		f.picture.Close()
		f.picture = nil
	}
}

func (t *Tracker) estimate(f *frame) vision.Estimate {
	e := vision.Estimate{Captured: f.captured, State: t.state, Reason: t.reason}
	if t.snapshot != nil {
		e.Map, e.Metric = t.snapshot.Name, t.snapshot.Metric
	}
	switch {
	case t.state == vision.Tracking && f.tracked:
		e.PoseCW = f.poseCW
		e.Landmarks = t.countLandmarks(f)
		e.SigmaPx = t.poseSigmaPx(f)
		e.Roll = f.roll(t.cam)
	case t.state == vision.Initializing && f.tracked:
		e.Map, e.PoseCW, e.SigmaPx, e.Roll = f.world, f.poseCW, math.Max(f.rms, 0.3), f.roll(t.cam)
	}
	return e
}
