package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"sightline/relay/internal/auth"
	"sightline/relay/internal/sfu"
	"sightline/relay/wire"
)

// WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) are one protocol in two directions:
//
//	POST   /whip/{room}       an offer that sends; the answer, the session's address and its ETag come back
//	POST   /whep/{room}       an offer that receives; ?participant= and ?track= say whose track, and which,
//	                          ?scale= how large it is shown: 0.5 is half its size
//	PATCH  /whip/{room}/{id}  candidates (If-Match: the ETag), or new credentials for a new path (If-Match: *)
//	POST   /whip/{room}/{id}/consent  whether the publisher may be recorded: see consent.go
//	DELETE /whip/{room}/{id}  the end
//
// Every request carries a bearer token for the room.
const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"
)

func (s *Server) handleGuests(mux *http.ServeMux) {
	for _, path := range []string{"/whip/{room}", "/whep/{room}"} {
		egress := strings.HasPrefix(path, "/whep")
		mux.HandleFunc("POST "+path, s.limitJoins(func(w http.ResponseWriter, r *http.Request) { s.openGuest(w, r, egress) }))
		mux.HandleFunc("OPTIONS "+path, serveOptions("POST, OPTIONS", "Accept-Post", typeSDP))
		mux.HandleFunc("PATCH "+path+"/{id}", s.patchGuest)
		mux.HandleFunc("POST "+path+"/{id}/consent", s.consentGuest)
		mux.HandleFunc("OPTIONS "+path+"/{id}/consent", serveOptions("POST, OPTIONS", "Accept-Post", typeSDP))
		mux.HandleFunc("DELETE "+path+"/{id}", s.deleteGuest)
		mux.HandleFunc("OPTIONS "+path+"/{id}", serveOptions("PATCH, DELETE, OPTIONS", "Accept-Patch", typeFragment))
	}
}

// allowOrigins lets pages of any origin speak to the relay: what they may is in the token, which no browser
// sends by itself.
func allowOrigins(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Expose-Headers", "Location, ETag, Link, Accept-Patch, Accept-Post, Retry-After, "+recordingHeader)
}

func serveOptions(methods, accept, mediaType string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		allowOrigins(w)
		w.Header().Set("Access-Control-Allow-Methods", methods)
		w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match, "+wire.InstanceHeader+", "+consentHeader)
		w.Header().Set("Access-Control-Max-Age", "600")
		w.Header().Set(accept, mediaType)
		w.Header().Set("Allow", methods)
		w.WriteHeader(http.StatusNoContent)
	}
}

// refusal is an answer that is an error, in words.
type refusal struct {
	status int
	text   string
}

func (e refusal) Error() string { return e.text }

// body reads a request's body of a type.
func body(w http.ResponseWriter, r *http.Request, mediaType string) (string, error) {
	if got, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(got), mediaType) {
		return "", refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type is %.60q, want %s", got, mediaType)}
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxSignal))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return "", refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("body is larger than %d bytes", wire.MaxSignal)}
	case err != nil:
		return "", refusal{http.StatusBadRequest, "body cannot be read"}
	}
	return string(data), nil
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	var known refusal
	if !errors.As(err, &known) {
		known = refusal{http.StatusInternalServerError, "the relay cannot do it; its log says why"}
	}
	http.Error(w, known.text, known.status)
}

// roomGrant returns the grant of a request for the room in its path.
func (s *Server) roomGrant(w http.ResponseWriter, r *http.Request) (auth.Grant, bool) {
	g, ok := s.grant(w, r)
	name := r.PathValue("room")
	if ok && (!g.Covers(name) || !auth.RoomName(name)) {
		s.forbid(w, r, g, fmt.Sprintf("the token is for room %s", g.Room))
		return g, false
	}
	g.Room = name // of staff, whose token is good for all
	return g, ok
}

// forbid answers somebody who may not do that.
func (s *Server) forbid(w http.ResponseWriter, r *http.Request, g auth.Grant, why string) {
	s.refused(r, g, why)
	http.Error(w, why, http.StatusForbidden)
}

func (s *Server) openGuest(w http.ResponseWriter, r *http.Request, egress bool) {
	allowOrigins(w)
	grant, ok := s.roomGrant(w, r)
	if !ok {
		return
	}
	if !egress && !grant.May(auth.Publish) {
		s.forbid(w, r, grant, "the invitation lets you watch, but not publish tracks")
		return
	}
	offer, err := body(w, r, typeSDP)
	if err != nil {
		refuse(w, err)
		return
	}
	g := &guest{s: s, id: rand.Text(), grant: grant, who: wire.Participant{ID: participantID(grant, instance(r)),
		Name: grant.Name, Role: grant.Role, Online: true}}
	g.note = entry(r, grant, g.who)
	if grant.Consent {
		g.answers(wire.ConsentGiven)
	}
	consent, err := consentOf(r)
	if err != nil {
		refuse(w, err)
		return
	}
	g.answers(consent) // his own word goes before that of who has invited him
	if wait, err := s.mustWait(r.Context(), grant, g.who.ID); err != nil {
		s.unavailable(w, r, grant, err)
		return
	} else if wait {
		s.askToWait(w, grant, g.who, g.note)
		return
	}
	if egress {
		q := r.URL.Query()
		g.want = wanted(q.Get("participant"), q.Get("track"))
		if g.share, err = shareOf(q.Get("scale")); err != nil {
			refuse(w, refusal{http.StatusBadRequest, err.Error()})
			return
		}
	}
	answer, err := g.open(r.Context(), offer)
	var bad *sfu.OfferError
	var closed *roomError
	switch {
	case errors.As(err, &closed):
		s.unavailable(w, r, grant, closed.error)
	case errors.As(err, &bad):
		refuse(w, refusal{http.StatusBadRequest, bad.Error()})
	case err != nil:
		s.log.Error("guest cannot be served", "room", grant.Room, "name", grant.Name, "error", err)
		refuse(w, err)
	default:
		w.Header().Set("Content-Type", typeSDP)
		w.Header().Set("Location", r.URL.Path+"/"+g.id)
		w.Header().Set("ETag", g.etag())
		w.Header().Set("Accept-Patch", typeFragment)
		if !egress {
			w.Header().Set(recordingHeader, g.recorded())
		}
		s.linkICE(w, g.who.ID)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, answer)
	}
}

// found returns the session that a request names, for a token of its room.
func (s *Server) found(w http.ResponseWriter, r *http.Request) (*guest, bool) {
	allowOrigins(w)
	grant, ok := s.roomGrant(w, r)
	if !ok {
		return nil, false
	}
	g := s.guests.get(r.PathValue("id"))
	if g == nil || g.room.Name() != grant.Room {
		http.Error(w, "no such session: it has ended, or never was", http.StatusNotFound)
		return nil, false
	}
	return g, true
}

func (s *Server) patchGuest(w http.ResponseWriter, r *http.Request) {
	g, ok := s.found(w, r)
	if !ok {
		return
	}
	text, err := body(w, r, typeFragment)
	if err != nil {
		refuse(w, err)
		return
	}
	fragment, err := sfu.ParseFragment(text)
	if err != nil {
		refuse(w, refusal{http.StatusBadRequest, err.Error()})
		return
	}
	answer, etag, err := g.patch(r.Header.Get("If-Match"), fragment)
	switch {
	case err != nil:
		refuse(w, err)
	case answer == "":
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", typeFragment)
		w.Header().Set("ETag", etag)
		_, _ = io.WriteString(w, answer)
	}
}

func (s *Server) deleteGuest(w http.ResponseWriter, r *http.Request) {
	if g, ok := s.found(w, r); ok {
		g.fail(errLeft)
		<-g.ended
		w.WriteHeader(http.StatusOK)
	}
}
