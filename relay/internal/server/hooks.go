package server

import (
	"context"
	"encoding/json"
	"path/filepath"

	"sightline/relay/internal/webhook"
	"sightline/relay/wire"
)

// openHooks begins to tell the webhooks, where there are any.
func (s *Server) openHooks(ctx context.Context) error {
	if len(s.cfg.Webhooks) == 0 {
		return nil
	}
	queue, err := s.bus.OpenQueue(ctx, "webhooks", webhook.Keep, webhook.Try)
	if err != nil {
		return err
	}
	s.hooks = webhook.New(webhook.Config{Targets: s.cfg.Webhooks, Queue: queue, Log: s.log, Now: s.cfg.Now})
	return nil
}

// tell tells the webhooks. It does not block.
func (s *Server) tell(event, room string, more map[string]any) {
	if s.hooks == nil {
		return
	}
	data := map[string]any{"room": room}
	for key, value := range more {
		data[key] = value
	}
	s.hooks.Tell(event, room, data)
}

// heard tells of what the log of a room has taken. It is called on the room's goroutine.
func (s *Server) heard(room string, e wire.Envelope, first bool) {
	switch e.Kind {
	case wire.KindParticipant:
		var p wire.Participant
		if json.Unmarshal(e.Body, &p) != nil || p.Online && p.Reason != "" { // interrupted, or back: neither came nor went
			return
		}
		event := webhook.ParticipantJoined
		if !p.Online {
			event = webhook.ParticipantLeft
		}
		s.tell(event, room, map[string]any{"participant": p})
	case wire.KindMark:
		if first {
			s.tell(webhook.MarkPlaced, room, map[string]any{"mark": e.ID, "participant": e.From, "session_time": e.Time, "captured": e.Captured})
		}
	case wire.KindAlarm:
		var a struct {
			Active bool   `json:"active"`
			Text   string `json:"text"`
		}
		if json.Unmarshal(e.Body, &a) != nil || !a.Active && first {
			return
		}
		event := webhook.AlarmRaised
		if !a.Active {
			event = webhook.AlarmCleared
		}
		s.tell(event, room, map[string]any{"alarm": e.ID, "text": a.Text, "session_time": e.Time})
	}
}

// sealed tells that a recording was closed.
func (s *Server) sealed(room, dir string) {
	s.tell(webhook.RecordingSealed, room, map[string]any{"recording": filepath.Base(dir)})
}

// Webhooks counts what was told.
func (s *Server) Webhooks() webhook.Stats {
	if s.hooks == nil {
		return webhook.Stats{}
	}
	return s.hooks.Stats()
}
