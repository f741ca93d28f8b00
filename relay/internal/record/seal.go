package record

import (
	"errors"
	"fmt"
	"time"

	"sightline/relay/evidence"
)

// How often what waits is written, synced and chained, and how often the chain is signed.
const (
	commitEvery = 500 * time.Millisecond
	headEvery   = 10 * time.Second
	// slow is when people are told that the disk does not keep up.
	slow = 2 * time.Second
)

// sealing is the state of the goroutine that has the disk.
type sealing struct {
	stuck  error // why the last commit failed
	slow   bool
	headed time.Time
	unlog  bool // the last head is not in the transparency log
}

// seal commits and signs until nothing more comes, and then closes the case.
func (r *Recording) seal() {
	s := sealing{headed: r.cfg.Now()}
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.commit(&s)
			if s.stuck == nil && r.cfg.Now().Sub(s.headed) >= headEvery {
				s.headed = r.cfg.Now()
				r.head(&s)
			}
		case <-r.ended:
			r.end()
			return
		}
	}
}

// commit writes what waits. Who waits for the disk for long is told so while it lasts.
func (r *Recording) commit(s *sealing) {
	began, told := r.cfg.Now(), make(chan struct{})
	late := time.AfterFunc(slow, func() {
		defer close(told)
		if !s.slow {
			s.slow = true
			r.fault("disk", fmt.Sprintf("the disk is slow: it has not taken the recording for %.0f s; the next minute or so waits in memory", slow.Seconds()))
		}
	})
	err := r.case_.Commit()
	if !late.Stop() {
		<-told
	}
	switch {
	case err != nil && s.stuck == nil:
		r.fault("disk", fmt.Sprintf("the disk does not take the recording: %s; the next minute or so waits in memory", Cause(err)))
		r.cfg.Log.Error("recording: disk", "room", r.cfg.Room, "error", err)
	case err == nil && s.stuck != nil:
		r.over("disk", "the disk takes the recording again")
	case err == nil && s.slow && r.cfg.Now().Sub(began) < slow:
		s.slow = false
		r.over("disk", "the disk is quick enough again")
	}
	s.stuck = err
}

func (r *Recording) head(s *sealing) {
	err := r.case_.Head()
	if err != nil && !s.unlog {
		r.fault("seal", fmt.Sprintf("the recording goes on, but is not sealed for now: %s", Cause(err)))
		r.cfg.Log.Error("recording: seal", "room", r.cfg.Room, "error", err)
	} else if err == nil && s.unlog {
		r.over("seal", "the recording is sealed again")
	}
	s.unlog = err != nil
}

// probeEvery is how often an authority that does not answer is asked again.
const probeEvery = 30 * time.Second

// probe sees whether the authority answers, so that people hear of it while they can do something about it: the
// timestamp itself is asked for at the end.
func (r *Recording) probe() {
	down := false
	for {
		_, err := r.cfg.Stamp("sightline asks whether the authority answers\n")
		switch {
		case err != nil && !down:
			r.fault("authority", fmt.Sprintf("the recording goes on and is sealed, but will have no timestamp of an authority: %s", Cause(err)))
			r.cfg.Log.Error("recording: authority", "room", r.cfg.Room, "error", err)
		case err == nil && down:
			r.over("authority", "the timestamp authority answers again")
			return
		case err == nil:
			return
		}
		down = true
		select {
		case <-time.After(probeEvery):
		case <-r.ctx.Done():
			return
		}
	}
}

// end closes the case.
func (r *Recording) end() {
	r.mu.Lock()
	pause := r.people.paused
	r.mu.Unlock()
	if pause != nil {
		r.endPause(pause, r.cfg.Time(r.cfg.Now()))
	}
	err := r.case_.End(r.cfg.Stamp)
	var unstamped *evidence.StampError
	if errors.As(err, &unstamped) {
		r.cfg.Log.Warn("the case has no timestamp", "dir", r.dir, "error", err)
	} else if err != nil {
		r.cfg.Log.Error("the case is not closed; the next start of the relay closes it", "dir", r.dir, "error", err)
	}
}
