package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/limit"
	"sightline/relay/internal/replay"
	"sightline/relay/internal/room"
	"sightline/relay/internal/sfu"
	"sightline/relay/wire"
)

// conn is one participant's session, from the first signalling socket's opening to its end; a socket that is lost may be
// followed by another (see return.go). It is the room's Member. The first socket's HTTP handler's goroutine owns it.
type conn struct {
	s     *Server
	id    string    // of the session; empty: its client does not know how to come back
	room  *openRoom // nil in the lobby
	who   wire.Participant
	grant auth.Grant
	peer  *sfu.Peer

	said *limit.Limiter // messages of the participant's

	ctx   context.Context
	fail  context.CancelCauseFunc
	out   replay.Out
	heard replay.In
	in    chan struct{} // closed when the participant is in the room
	waits bool          // in the lobby at first

	tasks   sync.WaitGroup
	once    sync.Once     // of the log's following
	follows chan struct{} // closed when the log comes

	mu     sync.Mutex
	socket *socket     // nil between two
	away   *time.Timer // ends the session that has no socket; nil while it has one
	amiss  bool        // the room has been told that the connection is interrupted
	ended  bool        // no socket is taken any more
	note   audit.Event // what the audit log says of the participant in every line
}

// Times of a connection; a participant who drops is noticed within five seconds.
const (
	pingEvery = time.Second
	silence   = 3500 * time.Millisecond
	queuedOut = 64
	// followTime is how long what a client writes waits until he follows the log.
	followTime = 2 * time.Second
	// goodbyeTime is how long a client has to hear why it is sent away.
	goodbyeTime = time.Second
	// mediaGrace is how long a failure of the media path waits for what the socket has to say.
	mediaGrace = 250 * time.Millisecond
)

var (
	errReplaced = errors.New("the same client has joined again")
)

func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	grant, ok := s.grant(w, r)
	if !ok {
		return
	}
	if grant.Room == auth.AllRooms {
		if grant.Room = r.URL.Query().Get("room"); !auth.RoomName(grant.Room) {
			s.forbid(w, r, grant, "the token is for all rooms: name one, /ws?room=NAME")
			return
		}
	}
	s.conns.Add(1)
	defer s.conns.Done()
	if s.ctx.Err() != nil {
		s.unavailable(w, r, grant, errClosing)
		return
	}
	resume := resumeOf(r)
	if c := s.returning(resume, grant, r); c != nil {
		s.resume(w, r, c, resume.heard)
		return
	}
	c := &conn{s: s, out: replay.Out{Max: queuedOut}, in: make(chan struct{}), follows: make(chan struct{}), grant: grant,
		who: wire.Participant{ID: participantID(grant, instance(r)), Name: grant.Name, Role: grant.Role, Online: true}}
	wait, err := s.mustWait(r.Context(), grant, c.who.ID)
	if err == nil && !wait {
		c.room, err = s.enter(r.Context(), c, grant.Room)
	}
	if err != nil {
		s.unavailable(w, r, grant, err)
		return
	}
	defer func() {
		if c.room != nil {
			s.rooms.leave(grant.Room)
		}
	}()
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	if resume.able {
		c.id = rand.Text()
	}
	c.said = limit.New(s.cfg.Limits.MessagesPerSecond, time.Second, s.cfg.Now)
	c.note = entry(r, grant, c.who)
	c.ctx, c.fail = context.WithCancelCause(s.ctx)
	c.waits = wait
	c.attach(ws, 0)
	err = c.join(wait)
	if err == nil {
		<-c.ctx.Done()
		err = context.Cause(c.ctx)
	}
	c.fail(err)
	c.end(err)
}

// instance returns the client's secret, or a new one for a client that has none.
func instance(r *http.Request) string {
	if secret := r.Header.Get(wire.InstanceHeader); secret != "" {
		return secret
	}
	if secret := r.URL.Query().Get("client"); secret != "" {
		return secret
	}
	return rand.Text()
}

// participantID is the same for the same client with the same grant, also after the relay was away, and
// cannot be taken by somebody who does not know the client's secret.
func participantID(g auth.Grant, secret string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{g.Room, g.Role, g.Name, secret}, "\x00")))
	return "p-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:12])
}

// join brings the participant into the room, through the lobby where he has to wait.
func (c *conn) join(wait bool) error {
	var err error
	if wait {
		if err = c.wait(c.grant); err != nil {
			return err
		}
		if c.room, err = c.s.enter(c.ctx, c, c.grant.Room); err != nil {
			return goodbyeFor(err)
		}
	}
	c.peer, err = sfu.NewPeer(sfu.PeerConfig{LinkConfig: sfu.LinkConfig{Participant: c.who.ID, Role: c.who.Role, Settings: c.settings(),
		Alive: iceLost / 3, Ports: c.s.media.ports(), Rewrite: c.s.media.rewrite, Log: c.s.log, Now: c.s.cfg.Now, Pool: c.s.pool, Flush: c.s.media.flush,
		OnUp: c.published, OnFail: c.mediaFailed, OnRung: c.rung}, Send: c.Tell, OnOpen: c.opened, OnMessage: c.message})
	if err != nil {
		c.s.log.Error("participant cannot be served", "room", c.room.Name(), "name", c.who.Name, "error", err)
		return signalError{wire.CodeInternal, "the relay cannot open a media path; its log says why"}
	}
	if err := c.room.Join(c, c.grant.Watch); err != nil {
		return goodbyeFor(err)
	}
	self := c.who
	welcome := wire.Signal{Type: wire.SignalWelcome, Self: &self, Room: c.room.Name(),
		SessionBegan: c.room.Began(), SessionTime: c.room.Time(), Relays: c.s.relayURLs()}
	if c.s.sessions.add(c) {
		welcome.Session, welcome.Keep = c.id, int(c.s.cfg.KeepTime.Seconds())
	}
	c.tasks.Go(c.follow)
	c.Tell(welcome)
	close(c.in)
	c.s.note(happened(c.event(), audit.Joined, "", ""))
	c.s.log.Info("joined", "room", c.room.Name(), "id", c.who.ID, "name", c.who.Name, "role", c.who.Role)
	return nil
}

// follow sends the participant away when the room goes to another relay.
func (c *conn) follow() {
	select {
	case <-c.room.moved:
		c.fail(errMoving)
	case <-c.ctx.Done():
	}
}

// goodbyeFor is what somebody is told who was let in and finds that there is no room for him.
func goodbyeFor(err error) error {
	switch {
	case errors.Is(err, room.ErrLocked):
		return signalError{wire.CodeRemoved, err.Error()}
	case errors.Is(err, room.ErrFull):
		return signalError{wire.CodeTooMany, err.Error()}
	}
	return signalError{wire.CodeClosing, err.Error()}
}

// joined says whether the participant is in the room.
func (c *conn) joined() bool {
	select {
	case <-c.in:
		return true
	default:
		return false
	}
}

// published takes a track of the participant's.
func (c *conn) published(u *sfu.Up) {
	c.s.note(happened(c.event(), audit.Published, "", u.Name))
	c.room.TrackUp(c, u)
}

// end lets the participant go, and says goodbye with the reason.
func (c *conn) end(cause error) {
	reason := audit.Lost
	if errors.Is(cause, errLeft) {
		reason = audit.Left
	}
	c.s.sessions.remove(c)
	last := c.detach()
	if c.joined() {
		c.room.Leave(c, reason)
	}
	if last != nil {
		c.goodbye(last.ws, cause)
		last.close()
	}
	if c.peer != nil {
		c.peer.Close()
	}
	c.tasks.Wait()
	if !c.joined() {
		return
	}
	c.s.note(happened(c.event(), reason, cause.Error(), ""))
	c.s.log.Info(reason, "room", c.room.Name(), "id", c.who.ID, "name", c.who.Name, "reason", cause)
}

var errLeft = errors.New("left")

// mediaFailed ends the connection, unless the socket says within mediaGrace why: a client that leaves closes
// the socket first and its channels right after, and two goroutines hear of it.
func (c *conn) mediaFailed(err error) {
	time.AfterFunc(mediaGrace, func() { c.fail(err) })
}

// goodbye tells the client why it is sent away, where it was the relay's decision.
func (c *conn) goodbye(ws *websocket.Conn, cause error) {
	var told signalError
	var sdp *sfu.SDPError
	switch {
	case errors.As(cause, &told):
	case errors.As(cause, &sdp):
		told = signalError{wire.CodeBadSDP, sdp.Error()}
	case errors.Is(cause, errReplaced):
		told = signalError{wire.CodeReplaced, cause.Error()}
	case errors.Is(cause, errMoving):
		told = signalError{wire.CodeMoved, errMoving.Error()}
	case c.s.ctx.Err() != nil:
		told = signalError{wire.CodeClosing, errClosing.Error()}
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = ws.CloseNow() })
	defer stop()
	if data, err := (wire.Signal{Type: wire.SignalError, Code: told.code, Text: told.text}).Encode(); err == nil {
		_ = ws.Write(ctx, websocket.MessageText, data)
	}
	_ = ws.Close(websocket.StatusPolicyViolation, told.code)
}

// signalError ends a connection and is told to its client.
type signalError struct{ code, text string }

func (e signalError) Error() string { return e.text }
