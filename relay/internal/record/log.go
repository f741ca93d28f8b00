package record

import (
	"encoding/json"
	"fmt"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/wire"
)

// message writes a message of the room log down, where people allow it, and acts on those that are about
// the recording itself.
func (r *Recording) message(e wire.Envelope) error {
	defer r.written.Store(e.Seq)
	switch e.Kind {
	case wire.KindParticipant:
		r.meet(e)
	case wire.KindConsent:
		r.consent(e)
	case wire.KindPrivacy:
		r.privacy(e)
	case wire.KindStandby:
		r.standby(e)
	default:
		if !r.may(e.From) {
			return nil
		}
	}
	return r.append(e)
}

// append puts an envelope at the end of the log.
func (r *Recording) append(e wire.Envelope) error {
	data, err := e.Encode()
	if err != nil {
		return err
	}
	now := r.cfg.Time(r.cfg.Now())
	if err := r.case_.Append(evidence.Chunk{File: evidence.LogFile, Data: append(data, '\n'), From: now, To: now, Items: 1}); err != nil {
		r.lose(evidence.LogFile, now, err)
		return nil
	}
	r.regain(evidence.LogFile, now)
	return nil
}

// sampleEvery is the pause between two kept pointers of a sender.
const sampleEvery = 100 * time.Millisecond

// Sample keeps some of the pointers, and each pose: marks are drawn into the very frame by it years later, and
// what lies between two poses cannot be known. It does not block on the disk.
func (r *Recording) Sample(e wire.Envelope) {
	if e.Kind != wire.KindPose && r.early(e) || !r.may(e.From) {
		return
	}
	if err := r.append(e); err != nil {
		r.cfg.Log.Warn("sample is not recorded", "room", r.cfg.Room, "error", err)
	}
}

// early says whether one of its kind and sender was kept a moment ago.
func (r *Recording) early(e wire.Envelope) bool {
	now, key := r.cfg.Now(), e.Kind+" "+e.From
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.sampled[key]) < sampleEvery {
		return true
	}
	r.sampled[key] = now
	return false
}

// followLog writes the log down: the state of the room at the start, then all that comes.
func (r *Recording) followLog() {
	err := r.cfg.Follow(r.ctx, r.cfg.Room, r.message)
	if err != nil && r.ctx.Err() == nil {
		r.fault(evidence.LogFile, fmt.Sprintf("the log is not recorded any more: %v", err))
	}
}

// loss is what could not wait for the disk any more.
type loss struct{ from, to int64 } // session time, µs

// lose notes that something is not recorded, and tells people when that begins.
func (r *Recording) lose(what string, now int64, err error) {
	r.mu.Lock()
	l := r.losses[what]
	if l == nil {
		l = &loss{from: now}
		r.losses[what] = l
	}
	first := l.to == 0
	l.to = now
	r.mu.Unlock()
	if first {
		r.fault(what, fmt.Sprintf("%s is not recorded for now: %v", what, err))
	}
}

// regain writes the end of a loss into the chain.
func (r *Recording) regain(what string, now int64) {
	r.mu.Lock()
	l := r.losses[what]
	delete(r.losses, what)
	r.mu.Unlock()
	if l == nil {
		return
	}
	r.case_.Note(evidence.Record{Kind: evidence.KindGap, Gap: &evidence.Gap{What: what, From: l.from, To: max(l.to, now), Who: "relay",
		Why: evidence.ErrBehind.Error()}})
	r.over(what, fmt.Sprintf("%s is recorded again; %s are missing", what, time.Duration(now-l.from)*time.Microsecond))
}

// state tells the room whether it is recorded.
func (r *Recording) state(s wire.Recorded) {
	s.Consent, s.EncryptTo = r.cfg.Consent, r.cfg.EncryptTo
	r.cfg.Tell(wire.KindRecorded, "session", s)
}

// standby writes into the chain that a participant's second recorder is at work, and the key that verifies its case.
func (r *Recording) standby(e wire.Envelope) {
	s, ok := body[wire.Standby](e)
	if !ok || !evidence.IsKey(s.Key) || len(e.ID) > 64 {
		return
	}
	r.mu.Lock()
	again := r.seconds[e.ID]
	r.seconds[e.ID] = true
	name := r.people.names[e.From]
	r.mu.Unlock()
	if !again {
		r.case_.Note(evidence.Record{Kind: evidence.KindStandby, Standby: &evidence.Standby{Participant: e.From, Name: name, Case: e.ID, Key: s.Key}})
	}
}

func body[T any](e wire.Envelope) (v T, ok bool) { return v, json.Unmarshal(e.Body, &v) == nil }
