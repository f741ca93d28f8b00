package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

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
	for _, name := range []string{"join", "publish", "watch"} {
		mux.HandleFunc("GET /"+name, page.Serve(name+".html"))
		mux.HandleFunc("GET /"+name+".js", page.Serve(name+".js"))
	}
	mux.HandleFunc("GET /rtc.js", page.Serve("rtc.js"))
	mux.HandleFunc("GET /api/rooms", s.serveRooms)
	mux.Handle("GET /metrics", s.local(metrics.Handler(s)))
	s.handleGuests(mux)
	return mux
}

// bearer returns the token of a request: in the header, or, for browsers, in the query.
func bearer(r *http.Request) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return strings.TrimSpace(token)
	}
	return r.URL.Query().Get("token")
}

func (s *Server) grant(w http.ResponseWriter, r *http.Request) (auth.Grant, bool) {
	g, err := s.auth.Check(bearer(r))
	if err != nil {
		s.refused(r, auth.Grant{}, err.Error())
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return auth.Grant{}, false
	}
	if s.book.Withdrawn(g.ID) {
		s.forbid(w, r, g, withdrawnText)
		return g, false
	}
	return g, true
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

// serveRooms says what the rooms look like: all of them to this machine, his own to the bearer of a token.
func (s *Server) serveRooms(w http.ResponseWriter, r *http.Request) {
	only := ""
	if !isLocal(r) || bearer(r) != "" {
		g, ok := s.grant(w, r)
		if !ok {
			return
		}
		only = g.Room
	}
	list := s.rooms.list()
	if only != "" {
		list = slices.DeleteFunc(list, func(r room.Status) bool { return r.Room != only })
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"rooms": list, "bad_machine_messages": s.hub.Bad()})
}
