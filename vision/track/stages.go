package track

import "time"

// Stage is one part of the work on a frame.
type Stage int

// The stages, in the order of the work.
const (
	StagePyramid Stage = iota
	StageMap
	StageFlow
	StagePose
	StageCorners
	StageAnchors
	StageBeside
	stageCount
)

// String names the stage.
func (s Stage) String() string {
	return [...]string{"pyramid", "map", "flow", "pose", "corners", "anchors", "beside"}[s]
}

// Stages is the time that each stage took of the last frame. The pose stage contains the corners. What is done beside
// the frames, on other goroutines, takes no time of them; of a tracker that maps in step it is StageBeside, and no
// other stage contains it.
type Stages [stageCount]time.Duration

func (s *Stages) start(stage Stage) (done func()) {
	begun, beside := time.Now(), s[StageBeside]
	return func() { s[stage] += time.Since(begun) - (s[StageBeside] - beside) }
}

// Stages returns the times of the last frame, and begins again.
func (t *Tracker) Stages() Stages {
	s := t.times
	t.times = Stages{}
	return s
}
