package record

import (
	"fmt"

	"sightline/relay/evidence"
	"sightline/relay/wire"
)

// consentText is what people are asked, and what the chain says that they were asked.
const consentText = "This call is recorded: picture, sound, what you draw and write. May what comes from you be recorded?"

// people is who may be recorded. Recording's mu guards it.
type people struct {
	names  map[string]string // by participant
	asked  map[string]string // name, by participant
	given  map[string]bool
	paused *pause
}

// pause is a pause for privacy.
type pause struct {
	from     int64 // session time, µs
	who, why string
}

// may says whether what comes from a participant is recorded now.
func (r *Recording) may(participant string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.people.paused == nil && (!r.cfg.Consent || participant == "relay" || r.people.given[participant])
}

// meet asks who comes for consent, where the room's policy wants it.
func (r *Recording) meet(e wire.Envelope) {
	who, ok := body[wire.Participant](e)
	if !ok || !who.Online {
		return
	}
	r.mu.Lock()
	r.people.names[e.ID] = who.Name
	if !r.cfg.Consent {
		r.mu.Unlock()
		return
	}
	_, asked := r.people.asked[e.ID]
	r.people.asked[e.ID] = who.Name
	r.mu.Unlock()
	if !asked && (r.cfg.Answered == nil || !r.cfg.Answered(e.ID)) {
		r.cfg.Tell(wire.KindConsent, e.ID, wire.Consent{State: wire.ConsentAsked, Text: consentText})
	}
}

// consent takes a participant's own answer, and writes it into the chain before anything of the participant.
func (r *Recording) consent(e wire.Envelope) {
	c, ok := body[wire.Consent](e)
	if !ok || e.From != e.ID || c.State == wire.ConsentAsked || e.Time < r.start {
		return
	}
	given := c.State == wire.ConsentGiven
	r.mu.Lock()
	name := r.people.asked[e.ID]
	r.people.given[e.ID] = given
	r.mu.Unlock()
	r.case_.Note(evidence.Record{Kind: evidence.KindConsent, Consent: &evidence.Consent{Participant: e.ID, Name: name, Given: given, Text: consentText}})
}

// privacy pauses the recording, or lets it go on.
func (r *Recording) privacy(e wire.Envelope) {
	p, ok := body[wire.Privacy](e)
	if !ok || e.Time < r.start {
		return
	}
	now := r.cfg.Time(r.cfg.Now())
	r.mu.Lock()
	was := r.people.paused
	if p.On && was == nil {
		r.people.paused = &pause{now, e.From, p.Why}
	} else if !p.On {
		r.people.paused = nil
	}
	r.mu.Unlock()
	switch {
	case p.On && was == nil:
		r.state(wire.Recorded{Paused: true, Who: e.From, Why: p.Why})
		r.cfg.Log.Info("recording is paused", "room", r.cfg.Room, "by", e.From, "why", p.Why)
	case !p.On && was != nil:
		r.endPause(was, now)
		r.state(wire.Recorded{On: true})
		r.cfg.Log.Info("recording goes on", "room", r.cfg.Room, "by", e.From)
	}
}

// endPause writes a pause into the chain.
func (r *Recording) endPause(p *pause, now int64) {
	r.case_.Note(evidence.Record{Kind: evidence.KindGap, Gap: &evidence.Gap{What: "session", From: p.from, To: now, Who: p.who,
		Why: fmt.Sprintf("paused for privacy: %s", p.why)}})
}
