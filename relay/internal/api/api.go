// Package api is the relay's REST API, version 1: what rooms look like, who is in them, moderation, invitations,
// maps of machines, recordings and the audit log. It is described by the OpenAPI document in openapi.json, which it serves too; a test
// holds the two together.
//
// Every request but those for health and for the document carries a bearer token. A token is good for its room, or, of
// staff, for all; what it may do there is in its rights. Answers are JSON, errors RFC 9457 problems.
package api

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/invitation"
	"sightline/relay/internal/room"
)

// Moderator does what a moderator may. Errors are room.ErrNoRoom, room.ErrUnknown and room.ErrNoKnock.
type Moderator interface {
	Mute(room, participant string, audio, video bool, by audit.Actor) error
	Remove(room, participant string, by audit.Actor) error
	Lock(room string, on bool, by audit.Actor) error
	Answer(room, participant string, admit bool, by audit.Actor) error
}

// Rooms says what rooms look like.
type Rooms interface {
	Rooms() []room.Status
	Waiting(room string) []room.Asker // all rooms' where room is empty
	Draining() bool
}

// Invitations is the book of invitations.
type Invitations interface {
	Invite(g auth.Grant, ttl time.Duration, by audit.Actor) (token string, made invitation.Invitation, err error)
	Invitations() ([]invitation.Invitation, error)
	Withdraw(id string, by audit.Actor) (invitation.Invitation, error)
}

// Archive is what has been written down.
type Archive interface {
	Audit(last int, of func(audit.Event) bool) ([]audit.Event, error)
}

// Door says who a request comes from. Where Grant fails, status is the answer's.
type Door interface {
	Grant(r *http.Request) (g auth.Grant, status int, err error)
	Forbid(r *http.Request, g auth.Grant, why string)
	Actor(r *http.Request, g auth.Grant) audit.Actor
	PublicURL(r *http.Request) string // where participants reach the relay
}

// Config is what the API needs. All must be set.
type Config struct {
	Moderator   Moderator
	Rooms       Rooms
	Invitations Invitations
	Archive     Archive
	Standbys    Standbys
	Maps        Maps
	Cases       Cases
	CaseKeeper  CaseKeeper
	Door        Door
	Log         *slog.Logger
}

//go:embed openapi.json
var document []byte

// Document returns the OpenAPI document.
func Document() []byte { return document }

// route is one thing that the API does.
type route struct {
	method, path string // the path as http.ServeMux and OpenAPI have it
	right        string // what the token must carry; empty: any token
	open         bool   // needs no token
	do           func(call) (status int, answer any, err error)
}

// call is one request.
type call struct {
	context.Context
	*Config
	r     *http.Request
	w     http.ResponseWriter
	grant auth.Grant
	room  string // of the path; empty where it names none
}

func (c call) actor() audit.Actor { return c.Door.Actor(c.r, c.grant) }

// routes are all that there are.
func routes() []route {
	return []route{
		{"GET", "/health", "", true, health},
		{"GET", "/openapi.json", "", true, nil},
		{"GET", "/me", "", false, me},
		{"GET", "/rooms", "", false, listRooms},
		{"GET", "/rooms/{room}", "", false, getRoom},
		{"GET", "/rooms/{room}/participants", "", false, listParticipants},
		{"PUT", "/rooms/{room}/participants/{participant}/mute", auth.Moderate, false, mute},
		{"DELETE", "/rooms/{room}/participants/{participant}", auth.Moderate, false, remove},
		{"PUT", "/rooms/{room}/lock", auth.Moderate, false, lock},
		{"GET", "/rooms/{room}/lobby", auth.Moderate, false, listLobby},
		{"POST", "/rooms/{room}/lobby/{participant}", auth.Moderate, false, answer},
		{"GET", "/rooms/{room}/standbys/{case}", auth.Publish, false, hasStandby},
		{"PATCH", "/rooms/{room}/standbys/{case}", auth.Publish, false, takeStandby},
		{"GET", "/rooms/{room}/maps", auth.Publish, false, listMaps},
		{"GET", "/rooms/{room}/maps/{machine}", auth.Publish, false, getMap},
		{"PUT", "/rooms/{room}/maps/{machine}", auth.Publish, false, keepMap},
		{"DELETE", "/rooms/{room}/maps/{machine}", auth.Moderate, false, deleteMap},
		{"GET", "/cases", auth.Record, false, listCases},
		{"GET", "/cases/{case}", auth.Record, false, getCase},
		{"GET", "/cases/{case}/verdict", auth.Play, false, verdict},
		{"GET", "/cases/{case}/archive", auth.Play, false, archiveCase},
		{"GET", "/cases/{case}/export", auth.Export, false, exportCase},
		{"PUT", "/cases/{case}/hold", auth.Hold, false, holdCase},
		{"DELETE", "/cases/{case}/hold", auth.Hold, false, releaseCase},
		{"DELETE", "/cases/{case}", auth.Delete, false, deleteCase},
		{"GET", "/invitations", auth.Moderate, false, listInvitations},
		{"POST", "/invitations", auth.Moderate, false, invite},
		{"DELETE", "/invitations/{id}", auth.Moderate, false, withdraw},
		{"GET", "/audit", auth.Audit, false, listAudit},
	}
}

// Base is where the API is.
const Base = "/api/v1"

// Handle serves the API under Base.
func Handle(mux *http.ServeMux, cfg Config) {
	for _, r := range routes() {
		mux.HandleFunc(r.method+" "+Base+r.path, func(w http.ResponseWriter, req *http.Request) { cfg.serve(r, w, req) })
	}
	mux.HandleFunc(Base+"/", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, "no such thing: "+Base+"/openapi.json describes all that there is")
	})
}

// serve answers one request.
func (cfg *Config) serve(r route, w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.do == nil {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(document)
		return
	}
	c := call{Context: req.Context(), Config: cfg, r: req, w: w, room: req.PathValue("room")}
	if !r.open {
		g, status, err := cfg.Door.Grant(req)
		if err != nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			problem(w, status, err.Error())
			return
		}
		c.grant = g
		if why := refuses(r, c); why != "" {
			cfg.Door.Forbid(req, c.grant, why)
			problem(w, http.StatusForbidden, why)
			return
		}
	}
	status, out, err := r.do(c)
	if err != nil {
		c.fail(err)
		return
	}
	if status != 0 { // else it is answered
		write(w, status, "application/json", out)
	}
}

// refuses says why a token is not good for a request; empty where it is.
func refuses(r route, c call) string {
	switch {
	case r.right != "" && !c.grant.May(r.right):
		return "the token has not the right " + r.right
	case c.room != "" && !auth.RoomName(c.room): // it would be part of a path
		return fmt.Sprintf("%.80q is no room's name: letters, digits, - and _ only, 1 to 64", c.room)
	case c.room != "" && !c.grant.Covers(c.room):
		return "the token is for room " + c.grant.Room
	}
	return ""
}
