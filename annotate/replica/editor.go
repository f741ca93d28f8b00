package replica

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"sightline/annotate"
	"sightline/relay/wire"
)

// Editor is one author's session: it makes the messages of his edits, applies them to his replica at
// once, and takes them back. It is safe for use by several goroutines. The messages it returns are for
// the caller to publish as they are, and again after a break: they are idempotent.
type Editor struct {
	replica *Replica
	from    string
	now     func() int64
	name    func() string

	mu   sync.Mutex
	last int64    // session time of the last message
	undo [][]step // what would take each edit back, the newest last
}

// step is what one mark was before an edit.
type step struct {
	id       string
	captured int64
	before   annotate.Mark // Deleted where the mark did not exist
}

// maxUndo bounds how many edits can be taken back.
const maxUndo = 200

// NewEditor makes the session of the participant from. now is session time in microseconds; name makes
// a name that no other message and no other mark has.
func NewEditor(r *Replica, from string, now func() int64, name func() string) *Editor {
	return &Editor{replica: r, from: from, now: now, name: name}
}

// SetSender changes the participant's ID, after a reconnection gave it another. The relay writes it into
// every message, whatever is claimed here.
func (e *Editor) SetSender(from string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.from = from
}

// Create makes a new mark on the frame captured and returns its ID with the message.
func (e *Editor) Create(m annotate.Mark, captured int64) (string, wire.Envelope, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m.Deleted = false
	id := e.name()
	env, err := e.write(id, m, captured)
	if err != nil {
		return "", wire.Envelope{}, err
	}
	e.remember([]step{{id: id, captured: captured, before: annotate.Mark{Deleted: true}}})
	return id, env, nil
}

// Move writes another body for a live mark, drawn on the frame captured: another place, another text.
func (e *Editor) Move(id string, m annotate.Mark, captured int64) (wire.Envelope, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old, ok := e.replica.Get(id)
	if !ok {
		return wire.Envelope{}, fmt.Errorf("mark %s: there is no such mark, or it was deleted", id)
	}
	m.Deleted = false
	env, err := e.write(id, m, captured)
	if err == nil {
		e.remember([]step{{id, old.Captured, old.Mark}})
	}
	return env, err
}

// Delete takes a live mark away, whoever made it.
func (e *Editor) Delete(id string) (wire.Envelope, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	envs, err := e.remove([]string{id})
	if err != nil {
		return wire.Envelope{}, err
	}
	return envs[0], nil
}

// Clear takes all live marks away: one message for each, taken back as one. None is no error.
func (e *Editor) Clear() ([]wire.Envelope, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ids []string
	for _, m := range e.replica.List() {
		ids = append(ids, m.ID)
	}
	return e.remove(ids)
}

// remove writes tombstones. The tombstone keeps author and shape for the record.
func (e *Editor) remove(ids []string) ([]wire.Envelope, error) {
	var envs []wire.Envelope
	var steps []step
	for _, id := range ids {
		old, ok := e.replica.Get(id)
		if !ok {
			return nil, fmt.Errorf("mark %s: there is no such mark, or it was deleted", id)
		}
		env, err := e.write(id, tombstone(old.Mark), old.Captured)
		if err != nil {
			return nil, err
		}
		envs = append(envs, env)
		steps = append(steps, step{id, old.Captured, old.Mark})
	}
	if len(steps) > 0 {
		e.remember(steps)
	}
	return envs, nil
}

func tombstone(m annotate.Mark) annotate.Mark {
	return annotate.Mark{Author: m.Author, Shape: m.Shape, Camera: m.Camera, Deleted: true}
}

// Undo takes this session's last edit back, over whatever others did to those marks since, and returns
// the messages; none where there is nothing left to take back.
func (e *Editor) Undo() ([]wire.Envelope, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.undo) == 0 {
		return nil, nil
	}
	steps := e.undo[len(e.undo)-1]
	e.undo = e.undo[:len(e.undo)-1]
	var envs []wire.Envelope
	for _, s := range steps {
		body := s.before
		if body.Deleted {
			now, ok := e.replica.Get(s.id)
			if !ok {
				continue // someone deleted it already
			}
			body = tombstone(now.Mark)
		}
		env, err := e.write(s.id, body, s.captured)
		if err != nil {
			return envs, err
		}
		envs = append(envs, env)
	}
	return envs, nil
}

// CanUndo says whether Undo would do anything.
func (e *Editor) CanUndo() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.undo) > 0
}

func (e *Editor) remember(steps []step) {
	e.undo = append(e.undo, steps)
	if len(e.undo) > maxUndo {
		e.undo = slices.Delete(e.undo, 0, len(e.undo)-maxUndo)
	}
}

// write makes the message of a body, newer than all that this replica knows of the mark, and applies it.
func (e *Editor) write(id string, m annotate.Mark, captured int64) (wire.Envelope, error) {
	if err := m.Valid(); err != nil {
		return wire.Envelope{}, err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return wire.Envelope{}, fmt.Errorf("mark %s: %w", id, err)
	}
	e.last = max(e.last+1, e.now(), e.replica.lastTime(id)+1)
	env := wire.Envelope{V: wire.Version, Kind: wire.KindMark, ID: id, Msg: e.name(), From: e.from,
		Time: e.last, Captured: captured, Body: body}
	_, err = e.replica.Apply(env)
	return env, err
}
