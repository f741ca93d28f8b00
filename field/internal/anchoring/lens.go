package anchoring

import (
	"fmt"
	"math"

	"sightline/vision/camera"
	"sightline/vision/mapping"
)

// When a guessed focal length is another.
const (
	lensEvery  = 2_000_000 // µs of capture time between two looks
	lensFrames = 10        // key frames
	// lensNoise is by how much the error is larger than the noise of each point by itself says: in simulated plants, with
	// the true lens, it was up to seven times as large (0.5 % where 0.08 % were claimed), mostly less than four.
	lensNoise = 4
	lensSure  = 0.01 // how well it must be known, as a share
	lensOff   = 0.01 // less is left alone: 8 % make marks 0.7 px worse, one about a tenth
)

// lens is the search for the focal length of a camera that was guessed.
type lens struct {
	looked  int64 // capture time
	busy    bool
	next    chan func() // what is to be done with the next frame
	changes int
}

// name is the run's name, with another one for what was mapped through another lens.
func (l *lens) name(life string) string {
	if l.changes == 0 {
		return life
	}
	return fmt.Sprintf("%s~%d", life, l.changes)
}

// Camera is the lens as it is known now; it changes with Track only: its focal length where it was guessed, its readout where
// that was not told.
func (a *Anchoring) Camera() camera.Model { return a.cfg.Camera }

// refine looks now and then whether the map shows another readout, or another focal length, and sees all through that then.
func (a *Anchoring) refine(captured int64) {
	select {
	case do := <-a.lens.next:
		a.lens.busy = false
		do()
	default:
	}
	s := a.mapper.Snapshot()
	switch {
	case a.lens.busy || s == nil:
		return
	case a.shutter.due(captured, s):
		a.expose(captured, s)
		return
	case !a.cfg.Guessed || captured-a.lens.looked < lensEvery || len(s.Keyframes) < lensFrames:
		return
	}
	a.lens.looked = captured
	focal := a.cfg.Camera.Focal()
	a.beside(func() func() {
		zoom, sigma, ok := s.Zoom(focal)
		off := math.Abs(math.Log(zoom))
		if !ok || lensNoise*sigma > lensSure || off < max(lensOff, 2*lensNoise*sigma) {
			return func() {}
		}
		return func() { a.zoom(zoom) }
	})
}

// beside does something that takes long, and what it returns with a later frame; in step, both at once.
func (a *Anchoring) beside(f func() func()) {
	if a.cfg.Sync {
		f()()
		return
	}
	a.lens.busy = true
	a.ended.Go(func() { a.lens.next <- f() })
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
