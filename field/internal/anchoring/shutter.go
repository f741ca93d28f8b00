package anchoring

import (
	"math"

	"sightline/vision/mapping"
)

// When the time that reading a picture takes is another.
const (
	shutterEvery  = 1_000_000  // µs of capture time to the first look, and from one that found something to the next
	shutterRarest = 60_000_000 // each that found nothing doubles it up to here
	shutterFrames = 5          // key frames
	shutterMost   = 0.1        // s; more is an adjustment that has gone astray
)

// What is to be believed. In simulated plants that have no rolling shutter the error was up to 2.5 times as large as the noise
// of each point by itself says; the first look at one that has sees a part of it only, for the map has adapted to it.
var (
	shutterFirst = doubt{least: 0.003, noise: 5} // less moves the first row by less than a pixel at a turn of one radian a second
	shutterMore  = doubt{least: 0.001, noise: 3} // where it is known to be there
)

// doubt is how far off, in seconds and in standard deviations, a readout must be to be another.
type doubt struct{ least, noise float64 }

// shutter is the search for how long the camera takes to read a picture.
type shutter struct {
	told       bool
	next, wait int64 // capture times
}

// due says whether to look.
func (s *shutter) due(captured int64, m *mapping.Snapshot) bool {
	if s.told || captured < s.next || len(m.Keyframes) < shutterFrames {
		return false
	}
	s.wait = min(max(2*s.wait, shutterEvery), shutterRarest)
	s.next = captured + s.wait
	return true
}

// expose looks whether the map shows another time that reading a picture takes.
func (a *Anchoring) expose(captured int64, s *mapping.Snapshot) {
	focal := a.cfg.Camera.Focal()
	a.beside(func() func() {
		more, sigma, ok := s.Shutter(focal)
		d := shutterFirst
		if s.Readout != 0 {
			d = shutterMore
		}
		if !ok || math.Abs(more) < math.Max(d.least, d.noise*sigma) || math.Abs(s.Readout+more) > shutterMost {
			return func() {}
		}
		return func() { a.setReadout(s.Readout+more, captured) }
	})
}

// setReadout goes on with another time that reading a picture takes, in seconds.
func (a *Anchoring) setReadout(seconds float64, captured int64) {
	mapper := a.mapper
	set := func() { mapper.SetReadout(seconds) }
	if a.cfg.Sync {
		set()
	} else if !mapper.Post(set) {
		return // it is found again
	}
	a.cfg.Camera.Readout = seconds
	a.shutter.wait, a.shutter.next = 0, captured+shutterEvery
	a.cfg.Logger.Info("the camera reads its picture row by row", "milliseconds", math.Round(1e4*seconds)/10)
}
