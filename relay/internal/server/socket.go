package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/coder/websocket"

	"sightline/relay/internal/room"
	"sightline/relay/wire"
)

// socket is one of a participant's signalling sockets, which follow one another.
type socket struct {
	c      *conn
	ws     *websocket.Conn
	number int          // among those of the session
	first  *wire.Signal // what is said before all else; nil: nothing
	ctx    context.Context
	stop   context.CancelFunc
	heard  time.Time // when the client last answered; under the conn's mu
}

// run reads and writes until the socket ends. Its tasks are the conn's.
func (k *socket) run() {
	k.c.tasks.Go(k.read)
	k.c.tasks.Go(k.write)
	k.c.tasks.Go(k.ping)
}

func (k *socket) close() {
	k.stop()
	_ = k.ws.CloseNow()
}

// read takes what the client says until the socket ends; who need not wait in the lobby is heard once he is in the room.
func (k *socket) read() {
	c := k.c
	if !c.waits {
		select {
		case <-c.in:
		case <-k.ctx.Done():
			return
		}
	}
	for {
		data, err := k.next()
		var told signalError
		switch {
		case websocket.CloseStatus(err) == websocket.StatusNormalClosure:
			c.left(k)
			return
		case errors.As(err, &told):
			c.fail(err)
			return
		case err != nil:
			c.broken(k, fmt.Errorf("signalling socket: %w", err))
			return
		}
		if !c.said.Ask("").OK {
			c.fail(signalError{wire.CodeTooMany, c.s.tooMany()})
			return
		}
		c.handle(data)
	}
}

// next reads one message of the client's.
func (k *socket) next() ([]byte, error) {
	_, r, err := k.ws.Reader(context.Background()) // a context that ends would end the socket, before the goodbye
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
	if !c.joined() {
		c.complain(wire.CodeForbidden, errNotIn)
		return
	}
	if err := c.heard.Take(m, c.take); err != nil {
		c.complain(wire.CodeBadMessage, err)
	}
}

// take acts on a message.
func (c *conn) take(m wire.Signal) {
	switch m.Type {
	case wire.SignalPublish:
		if err := room.MayPublish(c); err != nil && len(m.Tracks) > 0 {
			c.complain(wire.CodeForbidden, err)
			m.Tracks = nil
		}
		c.peer.Publish(m.Tracks)
	case wire.SignalAnswer:
		c.peer.Answer(m.SDP)
	case wire.SignalSends:
		c.peer.Sends(m.Names)
	case wire.SignalShow:
		c.peer.Show(m.Show)
	case wire.SignalRestart:
		c.s.log.Info("wants a new path", "room", c.room.Name(), "id", c.who.ID, "name", c.who.Name)
		c.peer.Restart()
	case wire.SignalError:
		c.s.log.Warn("client complains", "id", c.who.ID, "code", m.Code, "text", m.Text)
	default:
		c.complain(wire.CodeBadMessage, fmt.Errorf("%s is the relay's to say", m.Type))
	}
}

var errNotIn = errors.New("you are not in the room yet: wait for the welcome")

func (c *conn) complain(code string, err error) {
	c.Tell(wire.Signal{Type: wire.SignalError, Code: code, Text: err.Error()})
}

// write says what there is to say, until the socket ends or another takes its place.
func (k *socket) write() {
	if k.first != nil {
		if err := k.say(*k.first); err != nil {
			k.c.broken(k, fmt.Errorf("signalling socket: %w", err))
			return
		}
	}
	if err := k.c.out.Say(k.ctx, k.number, k.say); err != nil {
		k.c.broken(k, fmt.Errorf("signalling socket: %w", err))
	}
}

func (k *socket) say(m wire.Signal) error {
	data, err := m.Encode()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), silence)
	defer cancel()
	return k.ws.Write(ctx, websocket.MessageText, data)
}

// ping notices a client that no longer answers, and what it has heard.
func (k *socket) ping() {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-k.ctx.Done():
			return
		}
		written := k.c.out.Written()
		ctx, cancel := context.WithTimeout(context.Background(), silence)
		stop := context.AfterFunc(k.ctx, cancel)
		err := k.ws.Ping(ctx)
		stop()
		cancel()
		if err != nil {
			k.c.broken(k, fmt.Errorf("client does not answer: %w", err))
			return
		}
		k.c.mu.Lock()
		k.heard = time.Now()
		k.c.mu.Unlock()
		k.c.out.Heard(k.number, written)
	}
}
