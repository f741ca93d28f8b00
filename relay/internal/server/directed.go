package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sightline/relay/internal/api"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/cluster"
)

const (
	// hopsParameter counts in an address how often a request was led on.
	hopsParameter = "hops"
	maxHops       = 4
	// leadWait is how long a request waits for a room whose relay does not answer to be taken by another.
	leadWait = 3 * time.Second
)

// directed leads requests for a room that is on another relay there: 307, so that method and body stay. Everything else
// is answered here.
func (s *Server) directed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.dir != nil && r.Method == http.MethodGet && r.URL.Path == api.Base+"/rooms" && fromPage(r) {
			s.gather(w, r, next)
			return
		}
		name, joins := s.roomOf(r)
		if s.dir == nil || name == "" || s.rooms.get(name) != nil {
			next.ServeHTTP(w, r)
			return
		}
		to, err := s.lead(r, name, joins)
		switch {
		case err != nil:
			allowOrigins(w)
			s.unavailable(w, r, auth.Grant{Room: name}, err)
		case to == "":
			next.ServeHTTP(w, r)
		case fromPage(r):
			s.pass(w, r, to)
		default:
			redirect(w, r, to)
		}
	})
}

// lead returns the relay that a request belongs to; empty: here.
func (s *Server) lead(r *http.Request, name string, joins bool) (to string, err error) {
	if !joins {
		at, mine, found, err := s.dir.Find(r.Context(), name)
		if err != nil || mine || !found {
			return "", err
		}
		return at.URL, nil
	}
	for end := time.Now().Add(leadWait); ; {
		at, mine, err := s.dir.Where(r.Context(), name, hops(r) > 0)
		if errors.Is(err, cluster.ErrWait) && time.Now().Before(end) && pause(r.Context(), 200*time.Millisecond) {
			continue
		}
		if err != nil || mine {
			return "", err
		}
		return at.URL, nil
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// roomOf returns the room that a request is about, and whether it wants to come in. It is empty where there is none, or
// where the request is refused anyway: who has no token opens no room.
func (s *Server) roomOf(r *http.Request) (name string, joins bool) {
	if s.dir == nil {
		return "", false
	}
	part := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/ws":
		joins = true
	case len(part) == 2 && (part[0] == "whip" || part[0] == "whep") && r.Method == http.MethodPost:
		name, joins = part[1], true
	case (len(part) == 3 || len(part) == 4) && (part[0] == "whip" || part[0] == "whep") && r.Method != http.MethodOptions:
		name = part[1]
		if s.guests.get(part[2]) != nil {
			return "", false
		}
	case strings.HasPrefix(r.URL.Path, api.Base+"/rooms/") && r.Method != http.MethodOptions:
		name, _, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, api.Base+"/rooms/"), "/")
	default:
		return "", false
	}
	g, err := s.auth.Check(bearer(r))
	if err != nil || s.book.Withdrawn(g.ID) {
		return "", false
	}
	if name == "" {
		if name = g.Room; name == auth.AllRooms {
			name = r.URL.Query().Get("room")
		}
	}
	if !auth.RoomName(name) || !g.Covers(name) {
		return "", false
	}
	return name, joins
}

func hops(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get(hopsParameter))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// redirect leads a request to another relay.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	allowOrigins(w)
	n := hops(r) + 1
	u, err := url.Parse(to)
	if err != nil || n > maxHops {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "the relays do not agree on where the room is: try again in a moment", http.StatusServiceUnavailable)
		return
	}
	q := r.URL.Query()
	q.Set(hopsParameter, strconv.Itoa(n))
	u.Path, u.RawQuery = strings.TrimSuffix(u.Path, "/")+r.URL.Path, q.Encode()
	w.Header().Set("Location", u.String())
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusTemporaryRedirect)
}
