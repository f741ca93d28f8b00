package server

import (
	"net/http"
	"strings"

	"sightline/relay/internal/api"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/metrics"
	"sightline/relay/internal/page"
	"sightline/relay/internal/room"
	"sightline/relay/internal/udp"
)

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", s.serveReady)
	mux.HandleFunc("GET /ws", s.limitJoins(s.serveSocket))
	mux.HandleFunc("GET /where/{room}", s.serveWhere)
	mux.HandleFunc("OPTIONS /where/{room}", serveOptions("GET, OPTIONS", "Accept", "application/json"))
	if err := page.Handle(mux, s.relayURLs); err != nil {
		s.log.Error("no pages", "error", err)
	}
	api.Handle(mux, s.rest())
	s.handleSignIn(mux)
	mux.Handle("GET /metrics", s.local(metrics.Handler(s)))
	s.handleGuests(mux)
	return s.directed(mux)
}

// bearer returns the token of a request: in the header, or, for browsers, in the query.
func bearer(r *http.Request) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return strings.TrimSpace(token)
	}
	return r.URL.Query().Get("token")
}

// Grant is the grant of a request's bearer. Where it fails, it has noted why, and status is the answer's.
func (s *Server) Grant(r *http.Request) (g auth.Grant, status int, err error) {
	g, err = s.auth.Check(bearer(r))
	switch {
	case err != nil:
		s.refused(r, auth.Grant{}, err.Error())
		return auth.Grant{}, http.StatusUnauthorized, err
	case s.book.Withdrawn(g.ID):
		s.refused(r, g, withdrawnText)
		return auth.Grant{}, http.StatusForbidden, refusal{http.StatusForbidden, withdrawnText}
	}
	return g, 0, nil
}

// grant is Grant; it has answered where there is none.
func (s *Server) grant(w http.ResponseWriter, r *http.Request) (auth.Grant, bool) {
	g, status, err := s.Grant(r)
	if err != nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, err.Error(), status)
	}
	return g, err == nil
}

// Rooms says what the open rooms look like, for the metrics; Sent what the media port has sent.
func (s *Server) Rooms() []room.Status { return s.rooms.list() }
func (s *Server) Sent() udp.Stats      { return s.media.stats() }

// local lets this machine pass, and nobody else: figures name rooms and participants.
func (s *Server) local(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocal(r) {
			http.Error(w, "for this machine only", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}
