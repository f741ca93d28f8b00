package replica

import (
	"iter"

	"sightline/relay/wire"
)

// register is a message for an id, decoded.
type register[T any] struct {
	from wire.Envelope // without its body
	body T
}

// table holds the registers of one kind. Its owner has the lock.
type table[T any] struct {
	log     map[string]register[T] // by ID: the newest of the room's log
	pending map[string]register[T] // by Msg: own ones that the log has not told of
}

func newTable[T any]() table[T] {
	return table[T]{log: map[string]register[T]{}, pending: map[string]register[T]{}}
}

// put takes a message in: one of the log ends the waiting of its own earlier self.
func (t *table[T]) put(r register[T]) {
	old, known := t.log[r.from.ID]
	if r.from.Seq == 0 {
		if !known || old.from.Msg != r.from.Msg {
			t.pending[r.from.Msg] = r
		}
		return
	}
	delete(t.pending, r.from.Msg)
	if !known || r.from.Newer(old.from) {
		t.log[r.from.ID] = r
	}
}

// get returns what holds for an id: of the log's and the pending ones the newest.
func (t *table[T]) get(id string) (register[T], bool) {
	best, ok := t.log[id]
	for _, p := range t.pending {
		if p.from.ID == id && (!ok || p.from.Newer(best.from)) {
			best, ok = p, true
		}
	}
	return best, ok
}

// ids goes through all IDs, each once.
func (t *table[T]) ids() iter.Seq[string] {
	return func(yield func(string) bool) {
		for id := range t.log {
			if !yield(id) {
				return
			}
		}
		seen := map[string]bool{}
		for _, p := range t.pending {
			id := p.from.ID
			if _, inLog := t.log[id]; inLog || seen[id] {
				continue
			}
			seen[id] = true
			if !yield(id) {
				return
			}
		}
	}
}
