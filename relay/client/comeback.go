package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sightline/relay/wire"
)

// keepsPath is how long the path of a session that can be resumed is waited for: longer than any relay keeps one.
const keepsPath = 2 * time.Minute

// firstPatience is how long the first attempt to come back may take, besides the round trips; each further one may take
// twice as long. TCP itself would be too patient: what it sends again waits longer each time.
const firstPatience = 2 * time.Second

// comeBack dials until the session goes on with a new socket, or the relay begins another, which it returns. It gives up
// when the relay does not keep the session any more, and returns why the socket was lost.
func (s *session) comeBack(why error) (next *session, err error) {
	if s.id == "" {
		return nil, why
	}
	s.c.log.Info("coming back", "error", why)
	until := time.Now().Add(s.keep)
	patience := firstPatience + 4*s.c.RTT()
	for wait := backoff(0); time.Now().Before(until); wait = wait.next() {
		moved := s.shelter(func(ctx context.Context) {
			ctx, cancel := context.WithTimeout(ctx, min(patience, joinPatience))
			defer cancel()
			next, err = s.redial(ctx)
		})
		patience *= 2
		switch {
		case err == nil:
			return next, nil
		case s.ctx.Err() != nil:
			return nil, context.Cause(s.ctx)
		case isFinal(err):
			return nil, err
		}
		s.c.log.Debug("not back yet", "error", err)
		if moved || s.shelter(func(ctx context.Context) { sleep(ctx, wait.jittered()) }) {
			wait = 0
		}
	}
	return nil, why
}

// redial tries once.
func (s *session) redial(ctx context.Context) (next *session, err error) {
	s.c.cfg.HTTP.CloseIdleConnections() // they are as old as the network that has gone
	d, err := s.c.open(ctx, fmt.Sprintf("%s %d", s.id, s.in.Last()))
	if err != nil {
		return nil, err
	}
	if d.first.Type == wire.SignalResumed {
		if err = s.attach(d, d.first.Heard); err == nil && s.ailing() {
			s.restart() // the relay may have begun one already, and knows that it is the same
		}
	} else {
		next, err = s.c.begin(d)
	}
	if err != nil {
		_ = d.ws.CloseNow()
		return nil, err
	}
	return next, nil
}

// shelter runs f with a context that ends also when the addresses of this machine change, and says whether they did.
func (s *session) shelter(f func(context.Context)) (moved bool) {
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	s.mu.Lock()
	s.moved = func() { cancel(errMoved) }
	s.mu.Unlock()
	f(ctx)
	s.mu.Lock()
	s.moved = nil
	s.mu.Unlock()
	return errors.Is(context.Cause(ctx), errMoved)
}

var errMoved = errors.New("the network has changed")

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
