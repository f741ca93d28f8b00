package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"sightline/relay/wire"
)

// openChannels makes the four data channels, negotiated: the relay makes the same.
func (s *session) openChannels() error {
	var err error
	if s.log, err = s.openChannel(wire.ChannelLog, wire.ChannelLogID, true); err != nil {
		return err
	}
	if s.pose, err = s.openChannel(wire.ChannelPose, wire.ChannelPoseID, false); err != nil {
		return err
	}
	if s.pointer, err = s.openChannel(wire.ChannelPointer, wire.ChannelPointerID, false); err != nil {
		return err
	}
	if err := s.openStills(); err != nil {
		return err
	}
	c := s.c
	s.log.OnOpen(s.joined)
	s.log.OnMessage(s.deliver(&c.logMu, s.logged))
	s.pose.OnMessage(s.deliver(&c.poseMu, c.cfg.OnPose))
	s.pointer.OnMessage(s.deliver(&c.pointerMu, s.pointed))
	for _, ch := range []*webrtc.DataChannel{s.log, s.pose, s.pointer} {
		ch.OnClose(func() { s.fail(fmt.Errorf("data channel %s was closed", ch.Label())) })
	}
	s.made.Store(true)
	return nil
}

func (s *session) openChannel(label string, id uint16, reliable bool) (*webrtc.DataChannel, error) {
	negotiated, resends := true, uint16(0)
	init := &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &id, Ordered: &reliable}
	if !reliable {
		init.MaxRetransmits = &resends
	}
	ch, err := s.pc.CreateDataChannel(label, init)
	if err != nil {
		return nil, fmt.Errorf("open data channel %s: %w", label, err)
	}
	return ch, nil
}

// joined is called when the log flows: what waited is sent, and the client is connected.
func (s *session) joined() {
	if s.c.current() != s {
		return
	}
	s.mu.Lock()
	s.lastPong = s.c.cfg.Now()
	s.mu.Unlock()
	s.c.outbox.open(s)
	s.c.setState(Connected, nil)
}

// deliver decodes messages and hands them on while s is the session of the moment, one at a time.
func (s *session) deliver(mu *sync.Mutex, to func(wire.Envelope)) func(webrtc.DataChannelMessage) {
	return func(m webrtc.DataChannelMessage) {
		e, err := wire.Decode(m.Data)
		if err != nil {
			s.c.log.Warn("relay sent what cannot be read", "error", err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if to != nil && s.c.current() == s {
			to(e)
		}
	}
}

func (s *session) logged(e wire.Envelope) {
	s.c.clock.saw(e.Time)
	if e.From == s.c.Self().ID {
		s.c.outbox.confirm(e.Msg)
	}
	if s.c.cfg.OnLog != nil {
		s.c.cfg.OnLog(e)
	}
}

func (s *session) pointed(e wire.Envelope) {
	if e.Kind == wire.KindSpeaking {
		var now wire.Speaking
		if json.Unmarshal(e.Body, &now) == nil && s.c.cfg.OnSpeaking != nil {
			s.c.cfg.OnSpeaking(now.Participants)
		}
		return
	}
	if e.Kind != wire.KindPong {
		if s.c.cfg.OnPointer != nil {
			s.c.cfg.OnPointer(e)
		}
		return
	}
	now := s.c.cfg.Now()
	var p wire.Ping
	if json.Unmarshal(e.Body, &p) == nil {
		s.c.clock.pong(p.T0, p.T1, p.T2, s.c.micros(now))
	}
	s.healthy(now)
}

// pingMedia keeps the clock and notices a media path that has died: quickly at first, then every second, and quickly
// again where the network has changed.
func (s *session) pingMedia() {
	began := s.c.cfg.Now()
	pause := 50 * time.Millisecond
	for n := 1; s.pauseUntil(pause, s.doubt); n++ {
		now := s.c.cfg.Now()
		s.uplink.idle(now)
		s.mu.Lock()
		opened, doubt := !s.lastPong.IsZero(), now.Sub(s.suspect) < suspectFor
		s.mu.Unlock()
		doubt = doubt || s.isIll()
		pause = min(pingEvery, time.Duration(1+n)*50*time.Millisecond)
		switch {
		case !opened:
			n = 0
			if now.Sub(began) > joinTime {
				s.fail(errors.New("no media path: the relay's UDP port is not reached; is it open in the firewall?"))
				return
			}
			continue
		case doubt:
			pause = suspectPing
		}
		s.tend(now)
		if e, err := s.c.envelope(wire.KindPing, "", 0, 0, wire.Ping{T0: s.c.micros(now)}); err == nil {
			if data, err := encode(e); err == nil {
				_ = sendLossy(s.pointer, data)
			}
		}
	}
}

// sendLog writes to the log channel. A failure is left to the session: what was not sent is in the outbox.
func (s *session) sendLog(data []byte) {
	if err := s.log.SendText(string(data)); err != nil {
		s.fail(fmt.Errorf("data channel log: %w", err))
	}
}

// maxLossy is how many bytes may wait on a lossy channel: what comes when more wait is let go.
const maxLossy = 64 << 10

func sendLossy(ch *webrtc.DataChannel, data []byte) error {
	if ch.ReadyState() != webrtc.DataChannelStateOpen {
		return ErrOffline
	}
	if ch.BufferedAmount() > maxLossy {
		return nil
	}
	if err := ch.SendText(string(data)); err != nil {
		return fmt.Errorf("%w: %w", ErrOffline, err)
	}
	return nil
}
