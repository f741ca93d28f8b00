package app

import (
	"image"
	"time"

	"sightline/annotate/scene"
	"sightline/field/internal/capture"
	"sightline/field/internal/eye"
	"sightline/field/internal/trace"
	"sightline/field/internal/view"
	"sightline/vision/camera"
)

// watcher looks at every frame, composes what the technician sees of that very frame, and hands it out.
// It has a goroutine of its own.
type watcher struct {
	s    *session
	out  *outputs
	eye  *eye.Eye
	view *view.View

	lastFrame int64 // µs, wall clock
	troubled  bool  // the last frame could not be used, and that was said
	events    events
}

// idleAfter is how long, in µs, the picture may stand before the view says that there is none; it is
// looked at every idleTick.
const (
	idleAfter = 1_500_000
	idleTick  = 250 * time.Millisecond
)

func newWatcher(s *session, out *outputs, y *eye.Eye) *watcher {
	return &watcher{s: s, out: out, eye: y, events: newEvents(s.room, out.trace)}
}

// run works until the frames end.
func (w *watcher) run() error {
	var err error
	if w.view, err = view.New(); err != nil {
		return err
	}
	tick := time.NewTicker(idleTick)
	defer tick.Stop()
	for {
		f, ok, ended := w.s.frames.Take()
		switch {
		case ended:
			return nil
		case ok:
			err = w.frame(f)
			f.Release()
		default:
			select {
			case <-w.s.frames.News():
				continue
			case <-tick.C:
				err = w.idle()
			}
		}
		if err != nil {
			return err
		}
	}
}

// frame looks at one frame and shows it.
func (w *watcher) frame(f capture.Frame) error {
	begun := time.Now()
	w.lastFrame = begun.UnixMicro()
	sight, err := w.eye.Look(f)
	if err != nil && !w.troubled {
		w.s.log.Warn("frames cannot be tracked", "err", err)
	}
	w.troubled = err != nil
	if f.Guessed && sight.Lens != f.Lens {
		w.s.keepLens(sight.Lens)
	}
	tracked := time.Now()
	r := w.view.Build(scene.Input{Frame: f.Picture.Rect.Size(), Camera: sight.Lens, Estimate: sight.Estimate, Marks: sight.Marks,
		Machines: w.s.room.Machines(), Notices: w.s.notices(), Status: true, Now: tracked.UnixMicro()})
	if err := w.show(r, &f); err != nil {
		return err
	}
	now := time.Now()
	w.events.frame(r, sight.Marks, f.Captured, tracked.UnixMicro(), now.UnixMicro(), w.eye)
	line := trace.FrameOf(sight.Estimate, f.Index, f.Captured)
	line.TrackMS, line.ComposeMS = ms(tracked.Sub(begun)), ms(now.Sub(tracked))
	line.Delay = now.UnixMicro() - f.Captured
	for _, m := range r.Marks {
		if m.Projected {
			line.Marks = append(line.Marks, trace.Mark{ID: m.ID, U: m.U, V: m.V, State: m.State, Sigma: m.Sigma, Reason: m.Reason})
		}
	}
	w.out.trace.Put(line)
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// show paints a scene where anybody wants to see it; over black where there is no frame.
func (w *watcher) show(r scene.Result, f *capture.Frame) error {
	if !w.out.wanted() && w.s.window == nil {
		return nil
	}
	var seen *image.YCbCr
	if f != nil {
		seen = f.Picture
	}
	r.Items = append(r.Items, w.s.sign()...)
	picture := w.view.Paint(r, seen)
	if w.s.window != nil {
		w.s.window.Show(picture)
	}
	return w.out.take(picture, time.Now().UnixMicro())
}

// idle says why there is no picture, where there has been none for a while.
func (w *watcher) idle() error {
	now := time.Now().UnixMicro()
	if w.lastFrame != 0 && now-w.lastFrame < idleAfter && w.s.cameraError() == nil {
		return nil
	}
	r := w.view.Build(scene.Input{Camera: camera.Model{}, Machines: w.s.room.Machines(),
		Notices: append(w.s.notices(), w.s.noPicture(now, w.lastFrame)), Now: now})
	return w.show(r, nil)
}
