package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sightline/relay/internal/auth"
	"sightline/relay/internal/bus"
	"sightline/relay/internal/invitation"
	"sightline/relay/internal/staff"
)

// What the relays of a cluster share: the public keys that verify their tokens, and the books of invitations. Private
// keys stay where they are.
type shared struct {
	keys  *bus.Bucket // of each relay, by the name of its data directory
	books *bus.Bucket // invitations, by their IDs
	name  string
	put   []byte // the keys that were written
	book  int64  // how far the book was written
}

// share begins to share, and keeps it up until the relay closes.
func (s *Server) share(ctx context.Context) error {
	var h shared
	var err error
	if h.name, err = dataName(s.cfg.Data); err != nil {
		return err
	}
	if h.keys, err = s.bus.OpenBucket(ctx, "keys", 0); err != nil {
		return err
	}
	if h.books, err = s.bus.OpenBucket(ctx, "invitations", 0); err != nil {
		return err
	}
	trust := func(relay string, data []byte) { s.trust(h.name, relay, data) }
	if err := errors.Join(h.publish(s), h.keys.All(ctx, trust), h.books.All(ctx, s.learn)); err != nil {
		return err
	}
	s.conns.Go(func() { h.keys.Watch(s.ctx, trust) })
	s.conns.Go(func() { h.books.Watch(s.ctx, s.learn) })
	s.conns.Go(func() {
		tick := time.NewTicker(tendEvery)
		defer tick.Stop()
		for failed := false; ; {
			err := h.publish(s)
			if err != nil && !failed && s.ctx.Err() == nil {
				s.log.Warn("keys and invitations do not reach the other relays; this relay tries again", "error", err)
			}
			failed = err != nil
			select {
			case <-tick.C:
			case <-s.ctx.Done():
				return
			}
		}
	})
	return nil
}

// dataName returns a name that a data directory has for ever.
func dataName(data string) (string, error) {
	path := filepath.Join(data, "relay-id")
	text, err := os.ReadFile(path)
	if err == nil && strings.TrimSpace(string(text)) != "" {
		return strings.TrimSpace(string(text)), nil
	}
	name := rand.Text()
	return name, os.WriteFile(path, []byte(name+"\n"), 0o644)
}

// trust takes the keys of another relay.
func (s *Server) trust(own, relay string, data []byte) {
	var keys []auth.PublicKey
	if relay == own || data != nil && json.Unmarshal(data, &keys) != nil {
		return
	}
	s.auth.Trust(relay, keys)
}

// learn takes an invitation of another relay's book.
func (s *Server) learn(_ string, data []byte) {
	var i invitation.Invitation
	if data == nil || json.Unmarshal(data, &i) != nil || i.ID == "" {
		return
	}
	if err := s.book.Learn(i); err != nil {
		s.log.Error("an invitation of another relay is not in the book", "invitation", i.ID, "error", err)
	}
}

// publish writes what is new here.
func (h *shared) publish(s *Server) error {
	keys, err := s.auth.Public()
	if err != nil {
		return err
	}
	data, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	if string(data) != string(h.put) {
		if err := h.keys.Put(s.ctx, h.name, data); err != nil {
			return err
		}
		h.put = data
	}
	all, version, err := s.book.All(h.book)
	if err != nil {
		return err
	}
	for _, i := range all {
		if err := h.enter(s.ctx, i); err != nil {
			return err
		}
	}
	h.book = version
	return nil
}

// enter writes an invitation for all relays to see. What was withdrawn stays so.
func (h *shared) enter(ctx context.Context, i invitation.Invitation) error {
	for {
		old, revision, err := h.books.Get(ctx, i.ID)
		if err != nil {
			return err
		}
		var known invitation.Invitation
		if old != nil && json.Unmarshal(old, &known) == nil && (!known.Withdrawn.IsZero() || i.Withdrawn.IsZero()) {
			return nil
		}
		data, err := json.Marshal(i)
		if err != nil {
			return err
		}
		if err := h.books.Set(ctx, i.ID, data, revision); !errors.Is(err, bus.ErrTaken) {
			return err
		}
	}
}

// begun keeps the sign-ins that have begun where every relay finds them.
type begun struct{ bucket *bus.Bucket }

func (s *Server) openDoor(ctx context.Context) error {
	c := s.cfg.Staff
	if c.Issuer == "" {
		return nil
	}
	c.Now = s.cfg.Now
	if s.cfg.NATS.URL != "" {
		bucket, err := s.bus.OpenBucket(ctx, "signins", staff.BeginTime)
		if err != nil {
			return err
		}
		c.Begun = begun{bucket}
	}
	s.staff = staff.New(c)
	return nil
}

func (b begun) Put(ctx context.Context, state string, attempt []byte) error {
	return b.bucket.Put(ctx, state, attempt)
}

func (b begun) Take(ctx context.Context, state string) ([]byte, error) {
	for _, c := range []byte(state) {
		if !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			return nil, nil // none of ours: see rand.Text
		}
	}
	data, revision, err := b.bucket.Get(ctx, state)
	if err != nil || data == nil {
		return nil, err
	}
	if err := b.bucket.Delete(ctx, state, revision); errors.Is(err, bus.ErrTaken) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return data, nil
}
