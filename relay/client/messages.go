package client

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"sightline/relay/wire"
)

// Publish writes a message to the room log. It is stamped with session time and kept until it comes back
// in the log, through every break of the connection, and always under the same name, so that the log has
// it once. It returns the envelope as it was sent: apply it at once, its echo changes nothing.
//
// It fails with ErrNotJoined before the first join, with ErrOutboxFull when Config.MaxOutbox messages
// wait, and when the body is not JSON or too large. Being offline is no failure.
func (c *Client) Publish(kind, id string, captured int64, body any) (wire.Envelope, error) {
	c.outbox.mu.Lock()
	defer c.outbox.mu.Unlock()
	at, ok := c.clock.stamp(c.now())
	if !ok {
		return wire.Envelope{}, ErrNotJoined
	}
	e, err := c.envelope(kind, id, captured, at, body)
	if err != nil {
		return wire.Envelope{}, err
	}
	data, err := encode(e)
	if err != nil {
		return wire.Envelope{}, err
	}
	if err := c.outbox.put(e, data); err != nil {
		return wire.Envelope{}, err
	}
	if s := c.outbox.session; s != nil {
		s.sendLog(data)
	}
	return e, nil
}

// Pending returns how many log messages have not come back yet.
func (c *Client) Pending() int {
	c.outbox.mu.Lock()
	defer c.outbox.mu.Unlock()
	return len(c.outbox.waiting)
}

// SendPose sends the pose of one frame to the others. It may be lost; ErrOffline says it certainly was.
func (c *Client) SendPose(captured int64, body any) error {
	return c.sendLossy(wire.KindPose, captured, body)
}

// SendPointer sends a pointer to the others. It may be lost; ErrOffline says it certainly was.
func (c *Client) SendPointer(body any) error { return c.sendLossy(wire.KindPointer, 0, body) }

func (c *Client) sendLossy(kind string, captured int64, body any) error {
	s := c.current()
	if s == nil && c.cfg.OnSent == nil {
		return ErrOffline
	}
	e, err := c.envelope(kind, c.Self().ID, captured, c.SessionTime(), body)
	if err != nil {
		return err
	}
	if c.cfg.OnSent != nil {
		c.cfg.OnSent(e)
	}
	if s == nil || !s.made.Load() {
		return ErrOffline
	}
	data, err := encode(e)
	if err != nil {
		return err
	}
	channel := s.pointer
	if kind == wire.KindPose {
		channel = s.pose
	}
	return sendLossy(channel, data)
}

func (c *Client) envelope(kind, id string, captured, at int64, body any) (wire.Envelope, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return wire.Envelope{}, fmt.Errorf("body of a %s is not JSON: %w", kind, err)
	}
	e := wire.Envelope{V: wire.Version, Kind: kind, ID: id, Msg: rand.Text(), From: c.Self().ID,
		Time: at, Captured: captured, Body: raw}
	return e, e.Valid()
}

func encode(e wire.Envelope) ([]byte, error) {
	data, err := e.Encode()
	if err == nil && len(data) > wire.MaxLogged {
		err = fmt.Errorf("message of kind %s has %d bytes, at most %d are taken", e.Kind, len(data), wire.MaxLogged)
	}
	return data, err
}

// SessionTime returns the session's time now: µs since it began, on the relay's clock as this client
// estimates it. It runs on while offline. 0 before the first join.
func (c *Client) SessionTime() int64 { return c.clock.session(c.now()) }

// SessionTimeOf converts a time of this machine's clock (Config.Now) to session time, µs.
func (c *Client) SessionTimeOf(t time.Time) int64 { return c.clock.session(c.micros(t)) }

// LocalTime converts session time, µs, to this machine's clock.
func (c *Client) LocalTime(session int64) time.Time {
	return c.base.Add(time.Duration(c.clock.local(session)-c.base.UnixMicro()) * time.Microsecond)
}

// RTT returns the shortest of the latest round trips to the relay, 0 where none is known yet.
func (c *Client) RTT() time.Duration { return c.clock.rtt() }

// now is the client's clock in µs. Its epoch is Unix's, but it runs on evenly where the wall clock is set.
func (c *Client) now() int64 { return c.micros(c.cfg.Now()) }

func (c *Client) micros(t time.Time) int64 { return c.base.UnixMicro() + t.Sub(c.base).Microseconds() }
