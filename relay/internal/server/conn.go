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
	"sightline/relay/internal/sfu"
	"sightline/relay/wire"
)

// conn is one participant's connection, from the signalling socket's opening to its end. It is the
// room's Member. The HTTP handler's goroutine owns it.
type conn struct {
	s    *Server
	ws   *websocket.Conn
	room *openRoom
	who  wire.Participant
	may  func(right string) bool
	peer *sfu.Peer
	note audit.Event // what the audit log says of the participant in every line

	said *limit.Limiter // messages of the participant's

	ctx  context.Context
	fail context.CancelCauseFunc
	out  chan wire.Signal

	tasks sync.WaitGroup
	once  sync.Once // of the log's following
}

// Times of a connection; a participant who drops is noticed within five seconds.
const (
	pingEvery = time.Second
	silence   = 3500 * time.Millisecond
	queuedOut = 64
	// goodbyeTime is how long a client has to hear why it is sent away.
	goodbyeTime = time.Second
	// mediaGrace is how long a failure of the media path waits for what the socket has to say.
	mediaGrace = 250 * time.Millisecond
)

var (
	errReplaced = errors.New("the same client has joined again")
	errSlow     = errors.New("the signalling socket is not read")
)

// instanceHeader carries the secret by which a client is known again.
const instanceHeader = "Sightline-Client"

func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	grant, ok := s.grant(w, r)
	if !ok {
		return
	}
	s.conns.Add(1)
	defer s.conns.Done()
	if s.ctx.Err() != nil {
		s.unavailable(w, r, grant, errClosing)
		return
	}
	o, err := s.rooms.enter(r.Context(), grant.Room)
	if err != nil {
		s.unavailable(w, r, grant, err)
		return
	}
	defer s.rooms.leave(grant.Room)
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	ws.SetReadLimit(-1) // read has a limit of its own, which says so
	c := &conn{s: s, ws: ws, room: o, out: make(chan wire.Signal, queuedOut), may: grant.May, who: wire.Participant{
		ID: participantID(grant, instance(r)), Name: grant.Name, Role: grant.Role, Online: true}}
	c.said = limit.New(s.cfg.Limits.MessagesPerSecond, time.Second, s.cfg.Now)
	c.note = entry(r, grant, c.who)
	c.ctx, c.fail = context.WithCancelCause(s.ctx)
	if err := c.live(grant.Watch); err != nil {
		s.log.Error("participant cannot be served", "room", grant.Room, "name", grant.Name, "error", err)
	}
}

// instance returns the client's secret, or a new one for a client that has none.
func instance(r *http.Request) string {
	if secret := r.Header.Get(instanceHeader); secret != "" {
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

// live serves the connection until it ends.
func (c *conn) live(watch []string) error {
	var err error
	c.peer, err = sfu.NewPeer(sfu.PeerConfig{LinkConfig: sfu.LinkConfig{Participant: c.who.ID, Role: c.who.Role, Settings: c.s.media.settings(),
		Rewrite: c.s.media.rewrite, Log: c.s.log, Now: c.s.cfg.Now, Pool: c.s.pool, Flush: c.s.media.flush,
		OnUp: c.published, OnFail: c.mediaFailed, OnRung: c.rung}, Send: c.Tell, OnOpen: c.opened, OnMessage: c.message})
	if err != nil {
		_ = c.ws.Close(websocket.StatusInternalError, "relay cannot open a peer connection")
		return err
	}
	self := c.who
	c.Tell(wire.Signal{Type: wire.SignalWelcome, Self: &self, Room: c.room.Name(),
		SessionBegan: c.room.Began(), SessionTime: c.room.Time()})
	c.tasks.Go(c.write)
	c.tasks.Go(c.ping)
	c.room.Join(c, watch)
	c.s.note(happened(c.note, audit.Joined, "", ""))
	c.s.log.Info("joined", "room", c.room.Name(), "id", c.who.ID, "name", c.who.Name, "role", c.who.Role)
	c.tasks.Go(c.read)
	<-c.ctx.Done()
	c.end(context.Cause(c.ctx))
	return nil
}

// published takes a track of the participant's.
func (c *conn) published(u *sfu.Up) {
	c.s.note(happened(c.note, audit.Published, "", u.Name))
	c.room.TrackUp(c, u)
}

// end lets the participant go, and says goodbye with the reason.
func (c *conn) end(cause error) {
	reason := audit.Lost
	if errors.Is(cause, errLeft) {
		reason = audit.Left
	}
	c.room.Leave(c, reason)
	c.goodbye(cause)
	_ = c.ws.CloseNow()
	c.peer.Close()
	c.tasks.Wait()
	c.s.note(happened(c.note, reason, cause.Error(), ""))
	c.s.log.Info(reason, "room", c.room.Name(), "id", c.who.ID, "name", c.who.Name, "reason", cause)
}

var errLeft = errors.New("left")

// mediaFailed ends the connection, unless the socket says within mediaGrace why: a client that leaves closes
// the socket first and its channels right after, and two goroutines hear of it.
func (c *conn) mediaFailed(err error) {
	time.AfterFunc(mediaGrace, func() { c.fail(err) })
}

// goodbye tells the client why it is sent away, where it was the relay's decision.
func (c *conn) goodbye(cause error) {
	var told signalError
	var sdp *sfu.SDPError
	switch {
	case errors.As(cause, &told):
	case errors.As(cause, &sdp):
		told = signalError{wire.CodeBadSDP, sdp.Error()}
	case errors.Is(cause, errReplaced):
		told = signalError{wire.CodeReplaced, cause.Error()}
	case c.s.ctx.Err() != nil:
		told = signalError{wire.CodeClosing, errClosing.Error()}
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.ws.CloseNow() })
	defer stop()
	if data, err := (wire.Signal{Type: wire.SignalError, Code: told.code, Text: told.text}).Encode(); err == nil {
		_ = c.ws.Write(ctx, websocket.MessageText, data)
	}
	_ = c.ws.Close(websocket.StatusPolicyViolation, told.code)
}

// signalError ends a connection and is told to its client.
type signalError struct{ code, text string }

func (e signalError) Error() string { return e.text }
