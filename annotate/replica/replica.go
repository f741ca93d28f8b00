// Package replica is what a participant knows of the marks of a room: it merges messages, in whatever
// order and how often they come, into the same state as everybody else's.
package replica

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sightline/annotate"
	"sightline/relay/wire"
)

// Replica is the merged state of marks and anchors. Each (kind, id) is a register in which the newest
// message of the log holds (wire.Envelope.Newer), so merging is commutative, associative and idempotent.
// Messages that are not in the log yet (Seq 0: this participant's own, applied before they are published)
// lie over it, each until the log has it, perhaps with another time: then the log's word holds. It is
// safe for use by several goroutines.
type Replica struct {
	mu      sync.Mutex
	marks   table[annotate.Mark]
	anchors table[annotate.Anchor]
	version uint64
}

// New makes an empty replica.
func New() *Replica {
	return &Replica{marks: newTable[annotate.Mark](), anchors: newTable[annotate.Anchor]()}
}

// Apply merges one message; changed says whether what is seen is now another. Messages of kinds that are
// not about marks change nothing. A message whose body is wrong changes nothing either, on every replica
// alike; the error says what is wrong with it.
func (r *Replica) Apply(e wire.Envelope) (changed bool, err error) {
	switch e.Kind {
	case wire.KindMark:
		m, err := DecodeMark(e.Body)
		if err != nil {
			return false, fmt.Errorf("mark %s from %s: %w", e.ID, e.From, err)
		}
		return merge(r, &r.marks, e, m), nil
	case wire.KindAnchor:
		a, err := DecodeAnchor(e.Body)
		if err != nil {
			return false, fmt.Errorf("anchor of mark %s from %s: %w", e.ID, e.From, err)
		}
		return merge(r, &r.anchors, e, a), nil
	}
	return false, nil
}

// Forget drops an own message that the relay refused, by its name (Msg).
func (r *Replica) Forget(msg string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, mark := r.marks.pending[msg]
	_, anchor := r.anchors.pending[msg]
	if mark || anchor {
		delete(r.marks.pending, msg)
		delete(r.anchors.pending, msg)
		r.version++
	}
}

func merge[T any](r *Replica, t *table[T], e wire.Envelope, body T) bool {
	e.Body, e.Extra = nil, nil
	r.mu.Lock()
	defer r.mu.Unlock()
	old, had := t.get(e.ID)
	t.put(register[T]{e, body})
	now, has := t.get(e.ID)
	if had == has && old.from.Msg == now.from.Msg && old.from.Time == now.from.Time && old.from.From == now.from.From {
		return false
	}
	r.version++
	return true
}

// DecodeMark reads the body of a mark and checks it.
func DecodeMark(body []byte) (annotate.Mark, error) {
	var m annotate.Mark
	if err := json.Unmarshal(body, &m); err != nil {
		return annotate.Mark{}, fmt.Errorf("body is not a mark: %w", err)
	}
	return m, m.Valid()
}

// DecodeAnchor reads the body of an anchor and checks it.
func DecodeAnchor(body []byte) (annotate.Anchor, error) {
	var a annotate.Anchor
	if err := json.Unmarshal(body, &a); err != nil {
		return annotate.Anchor{}, fmt.Errorf("body is not an anchor: %w", err)
	}
	return a, a.Valid()
}

// List returns the live marks in the order they were last written, oldest first, each with its anchor
// where that was made for the mark as it now stands. The result is the caller's; what it points to is
// shared and must not be written.
func (r *Replica) List() []annotate.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []annotate.Entry
	for id := range r.marks.ids() {
		if e, ok := r.entry(id); ok {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b annotate.Entry) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), strings.Compare(a.ID, b.ID))
	})
	return out
}

// Get returns one live mark.
func (r *Replica) Get(id string) (annotate.Entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entry(id)
}

// entry needs the lock.
func (r *Replica) entry(id string) (annotate.Entry, bool) {
	m, ok := r.marks.get(id)
	if !ok || m.body.Deleted {
		return annotate.Entry{}, false
	}
	e := annotate.Entry{ID: id, Mark: m.body, Captured: m.from.Captured, Time: m.from.Time, From: m.from.From}
	if a, ok := r.anchors.get(id); ok && a.body.MarkTime == m.from.Time {
		e.Anchor = &a.body
	}
	return e, true
}

// lastTime is the session time of the newest message for a mark, a tombstone too, or 0.
func (r *Replica) lastTime(id string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	m, _ := r.marks.get(id)
	return m.from.Time
}

// Version grows with every change, so that a caller sees cheaply whether there is anything new.
func (r *Replica) Version() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.version
}
