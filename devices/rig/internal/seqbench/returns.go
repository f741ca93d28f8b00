package seqbench

import (
	"slices"

	"sightline/vision/geom"
)

// Returns counts how the tracker found back to a known place.
type Returns struct {
	// Right, Late and Wrong count the times that a known place came into view again after it was out of
	// view or the tracker had lost it: its marks stood right within half a second; later or never; or
	// they first stood somewhere else.
	Right int `json:"right"`
	Late  int `json:"late"`
	Wrong int `json:"wrong"`
	// Median and Worst are the seconds from when the place was in view to when its marks stood right,
	// over those that did.
	Median number `json:"seconds_median"`
	Worst  number `json:"seconds_worst"`
}

const (
	// soon is within how many seconds a known place is to be found again.
	soon = 0.5
	// awayFor is how many seconds a known place must be out of view for its return to count.
	awayFor = 1.0
	// inView is how many of the marks told before must truly be visible for their place to be in view.
	inView = 3
)

// moment is what one frame has to do with finding back.
type moment struct {
	frame int
	posed bool // the tracker gave a pose
	seen  int  // marks told before that are truly visible
	right int  // marks drawn where they belong
	wrong int  // marks drawn elsewhere
}

// lost says whether the tracker knows neither where it is nor, by the motion of the picture, where the marks are.
func (m moment) lost() bool { return !m.posed && m.right == 0 }

// moments collects the frames from the first pose on; poses are of a trajectory, anchors are told delay
// frames late.
func moments(all []judged, anchors []anchor, delay, firstPose int, poses map[int]geom.Pose) []moment {
	var ms []moment
	for _, j := range all {
		if j.frame <= anchors[j.anchor].frame+delay || j.frame < firstPose {
			continue
		}
		if len(ms) == 0 || ms[len(ms)-1].frame != j.frame {
			_, posed := poses[j.frame]
			ms = append(ms, moment{frame: j.frame, posed: posed})
		}
		m := &ms[len(ms)-1]
		if j.visible {
			m.seen++
		}
		switch {
		case j.misplaced():
			m.wrong++
		case j.drawn:
			m.right++
		}
	}
	return ms
}

// returns walks through the frames: a gap begins where the tracker is lost or no mark is in view, and ends
// where most of the marks that are drawn stand right again.
func returns(ms []moment, fps float64) Returns {
	var r Returns
	var took []float64
	for i := 0; i < len(ms); {
		begin := i
		lost := false
		for i < len(ms) && (ms[i].lost() || ms[i].seen == 0) {
			lost = lost || ms[i].lost()
			i++
		}
		if i == begin {
			i++
			continue
		}
		if !lost && float64(i-begin) < awayFor*fps {
			continue
		}
		end, seconds := r.judge(ms, begin, fps)
		if seconds >= 0 {
			took = append(took, seconds)
		}
		i = max(i, end)
	}
	slices.Sort(took)
	r.Median, r.Worst = quantile(took, 0.5), quantile(took, 1)
	return r
}

// judge counts one return, from the gap's begin, and returns the frame that ended it and how many seconds it
// took, negative where it never came to be.
func (r *Returns) judge(ms []moment, begin int, fps float64) (end int, seconds float64) {
	i, seen, wrong := begin, begin, false
	for ; i < len(ms); i++ {
		m := ms[i]
		if m.right > m.wrong {
			break
		}
		wrong = wrong || m.wrong > 0
		if m.seen < inView {
			seen = i + 1 // the clock starts when the place is in view, and anew where it leaves
		}
	}
	seconds = float64(i-seen) / fps
	switch {
	case wrong:
		r.Wrong++
	case i < len(ms) && seconds <= soon:
		r.Right++
	case i < len(ms) || seconds > soon:
		r.Late++
	}
	if i == len(ms) {
		seconds = -1
	}
	return i, seconds
}
