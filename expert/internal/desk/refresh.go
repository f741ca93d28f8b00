package desk

import (
	"time"

	"sightline/expert/internal/call"
)

// Refresh takes in what the source has now. Render does it too.
func (d *Desk) Refresh() {
	if d.cfg.Review != nil {
		d.cfg.Review.Deck.Tick()
	}
	d.clock = d.cfg.Now()
	room := d.cfg.Source.Room()
	if room.Version != d.room.Version || d.room.Version == 0 {
		d.room = room
		d.marks = d.cfg.Source.Marks()
		d.noteMarks()
		if room.Asked == "" {
			d.answered = "" // the answer has arrived; the same may be asked again
		}
		d.panelsDirty, d.pictureDirty = true, true
		if d.cfg.Review != nil {
			d.lastSide = time.Time{} // the clock may have been turned back
		}
		d.chooseCamera()
		if _, ok := d.mark(d.selected); !ok {
			d.selected = ""
		}
	}
	f := d.cfg.Source.Frame(d.camera)
	if f != nil && (d.live == nil || f.Captured != d.live.Captured || f.Camera != d.live.Camera) {
		d.live.Release()
		d.live = f
		d.pictureDirty = true
		if d.held == nil || d.insetShown() {
			d.cameOn(f)
		}
	} else {
		f.Release()
	}
	d.findPose()
	d.expire()
	if d.clock.Sub(d.lastPicture) > 200*time.Millisecond {
		d.pictureDirty, d.panelsDirty = true, true // ages and toasts run on
	}
}

// findPose looks up the pose of the frame on screen.
func (d *Desk) findPose() {
	f := d.shown()
	if f == nil {
		d.hasPose = false
		return
	}
	if d.hasPose && d.pose.Exact && d.pose.Captured == f.Captured {
		return
	}
	pose, ok := d.cfg.Source.Pose(f.Camera, f.Captured)
	if (ok != d.hasPose || pose.Captured != d.pose.Captured || pose.Exact != d.pose.Exact) && len(d.marks) > 0 {
		d.pictureDirty = true // without marks the pose is words only, which the foot has soon enough
	}
	// The picture may be a smaller size of what the tracker saw.
	if size := f.Size(); ok && pose.Camera.Valid() == nil && (size.X != pose.Camera.Width || size.Y != pose.Camera.Height) {
		pose.Camera = pose.Camera.Resized(size.X, size.Y)
	}
	d.pose, d.hasPose = pose, ok
}

// cameOn takes note of a frame that is about to be shown.
func (d *Desk) cameOn(f *call.Frame) {
	pose, ok := d.cfg.Source.Pose(f.Camera, f.Captured)
	d.meter.frame(d.clock, f.Captured)
	if d.cfg.OnShown != nil {
		s := Shown{Frame: f, At: d.cfg.Now(), PoseExact: ok && pose.Exact}
		if ok {
			s.State = string(pose.State)
		}
		d.cfg.OnShown(s)
	}
}

// chooseCamera keeps the camera that is shown while there is one, and otherwise takes the first that is on.
func (d *Desk) chooseCamera() {
	for _, c := range d.room.Cameras {
		if c.Participant == d.camera {
			return
		}
	}
	best := ""
	for _, c := range d.room.Cameras {
		if best == "" || c.Online {
			best = c.Participant
			if c.Online {
				break
			}
		}
	}
	if best != "" {
		d.show(best)
	}
}

// show turns to another camera.
func (d *Desk) show(camera string) {
	d.cancel()
	d.frozen = false
	d.live.Release()
	d.held.Release()
	d.live, d.held, d.hasPose = nil, nil, false
	d.camera, d.selected = camera, ""
	d.meter = meter{}
	d.pictureDirty, d.panelsDirty = true, true
}

// noteMarks remembers when each mark was first seen as it now stands.
func (d *Desk) noteMarks() {
	live := map[string]bool{}
	for _, e := range d.marks {
		live[e.ID] = true
		if s, ok := d.firsts[e.ID]; !ok || abs(s.time-e.Time) > 500_000 {
			at := d.clock
			if d.cfg.Review != nil {
				at = time.UnixMicro(d.cfg.Review.Tape.UTC(e.Time))
			}
			d.firsts[e.ID] = sight{e.Time, at}
		}
	}
	for id := range d.firsts {
		if !live[id] {
			delete(d.firsts, id)
		}
	}
}

func abs(v int64) int64 { return max(v, -v) }
