package server

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sightline/relay/internal/api"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/limit"
)

// Limits bound what one address and one participant may do. 0 is no limit.
type Limits struct {
	JoinsPerMinute    int // of one address, let in or not
	RequestsPerMinute int // of one address, to the REST API and to all else that wants a token
	MessagesPerSecond int // of one participant, on the socket and on data channels
	Connections       int // TCP, of one address; not behind a proxy on this machine, which counts for all
}

// How long HTTP may take: who is slower is cut off.
const (
	headerTime = 5 * time.Second
	bodyTime   = 15 * time.Second // with the header
	idleTime   = time.Minute
	maxHeader  = 16 << 10 // bytes
)

// limitJoins lets an address join so often and no oftener. It stands before the look at the token, so that
// tokens cannot be guessed either.
func (s *Server) limitJoins(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := s.joins.Ask(limit.Network(address(r)))
		if a.OK {
			next(w, r)
			return
		}
		if a.Tell {
			s.refused(r, auth.Grant{}, fmt.Sprintf("more than %d joins a minute from this address; the next minute's are not listed", s.cfg.Limits.JoinsPerMinute))
		}
		seconds := int(math.Ceil(a.Wait.Seconds()))
		allowOrigins(w)
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		http.Error(w, fmt.Sprintf("too many joins from your address, at most %d a minute: try again in %d s", s.cfg.Limits.JoinsPerMinute, seconds),
			http.StatusTooManyRequests)
	}
}

// limitRequests bounds how often an address asks for something that wants a token, besides to join.
func (s *Server) limitRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !wantsToken(r) {
			next.ServeHTTP(w, r)
			return
		}
		if a := s.requests.Ask(limit.Network(address(r))); !a.OK {
			if !strings.HasPrefix(r.URL.Path, api.Base+"/") {
				allowOrigins(w)
			}
			api.TooMany(w, a.Wait, fmt.Sprintf("at most %d requests a minute from one address", s.cfg.Limits.RequestsPerMinute))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// wantsToken says whether a request is to the REST API, or one of those beside it that are no joins.
func wantsToken(r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, api.Base+"/") {
		return true
	}
	part := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch part[0] {
	case "where":
		return r.Method != http.MethodOptions
	case "whip", "whep":
		return r.Method != http.MethodOptions && len(part) > 2 // else it is a join
	}
	return false
}

// The first refusals of an address are noted, and then one a minute: the audit log is never shortened.
const refusalsNoted = 30

// noteRefused notes that somebody was not let do something, and says whether it has.
func (s *Server) noteRefused(e audit.Event) bool {
	a := s.refusals.Ask(limit.Network(e.Address))
	if a.Tell {
		e.Reason += "; so were more from this address, not all of which are listed"
	}
	if a.OK || a.Tell {
		s.note(e)
	}
	return a.OK || a.Tell
}

// tooMany is told to a participant who says too much.
func (s *Server) tooMany() string {
	return fmt.Sprintf("too many messages, at most %d a second", s.cfg.Limits.MessagesPerSecond)
}
