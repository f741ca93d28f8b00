package call

import (
	"errors"
	"io"

	"sightline/devices/media"
	"sightline/relay/client"
	"sightline/relay/wire"
)

// lens is one participant's camera. The call's lock guards it.
type lens struct {
	participant, track string
	seen               bool                // its video was announced
	shown              *client.RemoteTrack // whose frames it has; nil while there is none
	newest             *Frame
	poses              poses
	stats              Stats
}

// Stats counts what came of a camera.
type Stats struct {
	Received int64 // whole access units
	Dropped  int64 // let go because this machine was too slow
	Lost     int64 // packets
	Decoded  int64
	Errors   int64 // access units that did not decode
}

// lens returns a participant's camera; it needs the lock.
func (c *Call) lens(participant string) *lens {
	for _, l := range c.cameras {
		if l.participant == participant {
			return l
		}
	}
	l := &lens{participant: participant}
	c.cameras = append(c.cameras, l)
	return l
}

// heardTrack starts the decoder of a camera. Sound is not played yet.
func (c *Call) heardTrack(t *client.RemoteTrack) {
	if t.Kind != wire.Video {
		c.tasks.Go(func() { c.discard(t) })
		return
	}
	c.mu.Lock()
	l := c.lens(t.Participant)
	c.take(l, t)
	c.mu.Unlock()
	c.tasks.Go(func() { c.watchTrack(t, l) })
}

// take shows a track where its participant has no picture yet, and says whether it is the one that is shown: marks are
// drawn on one picture of a participant. It needs the lock.
func (c *Call) take(l *lens, t *client.RemoteTrack) bool {
	if l.shown == nil {
		l.shown, l.seen, l.track = t, true, t.Name
		c.touch()
	}
	return l.shown == t
}

// watchTrack reads a participant's video until it ends, and shows it as soon as no other is shown.
func (c *Call) watchTrack(t *client.RemoteTrack, l *lens) {
	defer c.leave(l, t)
	for told := false; ; told = true {
		u, err := t.ReadFrame(c.ctx)
		if err != nil {
			c.ended(t, err)
			return
		}
		c.mu.Lock()
		mine, shown := c.take(l, t), l.track
		c.mu.Unlock()
		switch {
		case mine:
			c.decode(t, l, u)
			return
		case !told:
			c.cfg.Logger.Info("a participant sends a second picture, which is not shown before the first ends", "participant", t.Participant, "first", shown, "second", t.Name)
		}
	}
}

// leave makes room for another track of the participant.
func (c *Call) leave(l *lens, t *client.RemoteTrack) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.shown == t {
		l.shown = nil
	}
}

func (c *Call) ended(t *client.RemoteTrack, err error) {
	if !errors.Is(err, io.EOF) && c.ctx.Err() == nil {
		c.cfg.Logger.Warn("video ended", "camera", t.Name, "error", err)
	}
}

// discard reads a track that is not shown, so that its queue does not fill up.
func (c *Call) discard(t *client.RemoteTrack) {
	for {
		if _, err := t.ReadFrame(c.ctx); err != nil {
			return
		}
	}
}

// decode turns a track into frames, from unit u on, until it ends. Of frames that come faster than they are taken only
// the newest is kept.
func (c *Call) decode(t *client.RemoteTrack, l *lens, u client.AccessUnit) {
	dec, err := media.NewDecoder(t.Codec, 1)
	if err != nil {
		c.cfg.Logger.Error("camera cannot be shown", "camera", t.Name, "error", err)
		c.leave(l, t)
		c.discard(t)
		return
	}
	defer func() { _ = dec.Close() }()
	for begun := false; ; {
		if begun = begun || u.KeyFrame; begun {
			c.decodeUnit(t, l, dec, u)
		} else {
			t.RequestKeyFrame() // another track was shown when this one began
		}
		if u, err = t.ReadFrame(c.ctx); err != nil {
			c.ended(t, err)
			return
		}
	}
}

// decodeUnit turns an access unit into frames.
func (c *Call) decodeUnit(t *client.RemoteTrack, l *lens, dec *media.Decoder, u client.AccessUnit) {
	arrived := c.cfg.Now()
	pictures, err := dec.Decode(u.Data, u.Captured)
	if err != nil {
		c.cfg.Logger.Debug("decode", "error", err)
		t.RequestKeyFrame()
	}
	for _, p := range pictures {
		f := NewFrame(t.Participant, p.Picture, p.Tag, arrived, p.Release)
		f.Decoded, f.Damaged = c.cfg.Now(), p.Damaged
		if p.Damaged {
			t.RequestKeyFrame()
		}
		if c.cfg.OnFrame != nil {
			c.cfg.OnFrame(f)
		}
		c.show(l, f)
	}
	c.count(l, t.Stats(), len(pictures), err)
}

func (c *Call) show(l *lens, f *Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.newest.Release()
	l.newest = f
	c.signal()
}

func (c *Call) count(l *lens, s client.RemoteStats, decoded int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.stats.Received, l.stats.Dropped, l.stats.Lost = s.Frames, s.Dropped, s.Lost
	l.stats.Decoded += int64(decoded)
	if err != nil {
		l.stats.Errors++
	}
}

// Frame returns a camera's newest frame, or nil. The caller releases it.
func (c *Call) Frame(camera string) *Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.cameras {
		if l.participant == camera {
			return l.newest.Keep()
		}
	}
	return nil
}

// Pose returns what the tracker said of a camera's frame; where that is not known, of one shortly before.
func (c *Call) Pose(camera string, captured int64) (Pose, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.cameras {
		if l.participant == camera {
			return l.poses.get(captured)
		}
	}
	return Pose{}, false
}

// Stats returns what came of all cameras together.
func (c *Call) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sum Stats
	for _, l := range c.cameras {
		s := l.stats
		sum = Stats{sum.Received + s.Received, sum.Dropped + s.Dropped, sum.Lost + s.Lost, sum.Decoded + s.Decoded, sum.Errors + s.Errors}
	}
	return sum
}
