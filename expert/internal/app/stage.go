package app

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sightline/annotate/scene"
	"sightline/annotate/typeset"
	"sightline/expert/internal/call"
	"sightline/expert/internal/desk"
	"sightline/vision"
)

// stage is the desk with a call on it, run by the window's goroutine or by run. Others reach the desk by
// do.
type stage struct {
	call  *call.Call
	desk  *desk.Desk
	tally *tally
	dir   string // of snapshots
	queue chan func()
	tasks sync.WaitGroup
	saved chan string // what became of snapshots
	woken time.Time   // when Wait last returned

	consent  string // ask, yes or no
	answered string // the question that was answered so

	widths map[string]int // of the cameras on the screen
	away   bool           // nobody sees the window
}

func newStage(c *call.Call, t *tally, faces *typeset.Faces, width, height int, dir string) *stage {
	s := &stage{call: c, tally: t, dir: dir, queue: make(chan func()), saved: make(chan string, 8)}
	s.desk = desk.New(desk.Config{Source: c, Editor: c, Faces: faces, Now: time.Now, Say: c.Say, Recorder: c, Pointers: c.Pointers,
		Vitals:     func() desk.Vitals { return desk.Vitals{RTT: c.RTT(), Pending: c.Pending()} },
		OnSnapshot: s.save, OnShown: t.shown, OnSizes: s.sizes, OnReadings: t.readings, OnMark: t.mark,
	}, width, height, 1)
	return s
}

// close waits for what is under way, after run or the window has ended.
func (s *stage) close() {
	s.tasks.Wait()
	s.desk.Close()
}

// Tick does what others asked for, and tells the expert of what went wrong elsewhere.
func (s *stage) Tick() {
	for {
		select {
		case f := <-s.queue:
			f()
		case words := <-s.call.Refused():
			s.desk.Toast("The relay refused: "+words, scene.Warning)
		case words := <-s.saved:
			s.desk.Toast(words, scene.Warning)
		default:
			room := s.call.Room()
			s.answer(room)
			s.tally.room(room, s.desk.Camera())
			return
		}
	}
}

// answer answers the question about being recorded as the command line says.
func (s *stage) answer(r *call.Room) {
	if r.Asked == "" {
		s.answered = "" // the answer has arrived; the same may be asked again
	}
	if r.Asked == s.answered || s.consent == "ask" {
		return
	}
	s.answered = r.Asked
	if err := s.call.Consent(s.consent == "yes"); err != nil {
		s.desk.Toast("The answer to being recorded was not sent: "+err.Error(), scene.Warning)
	}
}

// Wait returns after d, or sooner when there is something new. Changes come in crowds: a frame, its pose,
// a dozen readings; the first one waits a moment for the others.
func (s *stage) Wait(d time.Duration) {
	pause := time.Until(s.woken.Add(atLeast))
	if pause > 0 {
		time.Sleep(min(pause, d))
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.call.Changes():
	case f := <-s.queue:
		f()
	case <-timer.C:
	}
	s.woken = time.Now()
}

// sizes tells the relay how large the cameras are shown.
func (s *stage) sizes(widths map[string]int) {
	s.widths = widths
	s.call.Show(s.widths, s.away)
}

// Seen hears whether anybody can see the window.
func (s *stage) Seen(seen bool) {
	if s.away == seen {
		s.away = !seen
		s.call.Show(s.widths, s.away)
	}
}

// Handle, Resize and Render are the desk's.
func (s *stage) Handle(e desk.Event)                     { s.desk.Handle(e) }
func (s *stage) Resize(width, height int, scale float64) { s.desk.Resize(width, height, scale) }
func (s *stage) Render() (*image.RGBA, bool)             { return s.desk.Render() }

// atLeast is the shortest time between two pictures.
const atLeast = 12 * time.Millisecond

// run is the stage's goroutine where there is no window: it draws when something has changed.
func (s *stage) run(ctx context.Context) {
	for ctx.Err() == nil {
		s.Wait(100 * time.Millisecond)
		s.Tick()
		s.desk.Render()
	}
}

// do carries out f on the stage's goroutine and waits for it.
func (s *stage) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case s.queue <- func() { f(); close(done) }:
	case <-ctx.Done():
		return ctx.Err()
	}
	<-done
	return nil
}

// save writes a snapshot beside its raw picture, named by room and time, in the background.
func (s *stage) save(p desk.Snapshot) string {
	if err := s.call.Snapshot(p.Camera, p.Captured); err != nil {
		s.desk.Toast("The room was not told of the snapshot: "+err.Error(), scene.Warning)
	}
	name := fmt.Sprintf("%s-%s", p.Room, p.At.Format("20060102-150405.000"))
	path := filepath.Join(s.dir, name+".png")
	s.tasks.Go(func() {
		err := errors.Join(os.MkdirAll(s.dir, 0o755), writePNG(path, p.Composed), writePNG(filepath.Join(s.dir, name+"-raw.png"), p.Raw))
		if err != nil {
			select {
			case s.saved <- "The snapshot was not saved: " + err.Error():
			default:
			}
		}
	})
	return "Snapshot saved: " + name + ".png"
}

// writePNG writes a picture, so that the file is there whole or not at all.
func writePNG(path string, p image.Image) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".picture-*")
	if err != nil {
		return err
	}
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	err = errors.Join(e.Encode(f, p), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// tracking says whether a camera's newest frame, or one shortly before, is tracked.
func (s *stage) tracking() bool {
	for _, c := range s.call.Room().Cameras {
		f := s.call.Frame(c.Participant)
		if f == nil {
			continue
		}
		pose, ok := s.call.Pose(c.Participant, f.Captured)
		f.Release()
		if ok && pose.State == vision.Tracking {
			return true
		}
	}
	return false
}
