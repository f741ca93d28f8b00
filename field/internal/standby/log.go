package standby

import (
	"cmp"
	"encoding/json"
	"slices"

	"sightline/relay/evidence"
	"sightline/relay/wire"
)

// maxState bounds the messages that are kept while nothing is recorded yet.
const maxState = 20_000

// roomLog is what the room's log says of being recorded, and the last message of each register, which a case begins
// with. Recorder's mu guards it.
type roomLog struct {
	last     map[[2]string]wire.Envelope // by kind and ID
	recorded wire.Recorded
	consents map[string]string // state, by participant
	question string
	paused   *forbidden // here, before the relay has said so
}

// forbidden is why nothing may be recorded.
type forbidden struct{ who, text string }

func newRoomLog() roomLog {
	return roomLog{last: map[[2]string]wire.Envelope{}, consents: map[string]string{}}
}

// take takes a message of the log.
func (l *roomLog) take(e wire.Envelope) {
	key := [2]string{e.Kind, e.ID}
	if old, had := l.last[key]; had && !e.Newer(old) || !had && len(l.last) >= maxState {
		return
	}
	l.last[key] = e
	switch e.Kind {
	case wire.KindRecorded:
		var now wire.Recorded
		if json.Unmarshal(e.Body, &now) == nil {
			l.recorded = now
			if l.paused != nil && now.Paused {
				l.paused = nil // the relay has heard
			}
		}
	case wire.KindConsent:
		var c wire.Consent
		if json.Unmarshal(e.Body, &c) != nil {
			return
		}
		l.consents[e.ID] = c.State
		l.question = cmp.Or(c.Text, l.question)
	}
}

// forbids says why what comes from a participant may not be recorded now; nil where it may.
func (l *roomLog) forbids(participant string) *forbidden {
	switch {
	case l.paused != nil:
		return l.paused
	case l.recorded.Paused:
		return &forbidden{l.recorded.Who, "paused for privacy: " + l.recorded.Why}
	case !l.recorded.On:
		return &forbidden{"relay", "the room is not recorded"}
	case l.recorded.Consent && l.consents[participant] != wire.ConsentGiven:
		return &forbidden{participant, "has not agreed to being recorded"}
	}
	return nil
}

// may says whether a message may be written down.
func (l *roomLog) may(e wire.Envelope) bool {
	switch e.Kind {
	case wire.KindParticipant, wire.KindConsent, wire.KindPrivacy, wire.KindRecorded:
		return true
	}
	return e.From == "relay" || !l.recorded.Consent || l.consents[e.From] == wire.ConsentGiven
}

// state returns the last messages in the log's order.
func (l *roomLog) state() []wire.Envelope {
	var all []wire.Envelope
	for _, e := range l.last {
		if l.may(e) {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b wire.Envelope) int { return cmp.Compare(a.Seq, b.Seq) })
	return all
}

// Log takes a message of the room's log, as it came.
func (r *Recorder) Log(e wire.Envelope) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.room.take(e)
	if c := r.current(); c != nil && r.room.may(e) {
		c.write(e, r.session.SessionTimeOf(r.cfg.Now()))
	}
}

// Sent takes a pose or a pointer as it was sent.
func (r *Recorder) Sent(e wire.Envelope) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.current(); c != nil && e.Kind == wire.KindPose {
		c.write(e, r.session.SessionTimeOf(r.cfg.Now()))
	}
}

// Privacy pauses at once what the technician wants paused, whether the relay hears of it or not, or lets it go on.
func (r *Recorder) Privacy(on bool, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.room.paused = nil
	if on && r.session != nil {
		r.room.paused = &forbidden{r.session.Self().ID, "paused for privacy: " + why}
	} else if !on && r.room.recorded.Paused {
		r.room.recorded.Paused, r.room.recorded.On = false, true
	}
	r.current()
}

// write puts a message at the end of the case's log. What came again after a break is there already.
func (c *running) write(e wire.Envelope, now int64) {
	if e.Seq != 0 && e.Seq <= c.seq {
		return
	}
	data, err := e.Encode()
	if err != nil {
		return // it was decoded a moment ago
	}
	if c.Append(evidence.Chunk{File: evidence.LogFile, Data: append(data, '\n'), From: now, To: now, Items: 1}) == nil {
		c.seq = max(c.seq, e.Seq)
	}
}
