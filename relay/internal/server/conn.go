package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"sightline/relay/internal/auth"
	"sightline/relay/internal/room"
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
	peer *sfu.Peer

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
		http.Error(w, errClosing.Error(), http.StatusServiceUnavailable)
		return
	}
	o, err := s.rooms.enter(r.Context(), grant.Room)
	if err != nil {
		s.log.Error("room cannot be opened", "room", grant.Room, "error", err)
		http.Error(w, "the room cannot be opened; the relay's log says why", http.StatusServiceUnavailable)
		return
	}
	defer s.rooms.leave(grant.Room)
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	ws.SetReadLimit(-1) // read has a limit of its own, which says so
	c := &conn{s: s, ws: ws, room: o, out: make(chan wire.Signal, queuedOut), who: wire.Participant{
		ID: participantID(grant, instance(r)), Name: grant.Name, Role: grant.Role, Online: true}}
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
	c.peer, err = sfu.NewPeer(sfu.PeerConfig{Participant: c.who.ID, Settings: c.s.media.settings(), Rewrite: c.s.media.rewrite,
		Log: c.s.log, Now: c.s.cfg.Now, Pool: c.s.pool, Send: c.Tell, OnUp: func(u *sfu.Up) { c.room.TrackUp(c, u) },
		OnOpen: c.opened, OnMessage: c.message, OnFail: c.fail})
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
	c.s.log.Info("joined", "room", c.room.Name(), "id", c.who.ID, "name", c.who.Name, "role", c.who.Role)
	c.tasks.Go(c.read)
	<-c.ctx.Done()
	c.end(context.Cause(c.ctx))
	return nil
}

// end lets the participant go, and says goodbye with the reason.
func (c *conn) end(cause error) {
	reason := "lost"
	if errors.Is(cause, errLeft) {
		reason = "left"
	}
	c.room.Leave(c, reason)
	c.goodbye(cause)
	_ = c.ws.CloseNow()
	c.peer.Close()
	c.tasks.Wait()
	c.s.log.Info(reason, "room", c.room.Name(), "id", c.who.ID, "name", c.who.Name, "reason", cause)
}

var errLeft = errors.New("left")

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

// read takes what the client says until the socket ends.
func (c *conn) read() {
	for {
		data, err := c.next()
		switch {
		case websocket.CloseStatus(err) == websocket.StatusNormalClosure:
			c.fail(errLeft)
			return
		case err != nil:
			c.fail(fmt.Errorf("signalling socket: %w", err))
			return
		}
		c.handle(data)
	}
}

// next reads one message of the client's.
func (c *conn) next() ([]byte, error) {
	_, r, err := c.ws.Reader(context.Background()) // a context that ends would end the socket, before the goodbye
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, wire.MaxSignal+1))
	if err == nil && len(data) > wire.MaxSignal {
		err = signalError{wire.CodeTooLarge, fmt.Sprintf("message is larger than %d bytes", wire.MaxSignal)}
	}
	return data, err
}

func (c *conn) handle(data []byte) {
	m, err := wire.DecodeSignal(data)
	if err != nil {
		c.complain(wire.CodeBadMessage, err)
		return
	}
	switch m.Type {
	case wire.SignalPublish:
		if err := room.MayPublish(c.who.Role); err != nil && len(m.Tracks) > 0 {
			c.complain(wire.CodeForbidden, err)
			m.Tracks = nil
		}
		c.peer.Publish(m.Tracks)
	case wire.SignalAnswer:
		c.peer.Answer(m.SDP)
	case wire.SignalError:
		c.s.log.Warn("client complains", "id", c.who.ID, "code", m.Code, "text", m.Text)
	default:
		c.complain(wire.CodeBadMessage, fmt.Errorf("%s is the relay's to say", m.Type))
	}
}

func (c *conn) complain(code string, err error) {
	c.Tell(wire.Signal{Type: wire.SignalError, Code: code, Text: err.Error()})
}

// write sends what is queued for the client.
func (c *conn) write() {
	for {
		select {
		case m := <-c.out:
			data, err := m.Encode()
			if err != nil {
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), silence)
			err = c.ws.Write(ctx, websocket.MessageText, data)
			cancel()
			if err != nil {
				c.fail(fmt.Errorf("signalling socket: %w", err))
				return
			}
		case <-c.ctx.Done():
			return
		}
	}
}

// ping notices a client that no longer answers.
func (c *conn) ping() {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-c.ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), silence)
		stop := context.AfterFunc(c.ctx, cancel)
		err := c.ws.Ping(ctx)
		stop()
		cancel()
		if err != nil {
			c.fail(fmt.Errorf("client does not answer: %w", err))
			return
		}
	}
}

// opened follows the log for the client: the state of the room, then all that comes.
func (c *conn) opened() {
	c.once.Do(func() {
		c.tasks.Go(func() {
			err := c.s.bus.Follow(c.ctx, c.room.Name(), func(e wire.Envelope) error {
				data, err := e.Encode()
				if err != nil {
					return err
				}
				return c.peer.SendLog(c.ctx, data)
			})
			c.fail(err)
		})
	})
}

// message takes what the client sends on a data channel.
func (c *conn) message(channel string, data []byte) {
	now := c.room.Time()
	e, err := wire.Decode(data)
	if err != nil {
		c.Tell(wire.Signal{Type: wire.SignalError, Code: wire.CodeBadMessage, Text: err.Error(), Msg: e.Msg})
		return
	}
	switch {
	case channel == wire.ChannelLog:
		c.room.Log(c, e)
	case channel == wire.ChannelPointer && e.Kind == wire.KindPing:
		c.pong(e, now)
	default:
		if err := room.MaySend(c.who.Role, channel, e.Kind); err != nil {
			c.complain(wire.CodeForbidden, err)
			return
		}
		c.room.Lossy(c, channel, e)
	}
}

// pong answers a ping with the relay's times.
func (c *conn) pong(e wire.Envelope, arrived int64) {
	var p wire.Ping
	if json.Unmarshal(e.Body, &p) != nil {
		return
	}
	p.T1, p.T2 = arrived, c.room.Time()
	body, err := json.Marshal(p)
	if err != nil {
		return
	}
	answer := wire.Envelope{V: wire.Version, Kind: wire.KindPong, Msg: e.Msg, From: "relay", Time: p.T2, Body: body}
	if data, err := answer.Encode(); err == nil {
		c.peer.SendLossy(wire.ChannelPointer, data)
	}
}

// Who is the participant. It and what follows make a conn the room's Member.
func (c *conn) Who() wire.Participant { return c.who }

// Subscribe begins to send a track.
func (c *conn) Subscribe(u *sfu.Up) { c.peer.Subscribe(u) }

// Unsubscribe ends that.
func (c *conn) Unsubscribe(u *sfu.Up) { c.peer.Unsubscribe(u) }

// SendLossy sends a pose or a pointer, or lets it go.
func (c *conn) SendLossy(channel string, data []byte) bool { return c.peer.SendLossy(channel, data) }

// Dropped counts the packets that the connection was too slow for.
func (c *conn) Dropped() int64 { return c.peer.Dropped() }

// Tell queues a message for the socket. Who lets too many wait is sent away.
func (c *conn) Tell(m wire.Signal) {
	select {
	case c.out <- m:
	default:
		c.fail(errSlow)
	}
}

// Echo confirms a message that was in the log before.
func (c *conn) Echo(e wire.Envelope) {
	if data, err := e.Encode(); err == nil {
		c.peer.Echo(data)
	}
}

// Replaced ends the connection for a newer one of the same client.
func (c *conn) Replaced() { c.fail(errReplaced) }
