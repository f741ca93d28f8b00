package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/invitation"
)

func listInvitations(c call) (int, any, error) {
	all, err := c.Invitations.Invitations()
	if err != nil {
		return 0, nil, err
	}
	all = slices.DeleteFunc(all, func(i invitation.Invitation) bool { return !c.grant.Covers(i.Room) })
	return http.StatusOK, map[string]any{"invitations": append([]invitation.Invitation{}, all...)}, nil
}

// Bounds of how long an invitation holds.
const (
	usualTTL = 12 * time.Hour
	maxTTL   = 365 * 24 * time.Hour
)

// invite makes an invitation. Nobody gives a right that he has not, but for publish and draw, which are what
// invitations are for.
func invite(c call) (int, any, error) {
	var want struct {
		Room    string   `json:"room"`
		Role    string   `json:"role"`
		Name    string   `json:"name"`
		Rights  []string `json:"rights"`
		Watch   []string `json:"watch"`
		Staff   bool     `json:"staff"`
		Consent bool     `json:"consent"`
		Seconds int64    `json:"expires_in"`
	}
	if err := body(c, &want); err != nil {
		return 0, nil, err
	}
	ttl := usualTTL
	if want.Seconds != 0 {
		ttl = time.Duration(want.Seconds) * time.Second
	}
	if want.Seconds < 0 || want.Seconds > int64(maxTTL/time.Second) {
		return 0, nil, bad("expires_in is %d: want seconds, at most %d", want.Seconds, int64(maxTTL/time.Second))
	}
	g := auth.Grant{Room: want.Room, Role: want.Role, Name: want.Name, Rights: want.Rights, Watch: want.Watch, Staff: want.Staff, Consent: want.Consent}
	if err := g.Valid(); err != nil {
		return 0, nil, bad("%v", err)
	}
	if why := exceeds(c.grant, g); why != "" {
		c.Door.Forbid(c.r, c.grant, why)
		return 0, nil, refusal{http.StatusForbidden, why}
	}
	token, made, err := c.Invitations.Invite(g, ttl, c.actor())
	if err != nil {
		return 0, nil, err
	}
	c.w.Header().Set("Location", Base+"/invitations/"+made.ID)
	return http.StatusCreated, map[string]any{"invitation": made, "token": token, "link": c.Door.PublicURL(c.r) + "/join#" + token}, nil
}

// exceeds says what of a grant its giver may not give; empty where he may.
func exceeds(giver, g auth.Grant) string {
	if !giver.Covers(g.Room) {
		return "the token is for room " + giver.Room
	}
	if g.Staff && !giver.Staff {
		return "only staff invites staff"
	}
	for _, right := range g.Rights {
		if right != auth.Publish && right != auth.Draw && !giver.May(right) {
			return "the token has not the right " + right + ", and cannot give it"
		}
	}
	return ""
}

func withdraw(c call) (int, any, error) {
	id := c.r.PathValue("id")
	all, err := c.Invitations.Invitations()
	if err != nil {
		return 0, nil, err
	}
	if !slices.ContainsFunc(all, func(i invitation.Invitation) bool { return i.ID == id && c.grant.Covers(i.Room) }) {
		return 0, nil, invitation.ErrUnknown
	}
	_, err = c.Invitations.Withdraw(id, c.actor())
	return http.StatusNoContent, nil, err
}

// Bounds of how much of the audit log is returned.
const (
	usualEvents = 200
	maxEvents   = 5000
)

func listAudit(c call) (int, any, error) {
	q := c.r.URL.Query()
	last, err := number(q, "last", usualEvents, maxEvents)
	if err != nil {
		return 0, nil, err
	}
	only := q.Get("room")
	events, err := c.Archive.Audit(last, func(e audit.Event) bool {
		return (only == "" || e.Room == only) && (c.grant.Room == auth.AllRooms || e.Room == c.grant.Room)
	})
	return http.StatusOK, map[string]any{"events": append([]audit.Event{}, events...)}, err
}

// number reads a number of the query.
func number(q url.Values, name string, usual, most int) (int, error) {
	text := strings.TrimSpace(q.Get(name))
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, bad("%s is %.20q: want a number from 1 to %d", name, text, most)
	}
	return n, nil
}
