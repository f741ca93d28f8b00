package standby

import (
	"fmt"
	"time"

	"sightline/relay/evidence"
)

// How often what waits is written and chained, the chain is signed, and the limits are looked at.
const (
	commitEvery = 500 * time.Millisecond
	headEvery   = 10 * time.Second
	pruneEvery  = 2 * time.Second
)

// seal commits and signs until Close.
func (r *Recorder) seal() {
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.commit()
		case <-r.stop:
			return
		}
	}
}

// commit brings the case to the disk. Nobody waits for it: frames go on to be taken meanwhile.
func (r *Recorder) commit() {
	r.mu.Lock()
	c, tell := r.case_, r.news
	r.news = nil
	for _, n := range tell {
		defer r.cfg.Tell(n.kind, n.id, n.body) // when no lock is held
	}
	if c == nil {
		r.mu.Unlock()
		return
	}
	now := r.cfg.Now()
	for _, t := range c.tracks {
		t.flush(r.session.SessionTimeOf(now))
	}
	r.mu.Unlock()
	c.disk.Lock()
	defer c.disk.Unlock()
	if c.ended {
		return
	}
	err := c.Commit()
	head := err == nil && now.Sub(c.headed) >= headEvery
	if head {
		c.headed = now
		err = c.Head()
	}
	free := int64(1)
	if now.Sub(c.pruned) >= pruneEvery {
		c.pruned = now
		free = r.cfg.Store.Prune()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell(err, free)
}

// tell keeps what is wrong, in words. A case that is larger than what may be kept ends. The caller holds mu.
func (r *Recorder) tell(err error, free int64) {
	was := r.fault
	switch {
	case r.full:
	case free <= 0:
		r.full = true
		r.fault = "the second recorder has no room left, and has ended; --standby-megabytes gives it more"
	case err != nil:
		r.fault = fmt.Sprintf("the second recorder's disk does not take the recording: %v", err)
	default:
		r.fault = ""
	}
	if r.fault != was && r.fault != "" {
		r.cfg.Log.Error(r.fault)
	}
	if c := r.case_; r.full && c != nil {
		now := r.session.SessionTimeOf(r.cfg.Now())
		c.Note(evidence.Record{Kind: evidence.KindGap, Gap: &evidence.Gap{What: "disk", From: now, To: now, Who: c.who.ID, Why: "no room left"}})
		r.end()
	}
}
