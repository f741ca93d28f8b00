package server

import (
	"encoding/json"
	"errors"
	"sync"
	"time"

	"sightline/relay/internal/auth"
	"sightline/relay/internal/room"
	"sightline/relay/internal/sfu"
	"sightline/relay/wire"
)

// opened follows the log for the client: the state of the room, then all that comes.
func (c *conn) opened() {
	c.once.Do(func() {
		c.tasks.Go(func() {
			var first, tooLarge sync.Once
			err := c.s.bus.Follow(c.ctx, c.room.Name(), func(e wire.Envelope) error {
				first.Do(func() { close(c.follows) }) // the log has at least that he joined
				data, err := e.Encode()
				if err != nil {
					return err
				}
				if err := c.peer.SendLog(c.ctx, data); !errors.Is(err, sfu.ErrTooLarge) {
					return err
				}
				tooLarge.Do(func() { // without it he has the rest
					c.s.log.Warn("a message of the log is larger than a client takes, and is kept from it; so may others be",
						"room", c.room.Name(), "id", c.who.ID, "seq", e.Seq, "bytes", len(data))
				})
				return nil
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
	if a := c.said.Ask(""); !a.OK { // what may be lost is let go, the rest is refused by its name
		if a.Tell {
			c.s.log.Warn(c.s.tooMany(), "room", c.room.Name(), "id", c.who.ID, "name", c.who.Name)
		}
		if a.Tell || channel == wire.ChannelLog {
			c.Tell(wire.Signal{Type: wire.SignalError, Code: wire.CodeTooMany, Text: c.s.tooMany(), Msg: e.Msg})
		}
		return
	}
	switch {
	case channel == wire.ChannelLog:
		c.untilFollowed()
		c.room.Log(c, e)
	case channel == wire.ChannelPointer && e.Kind == wire.KindPing:
		c.pong(e, now)
	default:
		if err := room.MaySend(c, channel, e.Kind); err != nil {
			c.complain(wire.CodeForbidden, err)
			return
		}
		c.room.Lossy(c, channel, e)
	}
}

// untilFollowed waits until the client follows the log: what he writes before, and soon writes over, would be in the log
// and never come back to him, and he would take it for lost.
func (c *conn) untilFollowed() {
	select {
	case <-c.follows:
		return
	default:
	}
	late := time.NewTimer(followTime)
	defer late.Stop()
	select {
	case <-c.follows:
	case <-late.C: // the log cannot be read; it may still be written
	case <-c.ctx.Done():
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

// rung tells the client how much of a track its link bears.
func (c *conn) rung(u *sfu.Up, rung string) {
	text := map[string]string{
		wire.RungFull:      "The picture is live again.",
		wire.RungSmall:     "Your connection is slow: a smaller picture.",
		wire.RungFewer:     "Your connection is slow: fewer pictures a second.",
		wire.RungKeyFrames: "Your connection is slow: a still picture every few seconds. Sound and marks go on.",
		wire.RungStills:    "Your connection is very slow: a still picture now and then. Sound and marks go on.",
		wire.RungOff:       "Your connection is too slow for pictures: sound and marks go on.",
	}[rung]
	c.s.log.Info("rung", "room", c.room.Name(), "id", c.who.ID, "participant", u.Participant, "track", u.Name, "rung", rung)
	c.Tell(wire.Signal{Type: wire.SignalRung, Participant: u.Participant, Name: u.Name, Rung: rung, Text: text})
}

// Who is the participant. It and what follows make a conn the room's Member.
func (c *conn) Who() wire.Participant { return c.who }

// May says whether the participant has a right.
func (c *conn) May(right string) bool { return c.grant.May(right) }

// Grant is what the token says.
func (c *conn) Grant() auth.Grant { return c.grant }

// Subscribe begins to send a track.
func (c *conn) Subscribe(u *sfu.Up) { c.peer.Subscribe(u) }

// Unsubscribe ends that.
func (c *conn) Unsubscribe(u *sfu.Up) { c.peer.Unsubscribe(u) }

// SendLossy sends a pose or a pointer, or lets it go.
func (c *conn) SendLossy(channel string, data []byte) bool { return c.peer.SendLossy(channel, data) }

// Dropped counts the packets that could not be written.
func (c *conn) Dropped() int64 { return c.peer.Dropped() }

// Figures say what the participant's link is like.
func (c *conn) Figures() sfu.Figures { return c.peer.Figures() }

// Resent counts the packets that it asked for again.
func (c *conn) Resent() int64 { return c.peer.Resent() }

// Tell queues a message for the socket. Who lets too many wait is sent away.
func (c *conn) Tell(m wire.Signal) {
	if err := c.out.Put(m); err != nil {
		c.fail(err)
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

// Removed ends the connection for good.
func (c *conn) Removed(why string) { c.fail(signalError{wire.CodeRemoved, why}) }
