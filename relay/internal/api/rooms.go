package api

import (
	"net/http"
	"slices"
	"strings"

	"sightline/relay/internal/room"
)

func health(c call) (int, any, error) {
	state := "ready"
	if c.Rooms.Draining() {
		state = "draining"
	}
	return http.StatusOK, map[string]any{"status": state}, nil
}

// me says what the token grants, so that a page knows what to offer.
func me(c call) (int, any, error) {
	g := c.grant
	return http.StatusOK, map[string]any{"room": g.Room, "role": g.Role, "name": g.Name, "rights": g.Rights, "staff": g.Staff,
		"invitation": g.ID, "expires": g.ExpiresAt.UTC()}, nil
}

// rooms are the open rooms that the token covers, by name.
func (c call) rooms() []room.Status {
	all := slices.DeleteFunc(c.Rooms.Rooms(), func(s room.Status) bool { return !c.grant.Covers(s.Room) })
	slices.SortFunc(all, func(a, b room.Status) int { return strings.Compare(a.Room, b.Room) })
	return all
}

func listRooms(c call) (int, any, error) {
	all := c.rooms()
	if all == nil {
		all = []room.Status{}
	}
	waiting := map[string]int{}
	for _, a := range c.Rooms.Waiting("") {
		if c.grant.Covers(a.Room) {
			waiting[a.Room]++
		}
	}
	return http.StatusOK, map[string]any{"rooms": all, "waiting": waiting}, nil
}

// the returns the open room of the path.
func (c call) the() (room.Status, error) {
	for _, s := range c.rooms() {
		if s.Room == c.room {
			return s, nil
		}
	}
	return room.Status{}, room.ErrNoRoom
}

func getRoom(c call) (int, any, error) {
	s, err := c.the()
	return http.StatusOK, s, err
}

func listParticipants(c call) (int, any, error) {
	s, err := c.the()
	return http.StatusOK, map[string]any{"participants": s.Participants}, err
}

func mute(c call) (int, any, error) {
	var want struct {
		Audio *bool `json:"audio"`
		Video *bool `json:"video"`
	}
	if err := body(c, &want); err != nil {
		return 0, nil, err
	}
	if want.Audio == nil || want.Video == nil {
		return 0, nil, bad("want both audio and video, true or false")
	}
	return http.StatusNoContent, nil, c.Moderator.Mute(c.room, c.r.PathValue("participant"), *want.Audio, *want.Video, c.actor())
}

func remove(c call) (int, any, error) {
	return http.StatusNoContent, nil, c.Moderator.Remove(c.room, c.r.PathValue("participant"), c.actor())
}

func lock(c call) (int, any, error) {
	var want struct {
		Locked *bool `json:"locked"`
	}
	if err := body(c, &want); err != nil {
		return 0, nil, err
	}
	if want.Locked == nil {
		return 0, nil, bad("want locked, true or false")
	}
	return http.StatusNoContent, nil, c.Moderator.Lock(c.room, *want.Locked, c.actor())
}

func listLobby(c call) (int, any, error) {
	return http.StatusOK, map[string]any{"waiting": c.Rooms.Waiting(c.room)}, nil
}

func answer(c call) (int, any, error) {
	var want struct {
		Admit *bool `json:"admit"`
	}
	if err := body(c, &want); err != nil {
		return 0, nil, err
	}
	if want.Admit == nil {
		return 0, nil, bad("want admit, true or false")
	}
	return http.StatusNoContent, nil, c.Moderator.Answer(c.room, c.r.PathValue("participant"), *want.Admit, c.actor())
}
