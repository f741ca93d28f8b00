package anchoring

import (
	"fmt"
	"math"
	"time"

	"sightline/vision/camera"
	"sightline/vision/mapping"
)

// When the map is asked about the lens, in µs of capture time.
const (
	lensEvery  = 1_000_000  // at first, and after what was found;
	lensRarer  = 4          // later when so many times that have passed since,
	lensRarest = 60_000_000 // and then
	lensFrames = 5          // key frames
)

// When a guessed focal length is another.
const (
	// zoomNoise is by how much the error is larger than the noise of each point by itself says: in simulated plants, with
	// the true lens, it was up to seven times as large (0.5 % where 0.08 % were claimed), mostly less than four.
	zoomNoise  = 4
	zoomSure   = 0.01 // how well it must be known, as a share
	zoomOff    = 0.01 // less is left alone: 8 % make marks 0.7 px worse, one about a tenth
	zoomFrames = 10   // key frames
)

// When the readout is another. In simulated plants without a rolling shutter first looks were off by up to 9 ms and later ones by
// up to 3, and up to seven times as far as the noise of each point by itself says. The first look at one that has it sees a
// part of it only, for the map has adapted to it.
var (
	shutterSure  = doubt{least: 0.012, noise: 15}
	shutterTwice = doubt{least: 0.004, noise: 6} // if found twice; less moves the first row by a pixel at a turn of one radian a second
	shutterMore  = doubt{least: 0.002, noise: 4} // where it is known to be there
)

// doubt is how far off, in seconds and in standard deviations, a readout must be to be another.
type doubt struct{ least, noise float64 }

func (d doubt) beyond(l mapping.Lens) bool {
	return math.Abs(l.Readout) > math.Max(d.least, d.noise*l.ReadoutSigma)
}

// lens is the search for what is not known of the camera.
type lens struct {
	found, next int64 // capture times: of what was found last, or of the first frame, and of the next look
	busy        bool
	then        chan func() // what is to be done with the next frame
	changes     int
	looked      time.Duration // of looks in step, since Stages were asked for
	known       bool          // nothing is to be found
	suspected   float64       // what the last look found of it that is yet to be found again, in seconds
	stepped     float64       // by how much it was changed last
}

// name is the run's name, with another one for what was mapped through another lens.
func (l *lens) name(life string) string {
	if l.changes == 0 {
		return life
	}
	return fmt.Sprintf("%s~%d", life, l.changes)
}

// due says whether to look.
func (l *lens) due(captured int64, s *mapping.Snapshot) bool {
	if l.found == 0 {
		l.found = captured
	}
	if l.busy || captured < l.next || s == nil || len(s.Keyframes) < lensFrames {
		return false
	}
	l.next = captured + min(max(lensEvery, (captured-l.found)/lensRarer), lensRarest)
	return true
}

// Camera is the lens as it is known now; it changes with Track only: its focal length where it was guessed, its readout where
// that was not told.
func (a *Anchoring) Camera() camera.Model { return a.cfg.Camera }

// refine looks now and then whether the map shows another lens, and sees all through that one then.
func (a *Anchoring) refine(captured int64) {
	select {
	case do := <-a.lens.then:
		a.lens.busy = false
		do()
	default:
	}
	s := a.mapper.Snapshot()
	if a.lens.known || !a.lens.due(captured, s) {
		return
	}
	focal := a.cfg.Camera.Focal()
	a.beside(func() func() {
		l, ok := s.Lens(focal)
		return func() {
			switch {
			case !ok:
			case a.suspect(s.Readout, l):
				a.lens.found, a.lens.next = captured, captured+lensEvery
			case a.cfg.Guessed && len(s.Keyframes) >= zoomFrames && zoomNoise*l.ZoomSigma < zoomSure &&
				math.Abs(math.Log(l.Zoom)) > max(zoomOff, 2*zoomNoise*l.ZoomSigma):
				a.zoom(l.Zoom)
				a.lens.found = captured
			}
		}
	})
}

// suspect says whether a look at a map that was made for some readout found another one, and takes that for true; the first
// time only where it is beyond doubt, or when it is found again.
func (a *Anchoring) suspect(readout float64, l mapping.Lens) bool {
	before := a.lens.suspected
	a.lens.suspected = 0
	switch {
	case readout != 0:
		if !shutterMore.beyond(l) {
			return false
		}
	case !shutterTwice.beyond(l):
		return false
	case !shutterSure.beyond(l) && before*l.Readout <= 0:
		a.lens.suspected = l.Readout
		return true
	}
	step := l.Readout
	if a.lens.stepped*step < 0 {
		step /= 2 // it went too far, and this may too
	}
	a.lens.stepped = step
	a.setReadout(readout + step)
	return true
}

// setReadout goes on with another time that reading a picture takes, in seconds.
func (a *Anchoring) setReadout(seconds float64) {
	mapper := a.mapper
	set := func() { mapper.SetReadout(seconds) }
	if a.cfg.Sync {
		set()
	} else if !mapper.Post(set) {
		return // it is found again
	}
	a.cfg.Camera.Readout = seconds
	a.cfg.Logger.Info("the camera reads its picture row by row", "milliseconds", math.Round(1e4*seconds)/10)
}

// beside does something that takes long, and what it returns with a later frame; in step, both at once.
func (a *Anchoring) beside(f func() func()) {
	if a.cfg.Sync {
		begun := time.Now()
		then := f()
		a.lens.looked += time.Since(begun)
		then()
		return
	}
	a.lens.busy = true
	a.ended.Go(func() { a.lens.then <- f() })
}

// zoom moves the maps to another focal length, and everything to the maps then.
func (a *Anchoring) zoom(by float64) {
	if !a.tracker.Movable() {
		return
	}
	saved, focal := a.tracker.Save(), a.cfg.Camera.Focal()
	a.beside(func() func() {
		saved.Zoom(by, focal)
		return func() { a.change(by, saved) }
	})
}

// change goes on with another focal length.
func (a *Anchoring) change(by float64, saved mapping.Saved) {
	if !a.tracker.Movable() {
		return
	}
	was := a.cfg.Camera
	a.stop()
	a.ended.Wait()
	old := a.tracker
	defer old.Close()
	a.cfg.Camera = was.Zoomed(by)
	a.lens.changes++
	a.begin()
	a.tracker.Recall(saved)
	if err := a.tracker.TakeOver(old); err != nil {
		a.cfg.Logger.Warn("what was seen is not seen again through the lens that was found", "err", err)
	}
	a.cfg.Logger.Info("the lens was guessed, and is known better now", "degrees", math.Round(10*a.cfg.Camera.FOV()*180/math.Pi)/10,
		"guessed", math.Round(10*was.FOV()*180/math.Pi)/10)
}
