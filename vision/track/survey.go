package track

import (
	"context"

	"sightline/vision/mapping"
	"sightline/vision/stereo"
)

// survey is the measuring of the surface at one sample of a mark. It takes as long as a frame, so it is done on a
// goroutine of its own, and the mark follows when it is done.
type survey struct {
	anchor  *anchor // only the tracker's goroutine looks into it
	sample  int
	readout float64 // of the poses of its views
	spot    stereo.Spot
	found   measurement
}

// mostSurveys is how many surveys may be under way.
const mostSurveys = 4

// Survey measures surfaces until the context ends. It is called once, on its own goroutine, unless the tracker
// maps in step with the frames: then it measures in step too.
func (t *Tracker) Survey(ctx context.Context) {
	finder := stereo.NewRangefinder(t.cfg.Camera)
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-t.surveys:
			t.measure(finder, &s)
			t.surveyed <- s // has room for all that are under way
		}
	}
}

// measure finds the surface of a survey. It reads nothing of the tracker but the camera it was begun with.
func (t *Tracker) measure(finder *stereo.Rangefinder, s *survey) {
	s.spot.Candidates = mapping.FitSurfaces(t.cfg.Camera.Normalize(s.spot.Px), t.apart(s.spot.Grey, s.spot.Px, s.spot.Support))
	s.found.Surface, s.found.known = finder.Depth(s.spot)
}

// survey begins a survey of one of a mark's samples.
func (t *Tracker) survey(s survey) {
	t.budget--
	if t.cfg.Sync {
		defer t.times.start(StageBeside)()
		if t.finder == nil {
			t.finder = stereo.NewRangefinder(t.cfg.Camera)
		}
		t.measure(t.finder, &s)
		s.anchor.measured[s.sample] = s.found
		return
	}
	t.surveying++
	s.anchor.surveying++
	t.surveys <- s // has room for all that are under way
}

// takeSurveys gives the marks what was measured since the last frame.
func (t *Tracker) takeSurveys() {
	for t.surveying > 0 {
		select {
		case s := <-t.surveyed:
			t.surveying--
			s.anchor.surveying--
			s.anchor.wanting = true
			if s.anchor.frame.world == s.found.world && s.readout == t.cam.Readout {
				s.anchor.measured[s.sample] = s.found
			}
		default:
			return
		}
	}
}
