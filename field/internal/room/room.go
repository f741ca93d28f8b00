// Package room is what the field client knows of its session: the marks, the machines and the people,
// as the room log tells.
package room

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"sightline/annotate/replica"
	"sightline/annotate/scene"
	"sightline/devices"
	"sightline/relay/wire"
)

// Room gathers the room log. It is safe for use by several goroutines.
type Room struct {
	Marks *replica.Replica
	log   *slog.Logger
	now   func() time.Time

	mu       sync.Mutex
	machines map[string]*machine
	births   []devices.Machine // built when it is nil
	people   map[string]wire.Participant
	newest   map[string]wire.Envelope // by kind and ID, without body: what holds of machines and people
	arrived  map[string]int64         // wall clock, µs, of the newest message of a mark
	faults   map[string]string        // what is not recorded as it should be, by the relay's name for it
	recorded wire.Recorded
	consents map[string]wire.Consent // by participant: what was asked, or answered
	speaking []string                // IDs of who speaks
}

// New makes an empty room.
func New(log *slog.Logger, now func() time.Time) *Room {
	return &Room{Marks: replica.New(), log: log, now: now, machines: map[string]*machine{},
		people: map[string]wire.Participant{}, newest: map[string]wire.Envelope{},
		arrived: map[string]int64{}, faults: map[string]string{}, consents: map[string]wire.Consent{}}
}

// Take takes one message of the log. One that cannot be read is told to the logger, and changes nothing.
func (r *Room) Take(e wire.Envelope) {
	if _, err := r.Marks.Apply(e); err != nil {
		r.log.Warn("a message of the room was not understood", "err", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	switch e.Kind {
	case wire.KindMark:
		r.arrived[e.ID] = r.now().UnixMicro()
	case wire.KindParticipant, wire.KindMachine, wire.KindTag, wire.KindAlarm, wire.KindFault, wire.KindRecorded, wire.KindConsent:
		key := e.Kind + " " + e.ID
		if old, had := r.newest[key]; had && !e.Newer(old) {
			return
		}
		body := e.Body
		e.Body = nil
		r.newest[key] = e
		err = r.state(e, body)
	}
	if err != nil {
		r.log.Warn("a message of the room was not understood", "kind", e.Kind, "id", e.ID, "err", err)
	}
}

// state takes what holds now of a machine or a person. It needs the lock.
func (r *Room) state(e wire.Envelope, body []byte) error {
	switch e.Kind {
	case wire.KindParticipant:
		var p wire.Participant
		if err := json.Unmarshal(body, &p); err != nil {
			return err
		}
		r.people[e.ID] = p
	case wire.KindMachine:
		var m devices.Machine
		if err := json.Unmarshal(body, &m); err != nil {
			return err
		}
		r.machine(m.Name).born(m)
		r.births = nil
	case wire.KindTag:
		var v devices.Reading
		if err := json.Unmarshal(body, &v); err != nil {
			return err
		}
		r.machine(v.Machine).read(v)
	case wire.KindAlarm:
		var a devices.Alarm
		if err := json.Unmarshal(body, &a); err != nil {
			return err
		}
		r.machine(a.Machine).alarm(a)
	default:
		return r.recording(e, body)
	}
	return nil
}

// machine needs the lock.
func (r *Room) machine(name string) *machine {
	m := r.machines[name]
	if m == nil {
		m = newMachine(name)
		r.machines[name] = m
		r.births = nil
	}
	return m
}

// Births returns what the machines are, by name; nobody writes it.
func (r *Room) Births() []devices.Machine {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.births == nil {
		r.births = make([]devices.Machine, 0, len(r.machines))
		for _, m := range r.machines {
			r.births = append(r.births, m.birth)
		}
		slices.SortFunc(r.births, func(a, b devices.Machine) int { return strings.Compare(a.Name, b.Name) })
	}
	return r.births
}

// Machines returns the machines with the last readings of their tags, by name.
func (r *Room) Machines() []scene.Machine {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]scene.Machine, 0, len(r.machines))
	for _, m := range r.machines {
		out = append(out, m.scene())
	}
	slices.SortFunc(out, func(a, b scene.Machine) int { return strings.Compare(a.Machine.Name, b.Machine.Name) })
	return out
}

// Known says whether a mark of that ID was ever in the log, a deleted one too.
func (r *Room) Known(id string) bool { return r.Arrived(id) != 0 }

// Arrived returns when the newest message of a mark came, µs on this machine's clock; 0 where none did.
func (r *Room) Arrived(mark string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.arrived[mark]
}

// Experts returns the names of the experts who are here, in order.
func (r *Room) Experts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, p := range r.people {
		if p.Online && p.Role == "expert" {
			out = append(out, p.Name)
		}
	}
	slices.Sort(out)
	return out
}

// Heard takes who speaks, by ID.
func (r *Room) Heard(speaking []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.speaking = speaking
}

// Speaking returns the names of those who speak, but for one, in order.
func (r *Room) Speaking(but string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, id := range r.speaking {
		if p := r.people[id]; p.Online && id != but {
			out = append(out, p.Name)
		}
	}
	slices.Sort(out)
	return out
}

// Online says whether a participant is here.
func (r *Room) Online(participant string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.people[participant].Online
}
