package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/sfu"
	"sightline/relay/wire"
)

// guest is a session by WHIP or WHEP, and the room's Member. It lives from the answer to its offer until
// its media path fails, it is deleted, or the relay closes.
type guest struct {
	s     *Server
	id    string
	room  *openRoom
	who   wire.Participant
	grant auth.Grant
	want  func(*sfu.Up) int // nil for who publishes
	share float64           // how large a watcher shows pictures, of their full size
	peer  *sfu.Guest
	note  audit.Event // what the audit log says of the participant in every line

	ctx   context.Context
	fail  context.CancelCauseFunc
	ended chan struct{} // closed when all is over

	mu      sync.Mutex
	paths   int    // the network paths so far: the ETag
	consent string // to being recorded: given, refused, or empty where he has not answered
}

// guests are the sessions, by their IDs.
type guests struct {
	mu   sync.Mutex
	byID map[string]*guest
}

func (g *guests) get(id string) *guest {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.byID[id]
}

func (g *guests) set(id string, to *guest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if to == nil {
		delete(g.byID, id)
	} else {
		g.byID[id] = to
	}
}

// The path of a guest: how long its first connection may take, and how long a silent path is waited for,
// so that its client can come over another.
const (
	guestConnects = 20 * time.Second
	guestLost     = 5 * time.Second
	guestFails    = 25 * time.Second
	guestKeep     = 2 * time.Second // between checks of the path, besides what comes
)

var errNoPath = errors.New("no media came: is UDP blocked?")

// wanted scores what a watcher is to see: what was asked for; else the field's camera before others'.
func wanted(participant, track string) func(*sfu.Up) int {
	return func(u *sfu.Up) int {
		switch {
		case participant != "" && u.Participant != participant, track != "" && u.Name != track:
			return -1
		case u.Role == auth.Field:
			return 2
		case u.Role == auth.Expert:
			return 1
		}
		return 0
	}
}

// shareOf reads how large a picture is shown, of its full size.
func shareOf(scale string) (float64, error) {
	if scale == "" {
		return 1, nil
	}
	share, err := strconv.ParseFloat(scale, 64)
	if err != nil || !(share > 0 && share <= 1) {
		return 0, fmt.Errorf("scale %.40q: want a number above 0 and up to 1", scale)
	}
	return share, nil
}

// open answers the offer and brings the guest into its room.
func (g *guest) open(ctx context.Context, offer string) (answer string, err error) {
	s, grant := g.s, g.grant
	s.conns.Add(1)
	if s.ctx.Err() != nil {
		s.conns.Done()
		return "", &roomError{errClosing}
	}
	if g.room, err = s.enter(ctx, g, grant.Room); err != nil {
		s.conns.Done()
		return "", &roomError{err}
	}
	g.ctx, g.fail = context.WithCancelCause(s.ctx)
	g.ended = make(chan struct{})
	settings := s.media.settings()
	settings.SetICETimeouts(guestLost, guestFails, guestKeep)
	cfg := sfu.LinkConfig{Participant: g.who.ID, Role: g.who.Role, Settings: settings, Alive: guestLost / 3, Ports: s.media.ports(), Rewrite: s.media.rewrite,
		Log: s.log, Now: s.cfg.Now, Pool: s.pool, Flush: s.media.flush, OnUp: g.published, OnFail: g.fail}
	if g.want == nil {
		g.peer, answer, err = sfu.Ingest(cfg, offer)
	} else {
		g.peer, answer, err = sfu.Egress(cfg, offer, g.want, g.share)
	}
	if err != nil {
		g.fail(err)
		s.rooms.leave(grant.Room)
		s.conns.Done()
		return "", err
	}
	s.guests.set(g.id, g)
	if err := g.room.Join(g, grant.Watch); err != nil {
		s.guests.set(g.id, nil)
		g.fail(err)
		g.peer.Close()
		s.rooms.leave(grant.Room)
		s.conns.Done()
		return "", &roomError{err}
	}
	g.sayConsent()
	s.note(happened(g.note, audit.Joined, "", ""))
	s.log.Info("joined", "room", g.room.Name(), "id", g.who.ID, "name", g.who.Name, "role", g.who.Role, "by", g.protocol())
	go g.live()
	return answer, nil
}

// roomError is why a room could not be opened.
type roomError struct{ error }

func (e *roomError) Unwrap() error { return e.error }

func (g *guest) protocol() string {
	if g.want == nil {
		return "WHIP"
	}
	return "WHEP"
}

// published takes a track of the guest's.
func (g *guest) published(u *sfu.Up) {
	g.s.note(happened(g.note, audit.Published, "", u.Name))
	g.room.TrackUp(g, u)
}

// live waits for the end.
func (g *guest) live() {
	defer g.s.conns.Done()
	defer close(g.ended)
	late := time.AfterFunc(guestConnects, func() {
		select {
		case <-g.peer.Connected():
		default:
			g.fail(errNoPath)
		}
	})
	<-g.ctx.Done()
	late.Stop()
	reason, cause := audit.Lost, context.Cause(g.ctx)
	if errors.Is(cause, errLeft) {
		reason = audit.Left
	}
	g.s.guests.set(g.id, nil)
	g.room.Leave(g, reason)
	g.peer.Close()
	g.s.rooms.leave(g.room.Name())
	g.s.note(happened(g.note, reason, cause.Error(), ""))
	g.s.log.Info(reason, "room", g.room.Name(), "id", g.who.ID, "name", g.who.Name, "reason", cause)
}

// etag names the network path that is negotiated.
func (g *guest) etag() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return fmt.Sprintf(`"path-%d"`, g.paths)
}

// patch takes candidates of the path that match names, or, where match is *, new credentials.
func (g *guest) patch(match string, f sfu.Fragment) (answer, etag string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	etag = fmt.Sprintf(`"path-%d"`, g.paths)
	switch match {
	case "":
		return "", "", refusal{http.StatusPreconditionRequired, "want If-Match: the session's ETag for candidates, * for a new path"}
	case "*":
		if answer, err = g.peer.Restart(f); err != nil {
			return "", "", refusal{http.StatusConflict, "no new path: " + err.Error()}
		}
		g.paths++
		g.s.log.Info("new path", "room", g.room.Name(), "id", g.who.ID, "name", g.who.Name)
		return answer, fmt.Sprintf(`"path-%d"`, g.paths), nil
	case etag:
		if err := g.peer.Trickle(f); err != nil {
			return "", "", refusal{http.StatusBadRequest, err.Error()}
		}
		return "", "", nil
	}
	return "", "", refusal{http.StatusPreconditionFailed, "the path is " + etag + " now"}
}

// Who is the participant. It and what follows make a guest the room's Member; it has no channel for
// messages, so it hears none.
func (g *guest) Who() wire.Participant { return g.who }

// May says whether the participant has a right.
func (g *guest) May(right string) bool { return g.grant.May(right) }

// Grant is what the token says.
func (g *guest) Grant() auth.Grant { return g.grant }

// Subscribe offers a track.
func (g *guest) Subscribe(u *sfu.Up) { g.peer.Subscribe(u) }

// Unsubscribe takes it away.
func (g *guest) Unsubscribe(u *sfu.Up) { g.peer.Unsubscribe(u) }

// SendLossy has nowhere to send.
func (g *guest) SendLossy(string, []byte) bool { return true }

// Tell has nowhere to tell.
func (g *guest) Tell(wire.Signal) {}

// Echo has nowhere to echo.
func (g *guest) Echo(wire.Envelope) {}

// Dropped counts the packets that could not be written.
func (g *guest) Dropped() int64 { return g.peer.Dropped() }

// Figures say what the participant's link is like.
func (g *guest) Figures() sfu.Figures { return g.peer.Figures() }

// Resent counts the packets that it asked for again.
func (g *guest) Resent() int64 { return g.peer.Resent() }

// Replaced ends the session for a newer one of the same client.
func (g *guest) Replaced() { g.fail(errReplaced) }

// Removed ends the session for good.
func (g *guest) Removed(why string) { g.fail(errors.New(why)) }
