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
	stageCount
)

// String names the stage.
func (s Stage) String() string {
	return [...]string{"pyramid", "map", "flow", "pose", "corners", "anchors"}[s]
}

// Stages is the time that each stage took of the last frame. The pose stage contains the corners.
type Stages [stageCount]time.Duration

func (s *Stages) start(stage Stage) (done func()) {
	begun := time.Now()
	return func() { s[stage] += time.Since(begun) }
}

// Stages returns the times of the last frame, and begins again.
func (t *Tracker) Stages() Stages {
	s := t.times
	t.times = Stages{}
	return s
}
