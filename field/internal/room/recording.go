package room

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"sightline/relay/wire"
)

// recording takes what is said of the recording. It needs the lock.
func (r *Room) recording(e wire.Envelope, body []byte) error {
	switch e.Kind {
	case wire.KindFault:
		var f wire.Fault
		if err := json.Unmarshal(body, &f); err != nil {
			return err
		}
		if r.faults[e.ID] = f.Text; f.Over {
			delete(r.faults, e.ID)
		}
	case wire.KindRecorded:
		var now wire.Recorded
		if err := json.Unmarshal(body, &now); err != nil {
			return err
		}
		r.recorded = now
	case wire.KindConsent:
		var c wire.Consent
		if err := json.Unmarshal(body, &c); err != nil {
			return err
		}
		r.consents[e.ID] = c
	}
	return nil
}

// Fault returns what is not recorded as it should be, in words; empty where all is well.
func (r *Room) Fault() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(r.faults)) {
		return r.faults[what]
	}
	return ""
}

// Recorded returns whether the room is recorded now; Who is the name of who paused it.
func (r *Room) Recorded() wire.Recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.recorded
	now.Who = cmp.Or(r.people[now.Who].Name, now.Who)
	return now
}

// Asked returns the question whether a participant may be recorded; empty where it is answered, or there is none.
func (r *Room) Asked(participant string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.consents[participant]; c.State == wire.ConsentAsked {
		return cmp.Or(c.Text, "This call is recorded. May what comes from you be recorded?")
	}
	return ""
}
