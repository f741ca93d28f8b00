// Package webhook tells other programs what happens in rooms: an HTTPS POST for each event, signed as Standard Webhooks
// (standardwebhooks.com) have it, from a queue on disk that outlives the relay, tried again until it is taken.
//
//	POST /hook HTTP/1.1
//	webhook-id: 5H7…
//	webhook-timestamp: 1772352902
//	webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=
//
//	{"type":"participant.joined","timestamp":"2026-03-01T08:15:02.1Z","data":{"room":"hall1","participant":{…}}}
//
// A message may come twice, under the same webhook-id, and later ones may overtake it.
package webhook

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"sightline/relay/internal/bus"
)

// Queue keeps the messages until they are taken.
type Queue interface {
	Put(ctx context.Context, lane, id string, data []byte) error
	Work(ctx context.Context, lane string, do func(bus.Job)) error
}

// Config is what a Sender needs. Pauses and Timeout may be left out.
type Config struct {
	Targets []Target
	Queue   Queue
	Log     *slog.Logger
	Now     func() time.Time
	// Pauses are how long a message waits after each try that failed; the last holds for all that follow. Empty: 2 s
	// to 2 h.
	Pauses  []time.Duration
	Timeout time.Duration // for one try; 0: 10 s
}

// Sender tells the targets. Its methods may be called from any goroutine.
type Sender struct {
	cfg     Config
	ctx     context.Context
	stop    context.CancelFunc
	tasks   sync.WaitGroup
	clients []*http.Client
	fresh   chan message
	dropped atomic.Int64
	failed  atomic.Int64
	sent    atomic.Int64
}

// message is one event for one target, as it is in the queue.
type message struct {
	ID     string          `json:"id"`
	Body   json.RawMessage `json:"body"`
	target *Target
}

// maxFresh bounds the messages that wait for the queue's disk; what comes faster is let go and counted.
const maxFresh = 4096

// Keep is how long a message is tried.
const Keep = 72 * time.Hour

// Try is how long one try may take, with all that goes around it.
const Try = 20 * time.Second

// New begins to tell.
func New(cfg Config) *Sender {
	if len(cfg.Pauses) == 0 {
		cfg.Pauses = []time.Duration{2 * time.Second, 10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	s := &Sender{cfg: cfg, fresh: make(chan message, maxFresh)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.tasks.Go(s.keep)
	for i := range cfg.Targets {
		t := &s.cfg.Targets[i]
		client := newClient(t, cfg.Timeout)
		s.clients = append(s.clients, client)
		s.tasks.Go(func() { s.work(t, client) })
	}
	return s
}

// Close puts what was told into the queue and ends; what is in the queue is sent when a relay runs again.
func (s *Sender) Close() {
	close(s.fresh)
	s.stop()
	s.tasks.Wait()
	for _, c := range s.clients {
		c.CloseIdleConnections()
	}
}

// Tell tells an event of a room to all targets that want it. It does not block. After Close it must not be called.
func (s *Sender) Tell(event, room string, data any) {
	body, err := json.Marshal(map[string]any{"type": event, "timestamp": s.cfg.Now().UTC(), "data": data})
	if err != nil {
		s.cfg.Log.Error("event is not JSON", "event", event, "error", err)
		return
	}
	for i := range s.cfg.Targets {
		t := &s.cfg.Targets[i]
		if !t.wants(event, room) {
			continue
		}
		select {
		case s.fresh <- message{ID: rand.Text(), Body: body, target: t}:
		default:
			s.dropped.Add(1)
		}
	}
}

// Stats count the messages that were taken, the tries that failed, and what was let go before the queue.
type Stats struct{ Sent, Failed, Dropped int64 }

// Stats may be called at any time.
func (s *Sender) Stats() Stats { return Stats{s.sent.Load(), s.failed.Load(), s.dropped.Load()} }

// keep puts messages into the queue, also those that are left when the sender closes.
func (s *Sender) keep() {
	for m := range s.fresh {
		data, err := json.Marshal(m)
		if err == nil {
			err = s.cfg.Queue.Put(context.WithoutCancel(s.ctx), m.target.lane(), m.ID, data)
		}
		if err != nil {
			s.dropped.Add(1)
			s.cfg.Log.Error("webhook cannot be kept", "target", m.target.Name(), "error", err)
		}
	}
}

// work sends what is in a target's lane, until the sender closes.
func (s *Sender) work(t *Target, client *http.Client) {
	for {
		err := s.cfg.Queue.Work(s.ctx, t.lane(), func(j bus.Job) { s.try(t, client, j) })
		if s.ctx.Err() != nil {
			return
		}
		s.cfg.Log.Error("webhooks stand still", "target", t.Name(), "error", err)
		select {
		case <-time.After(time.Second):
		case <-s.ctx.Done():
			return
		}
	}
}

// try sends a message once.
func (s *Sender) try(t *Target, client *http.Client, j bus.Job) {
	var m message
	err := json.Unmarshal(j.Data, &m)
	if err != nil {
		s.cfg.Log.Error("webhook in the queue cannot be read", "error", errors.Join(err, j.Drop()))
		return
	}
	err = s.post(t, client, m)
	switch {
	case err == nil:
		s.sent.Add(1)
		err = j.Done()
	case s.ctx.Err() != nil: // it is tried again when a relay runs
		err = j.Later(0)
	default:
		s.failed.Add(1)
		pause := s.cfg.Pauses[min(j.Try, len(s.cfg.Pauses))-1]
		s.cfg.Log.Warn("webhook was not taken", "target", t.Name(), "id", m.ID, "try", j.Try, "again", pause, "error", err)
		err = j.Later(pause)
	}
	if err != nil && s.ctx.Err() == nil {
		s.cfg.Log.Error("webhook queue", "error", err)
	}
}
