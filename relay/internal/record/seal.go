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

func (r *Recording) commit(s *sealing) {
	began := r.cfg.Now()
	err := r.case_.Commit()
	took := r.cfg.Now().Sub(began)
	switch {
	case err != nil && s.stuck == nil:
		r.fault("disk", fmt.Sprintf("the disk does not take the recording: %v; the next minute or so waits in memory", err))
	case err == nil && s.stuck != nil:
		r.fault("disk", "the disk takes the recording again")
	case err == nil && took > slow && !s.slow:
		r.fault("disk", fmt.Sprintf("the disk is slow: it took %.1f s for what it should take in %.1f", took.Seconds(), commitEvery.Seconds()))
	}
	s.stuck, s.slow = err, took > slow
}

func (r *Recording) head(s *sealing) {
	err := r.case_.Head()
	if err != nil && !s.unlog {
		r.fault("seal", fmt.Sprintf("the recording goes on, but is not sealed for now: %v", err))
	} else if err == nil && s.unlog {
		r.fault("seal", "the recording is sealed again")
	}
	s.unlog = err != nil
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
