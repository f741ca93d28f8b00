package server

import (
	"context"
	"net"
	"net/http"
	"strings"

	"sightline/relay/internal/api"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/wire"
)

// note writes an event to the audit log. Where that fails the relay goes on, and its own log says so.
func (s *Server) note(e audit.Event) {
	if err := s.audit.Write(e); err != nil {
		s.log.Error("the audit log cannot be written; is the disk full?", "error", err, "what", e.What, "room", e.Room, "participant", e.Participant)
	}
}

// refused notes that somebody was not let in.
func (s *Server) refused(r *http.Request, g auth.Grant, reason string) {
	if s.noteRefused(audit.Event{What: audit.Refused, Room: g.Room, Name: g.Name, Role: g.Role, Invitation: g.ID,
		Address: address(r), By: way(r), Reason: reason, Detail: asked(r)}) {
		s.log.Info("refused", "room", g.Room, "name", g.Name, "address", address(r), "reason", reason)
	}
}

// asked says what a request to the REST API wanted; empty for others, whose path says no more than their way.
func asked(r *http.Request) string {
	if !strings.HasPrefix(r.URL.Path, api.Base+"/") {
		return ""
	}
	return r.Method + " " + strings.TrimPrefix(r.URL.Path, api.Base)
}

// entry is what the audit log says of a participant in every line.
func entry(r *http.Request, g auth.Grant, who wire.Participant) audit.Event {
	return audit.Event{Room: g.Room, Participant: who.ID, Name: g.Name, Role: g.Role, Address: address(r), By: way(r), Invitation: g.ID}
}

// happened is a line about a participant.
func happened(e audit.Event, what, reason, detail string) audit.Event {
	e.What, e.Reason, e.Detail = what, reason, detail
	return e
}

// way is how a request wants to come in.
func way(r *http.Request) string {
	switch {
	case strings.HasPrefix(r.URL.Path, "/whip/"):
		return "WHIP"
	case strings.HasPrefix(r.URL.Path, "/whep/"):
		return "WHEP"
	case r.URL.Path == "/ws":
		return "socket"
	case strings.HasPrefix(r.URL.Path, "/console"), strings.HasPrefix(r.URL.Path, "/signin"):
		return "console"
	}
	return "REST"
}

// address is where a request comes from: the other end of its connection, or, where a proxy on this machine
// has passed it on, what the proxy says that its other end is.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	forwarded := r.Header.Values("X-Forwarded-For")
	if !isForwarded(r) {
		return host
	}
	hops := strings.Split(forwarded[len(forwarded)-1], ",")
	if ip := net.ParseIP(strings.TrimSpace(hops[len(hops)-1])); ip != nil {
		return ip.String()
	}
	return "unknown"
}

// isForwarded says whether a proxy that is believed has passed a request on: one on this machine, or the configured one.
func isForwarded(r *http.Request) bool {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return ip != nil && (ip.IsLoopback() || r.Context().Value(proxied{}) != nil) && len(r.Header.Values("X-Forwarded-For")) > 0
}

// proxied marks the requests that the proxy has passed on.
type proxied struct{}

func withProxy(ctx context.Context) context.Context { return context.WithValue(ctx, proxied{}, true) }

// isLocal says whether a request comes from this machine.
func isLocal(r *http.Request) bool {
	ip := net.ParseIP(address(r))
	return ip != nil && ip.IsLoopback()
}
