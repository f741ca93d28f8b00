package client

import (
	"context"
	"fmt"
	"time"

	"github.com/coder/websocket"

	"sightline/relay/wire"
)

// socket is one of a session's signalling sockets, which follow one another.
type socket struct {
	s      *session
	ws     *websocket.Conn
	local  string // the address on this machine, without the port; empty where it is not known
	number int    // among those of the session
	ctx    context.Context
	stop   context.CancelFunc
}

// attach lets the session go on with a socket, after the message that the relay has heard last.
func (s *session) attach(d dialled, heard int64) error {
	number, err := s.out.Open(heard)
	if err != nil {
		return err
	}
	k := &socket{s: s, ws: d.ws, local: d.local, number: number}
	k.ctx, k.stop = context.WithCancel(s.ctx)
	s.mu.Lock()
	s.socket, s.attached = k, s.c.cfg.Now()
	s.mu.Unlock()
	s.spawn(k.read)
	s.spawn(k.write)
	s.spawn(k.ping)
	return nil
}

// broken says that a socket is lost: live sees to another.
func (s *session) broken(k *socket, err error) {
	s.mu.Lock()
	mine := s.socket == k
	if mine {
		s.socket = nil
	}
	s.mu.Unlock()
	if !mine {
		return
	}
	k.stop()
	s.spawn(func() { _ = k.ws.CloseNow() }) // which may take a while
	s.lost <- err
}

func (k *socket) read() {
	for {
		_, data, err := k.ws.Read(context.Background()) // ended by the socket's end
		if err != nil {
			k.s.broken(k, fmt.Errorf("signalling socket: %w", err))
			return
		}
		m, err := wire.DecodeSignal(data)
		if err != nil {
			k.s.c.log.Warn("relay sent what cannot be read", "error", err)
			continue
		}
		if err := k.s.in.Take(m, k.s.take); err != nil {
			k.s.fail(err)
			return
		}
	}
}

// write says what there is to say, until the socket ends or another takes its place.
func (k *socket) write() {
	if err := k.s.out.Say(k.ctx, k.number, k.say); err != nil {
		k.s.broken(k, fmt.Errorf("signalling socket: %w", err))
	}
}

func (k *socket) say(m wire.Signal) error {
	data, err := m.Encode()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	return k.ws.Write(ctx, websocket.MessageText, data)
}

// ping notices a relay that no longer answers, and what it has heard.
func (k *socket) ping() {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for k.probe(silence) {
		select {
		case <-t.C:
		case <-k.ctx.Done():
			return
		}
	}
}

// probe asks the relay for an answer within a time, or gives the socket up.
func (k *socket) probe(within time.Duration) bool {
	written := k.s.out.Written()
	// A context that ends while the socket is written to would end the socket, before the goodbye.
	ctx, cancel := context.WithTimeout(context.Background(), within)
	stop := context.AfterFunc(k.ctx, cancel)
	err := k.ws.Ping(ctx)
	stop()
	cancel()
	if err != nil {
		k.s.broken(k, fmt.Errorf("relay does not answer: %w", err))
		return false
	}
	k.s.out.Heard(k.number, written)
	return true
}
