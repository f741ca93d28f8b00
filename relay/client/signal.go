package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/pion/webrtc/v4"

	"sightline/relay/wire"
)

// ErrReplaced ends a client whose Instance has joined again elsewhere.
var ErrReplaced = errors.New("replaced: the same client has joined again from elsewhere")

// take takes a message of the relay's, in its turn.
func (s *session) take(m wire.Signal) {
	if err := s.handle(m); err != nil {
		s.fail(err)
	}
}

func (s *session) handle(m wire.Signal) error {
	switch m.Type {
	case wire.SignalOffer:
		return s.answer(m)
	case wire.SignalRung:
		s.c.rung(Rung{Participant: m.Participant, Name: m.Name, Rung: m.Rung, Text: m.Text})
	case wire.SignalWanted:
		s.wanted(m.Names)
	case wire.SignalError:
		return s.told(m)
	}
	return nil
}

// told takes an error of the relay's.
func (s *session) told(m wire.Signal) error {
	err := fmt.Errorf("relay: %s (%s)", m.Text, m.Code)
	if m.Code == wire.CodeReplaced {
		return ErrReplaced
	}
	if m.Code == wire.CodeRemoved {
		return &JoinError{Status: http.StatusForbidden, Text: m.Text}
	}
	if m.Code == wire.CodeClosing || m.Code == wire.CodeMoved { // the session is over
		return err
	}
	if m.Msg == "" {
		s.c.log.Warn("relay complains", "code", m.Code, "text", m.Text)
		if m.Code == wire.CodeInternal {
			s.again()
		}
		return nil
	}
	e, ok := s.c.outbox.confirm(m.Msg)
	if !ok {
		return nil
	}
	s.c.log.Warn("relay refused a message", "kind", e.Kind, "id", e.ID, "text", m.Text)
	if s.c.cfg.OnRefused != nil {
		s.c.cfg.OnRefused(e, err)
	}
	return nil
}

// answer takes an offer. The table of tracks is taken before the answer leaves, and the relay sends a new
// track only after the answer, so that no packet is ever read as another participant's.
func (s *session) answer(m wire.Signal) error {
	fresh := s.assignSlots(m.Tracks)
	if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: m.SDP}); err != nil {
		return fmt.Errorf("take the relay's offer: %w", err)
	}
	answer, err := s.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("answer the relay's offer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(s.pc)
	if err := s.pc.SetLocalDescription(answer); err != nil {
		return fmt.Errorf("answer the relay's offer: %w", err)
	}
	select {
	case <-gathered:
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
	if err := s.say(wire.Signal{Type: wire.SignalAnswer, SDP: s.pc.LocalDescription().SDP}); err != nil {
		return err
	}
	for _, t := range fresh {
		s.c.afresh(t)
		if s.c.cfg.OnTrack != nil {
			s.c.cfg.OnTrack(t)
		}
	}
	return nil
}

// say says something to the relay, on this socket or the next one.
func (s *session) say(m wire.Signal) error { return s.out.Put(m) }

// againAfter is how long to wait before what the relay could not write is sent again.
const againAfter = 5 * time.Second

// again sends what waits to be confirmed again, a little later: the relay knows what it has.
func (s *session) again() {
	if !s.trying.CompareAndSwap(false, true) {
		return
	}
	time.AfterFunc(againAfter, func() {
		s.trying.Store(false)
		s.c.outbox.again(s)
	})
}

// rung notes and tells how much of a track comes.
func (c *Client) rung(r Rung) {
	key := [2]string{r.Participant, r.Name}
	c.mu.Lock()
	if delete(c.lower, key); r.Rung != wire.RungFull {
		c.lower[key] = true
	}
	c.mu.Unlock()
	if c.cfg.OnRung != nil {
		c.cfg.OnRung(r)
	}
}

// afresh ends what was told of a track in a session that is over: it begins whole.
func (c *Client) afresh(t *RemoteTrack) {
	c.mu.Lock()
	lower := c.lower[[2]string{t.Participant, t.Name}]
	c.mu.Unlock()
	if lower {
		c.rung(Rung{Participant: t.Participant, Name: t.Name, Rung: wire.RungFull, Text: "The picture is live again."})
	}
}
