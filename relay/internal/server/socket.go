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
		if !c.said.Ask("").OK {
			c.fail(signalError{wire.CodeTooMany, c.s.tooMany()})
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
	if !c.joined() {
		c.complain(wire.CodeForbidden, errNotIn)
		return
	}
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
