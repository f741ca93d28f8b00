package server

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"

	"sightline/relay/wire"
)

// Who publishes by WHIP has no channel for messages, and answers in one of three ways whether he may be recorded: in
// his invitation, by the word of who signed it (relay invite --consent); with a header when he comes; or later, or
// anew, with a request to his session:
//
//	POST /whip/{room}               Sightline-Consent: given | refused
//	POST /whip/{room}/{id}/consent  Sightline-Consent: given | refused
//
// The answer's header Sightline-Recording says what follows from it: recorded, off, or withheld and why.
const (
	consentHeader   = "Sightline-Consent"
	recordingHeader = "Sightline-Recording"
)

const withheldText = "withheld: this room records nobody who has not agreed; agree with the header " + consentHeader +
	": given, on this request or on a POST to the session's address with /consent, or with an invitation that says so"

// consentOf is what a request answers; empty where it does not.
func consentOf(r *http.Request) (string, error) {
	switch c := strings.ToLower(strings.TrimSpace(r.Header.Get(consentHeader))); c {
	case "", wire.ConsentGiven, wire.ConsentRefused:
		return c, nil
	default:
		return "", refusal{http.StatusBadRequest, consentHeader + ": want given or refused"}
	}
}

// answers is whether the guest has said that he may be recorded.
func (g *guest) answers(consent string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if consent != "" {
		g.consent = consent
	}
}

// recorded says in words whether what a guest publishes is recorded.
func (g *guest) recorded() string {
	policy := g.s.cfg.Rooms.Of(g.room.Name())
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.room.recording == nil:
		return "off"
	case policy.Consent && g.consent != wire.ConsentGiven:
		return withheldText
	}
	return "recorded"
}

// sayConsent writes the guest's answer into the room's log, where the room wants one.
func (g *guest) sayConsent() {
	g.mu.Lock()
	consent := g.consent
	g.mu.Unlock()
	if consent == "" || !g.s.cfg.Rooms.Of(g.room.Name()).Consent {
		return
	}
	body, err := json.Marshal(wire.Consent{State: consent})
	if err != nil {
		return // it is text
	}
	g.room.Log(g, wire.Envelope{V: wire.Version, Kind: wire.KindConsent, ID: g.who.ID, Msg: rand.Text(), Body: body})
}

// answered says whether a participant has answered already, so that the recorder need not ask.
func (s *Server) answered(participant string) bool {
	s.guests.mu.Lock()
	defer s.guests.mu.Unlock()
	for _, g := range s.guests.byID {
		g.mu.Lock()
		is := g.who.ID == participant && g.consent != ""
		g.mu.Unlock()
		if is {
			return true
		}
	}
	return false
}

// consentGuest takes the answer of a guest who is in the room.
func (s *Server) consentGuest(w http.ResponseWriter, r *http.Request) {
	g, ok := s.found(w, r)
	if !ok {
		return
	}
	consent, err := consentOf(r)
	if err == nil && consent == "" {
		err = refusal{http.StatusBadRequest, consentHeader + " is missing: want given or refused"}
	}
	if err == nil && g.want != nil {
		err = refusal{http.StatusConflict, "who watches is not recorded"}
	}
	if err != nil {
		refuse(w, err)
		return
	}
	g.answers(consent)
	g.sayConsent()
	w.Header().Set(recordingHeader, g.recorded())
	w.WriteHeader(http.StatusNoContent)
}
