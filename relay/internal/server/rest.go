package server

import (
	"net/http"
	"strings"
	"time"

	"sightline/relay/internal/api"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/invitation"
)

// rest is the Server as the REST API sees it.
func (s *Server) rest() api.Config {
	return api.Config{Moderator: s, Rooms: s, Invitations: s, Archive: s, Standbys: s, Maps: s, Cases: s, CaseKeeper: s, Door: s, Log: s.log}
}

// Draining says whether the relay is going out of service.
func (s *Server) Draining() bool {
	draining, _ := s.rooms.draining()
	return draining
}

// Invite makes an invitation.
func (s *Server) Invite(g auth.Grant, ttl time.Duration, by audit.Actor) (string, invitation.Invitation, error) {
	token, made, err := s.book.Make(s.auth, g, ttl, by.Name)
	if err == nil {
		s.note(audit.Event{What: audit.Invited, Room: made.Room, Name: made.Name, Role: made.Role, Rights: made.Rights, Invitation: made.ID,
			Actor: by.Name, Address: by.Address, By: by.By, Detail: "for " + ttl.String()})
	}
	return token, made, err
}

// Invitations are those that have not expired.
func (s *Server) Invitations() ([]invitation.Invitation, error) { return s.book.List() }

// Audit returns the last events of the audit log of which it is to be so, the latest first.
func (s *Server) Audit(last int, of func(audit.Event) bool) ([]audit.Event, error) {
	return audit.Last(s.cfg.Data, last, of)
}

// Forbid notes that somebody was not let do something.
func (s *Server) Forbid(r *http.Request, g auth.Grant, why string) { s.refused(r, g, why) }

// Actor is who a request comes from.
func (s *Server) Actor(r *http.Request, g auth.Grant) audit.Actor {
	return audit.Actor{Name: g.Name, Invitation: g.ID, Address: address(r), By: way(r)}
}

// PublicURL is where people reach the relay: as it is configured, or as the one who asks has done it now.
func (s *Server) PublicURL(r *http.Request) string {
	if s.cfg.PublicURL != "" {
		return strings.TrimSuffix(s.cfg.PublicURL, "/")
	}
	scheme := "http"
	if r.TLS != nil || s.tls != nil || isForwarded(r) && r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
