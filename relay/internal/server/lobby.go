package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/room"
	"sightline/relay/internal/webhook"
	"sightline/relay/wire"
)

// lobby holds those who ask to be let in. What was answered is in the room's log, so that who was admitted once
// comes back by himself, also after the relay was away.
type lobby struct {
	mu      sync.Mutex
	waiting map[string]*knock // by the participant's ID, which is another in every room
}

// knock is somebody who asks to be let in.
type knock struct {
	room   string
	who    wire.Participant
	grant  auth.Grant
	note   audit.Event
	since  time.Time
	until  time.Time     // of who asks by HTTP, and has to ask again before; zero: holds a socket
	answer chan error    // nil: come in
	gone   chan struct{} // closed when another knock has taken its place
}

// Bounds of the lobby.
const (
	maxWaiting = 500
	knockAgain = 10 * time.Second // who waits by socket is told again that he does
	knockHolds = 30 * time.Second // who asks by HTTP asks again before
	askAgain   = "3"              // seconds, told to who asks by HTTP
)

// What those who wait are told.
const (
	waitText    = "You are in the lobby. A moderator will let you in; leave this open."
	refusedText = "A moderator did not let you in."
)

var errLobbyFull = errors.New("too many are waiting to be let in: try again in a minute")

// mustWait says whether somebody has to be admitted: guests where the room has a lobby, and everybody who comes with
// an invitation whose bearer was removed; in either case until a moderator has admitted him.
func (s *Server) mustWait(ctx context.Context, g auth.Grant, id string) (bool, error) {
	removed, err := s.lobbyState(ctx, g.Room, invitationRegister(g.ID))
	if err != nil {
		return false, err
	}
	guest := s.cfg.Rooms.Of(g.Room).Lobby && !g.Staff && !g.May(auth.Moderate)
	if !guest && removed.State == "" {
		return false, nil
	}
	own, err := s.lobbyState(ctx, g.Room, id)
	if err != nil {
		return false, err
	}
	admitted := own.State == wire.LobbyAdmitted && own.Invitation == g.ID && own.at > removed.at
	return !admitted, nil
}

// invitationRegister is the ID under which the log says that an invitation's bearer was removed.
func invitationRegister(id string) string { return "invitation/" + id }

type lobbyState struct {
	wire.Lobby
	at int64 // session time, µs; -1 where nothing was said
}

func (s *Server) lobbyState(ctx context.Context, room, id string) (lobbyState, error) {
	state := lobbyState{at: -1}
	e, ok, err := s.bus.Get(ctx, room, wire.KindLobby, id)
	if err == nil && ok && json.Unmarshal(e.Body, &state.Lobby) == nil {
		state.at = e.Time
	}
	return state, err
}

// knock asks for somebody to be let in. A knock by socket takes the place of an older one of the same participant;
// one by HTTP renews it.
func (s *Server) knock(k *knock) (*knock, error) {
	l := &s.lobby
	l.mu.Lock()
	old := l.waiting[k.who.ID]
	if old != nil && !k.until.IsZero() && !old.until.IsZero() {
		old.until = k.until
		l.mu.Unlock()
		return old, nil
	}
	if old == nil && len(l.waiting) >= maxWaiting {
		l.mu.Unlock()
		return nil, errLobbyFull
	}
	k.since, k.answer, k.gone = s.cfg.Now(), make(chan error, 1), make(chan struct{})
	if old != nil {
		k.since = old.since
		close(old.gone)
	}
	l.waiting[k.who.ID] = k
	l.mu.Unlock()
	if old == nil {
		s.reportLobby(k, wire.LobbyWaiting, "")
		s.note(happened(k.note, audit.Waiting, "", ""))
		s.tell(webhook.LobbyWaiting, k.room, map[string]any{"participant": k.who})
		s.log.Info("waits in the lobby", "room", k.room, "id", k.who.ID, "name", k.who.Name)
	}
	return k, nil
}

// take takes a knock out of the lobby; nil where it is not there any more.
func (l *lobby) take(room, id string) *knock {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.waiting[id]
	if k == nil || k.room != room {
		return nil
	}
	delete(l.waiting, id)
	return k
}

// list returns those who wait for a room, who came first before.
func (l *lobby) list(room string) []knock {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []knock
	for _, k := range l.waiting {
		if room == "" || k.room == room {
			all = append(all, *k)
		}
	}
	slices.SortFunc(all, func(a, b knock) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.who.ID, b.who.ID)) })
	return all
}

// Waiting returns those who wait for a room, who came first before; of all rooms where the name is empty.
func (s *Server) Waiting(name string) []room.Asker {
	out := []room.Asker{}
	for _, k := range s.lobby.list(name) {
		out = append(out, room.Asker{Participant: k.who, Room: k.room, Since: k.since.UTC(), Address: k.note.Address})
	}
	return out
}

// giveUp takes a knock out whose asker has gone.
func (s *Server) giveUp(k *knock) {
	l := &s.lobby
	l.mu.Lock()
	mine := l.waiting[k.who.ID] == k
	if mine {
		delete(l.waiting, k.who.ID)
	}
	l.mu.Unlock()
	if mine {
		s.reportLobby(k, wire.LobbyGone, "")
		s.note(happened(k.note, audit.Gone, "went before there was an answer", ""))
	}
}

// forgetKnocks lets go of those by HTTP who have not asked again.
func (s *Server) forgetKnocks(now time.Time) {
	for _, k := range s.lobby.list("") {
		if !k.until.IsZero() && now.After(k.until) {
			if late := s.lobby.take(k.room, k.who.ID); late != nil {
				s.reportLobby(late, wire.LobbyGone, "")
				s.note(happened(late.note, audit.Gone, "did not ask again", ""))
			}
		}
	}
}

// reportLobby writes to the room's log what became of a knock.
func (s *Server) reportLobby(k *knock, state, by string) {
	s.rooms.report(k.room, wire.KindLobby, k.who.ID, wire.Lobby{State: state, Name: k.who.Name, Role: k.who.Role, By: by, Invitation: k.grant.ID})
}

// wait keeps a socket in the lobby until there is an answer.
func (c *conn) wait(g auth.Grant) error {
	k, err := c.s.knock(&knock{room: g.Room, who: c.who, grant: g, note: c.event()})
	if err != nil {
		return signalError{wire.CodeTooMany, err.Error()}
	}
	again := time.NewTicker(knockAgain)
	defer again.Stop()
	for {
		c.Tell(wire.Signal{Type: wire.SignalWaiting, Room: g.Room, Text: waitText})
		select {
		case err := <-k.answer:
			return err
		case <-again.C:
		case <-k.gone:
			return errReplaced
		case <-c.ctx.Done():
			c.s.giveUp(k)
			return context.Cause(c.ctx)
		}
	}
}

// askToWait answers a WHIP or WHEP client who has to be admitted: it asks again until it may come in.
func (s *Server) askToWait(w http.ResponseWriter, g auth.Grant, who wire.Participant, note audit.Event) {
	_, err := s.knock(&knock{room: g.Room, who: who, grant: g, note: note, until: s.cfg.Now().Add(knockHolds)})
	if err != nil {
		w.Header().Set("Retry-After", "60")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Retry-After", askAgain)
	http.Error(w, waitText, http.StatusServiceUnavailable)
}
