package room

import (
	"crypto/rand"
	"encoding/json"
	"errors"

	"sightline/devices/mqtt"
	"sightline/relay/wire"
)

// Log writes a member's message to the log. What is refused is told to the member, by the message's name.
func (r *Room) Log(m Member, e wire.Envelope) {
	who := m.Who()
	if err := mayLog(m, e.Kind); err != nil {
		m.Tell(wire.Signal{Type: wire.SignalError, Code: wire.CodeForbidden, Text: err.Error(), Msg: e.Msg})
		return
	}
	if e.Msg == "" {
		m.Tell(wire.Signal{Type: wire.SignalError, Code: wire.CodeBadMessage, Text: "message on the log channel without a msg"})
		return
	}
	r.do(func() {
		e.From = who.ID
		if now := r.Time(); e.Time <= 0 || e.Time > now {
			e.Time = now
		}
		seq, again, err := r.append(e)
		switch {
		case errors.Is(err, wire.ErrTooLarge):
			m.Tell(wire.Signal{Type: wire.SignalError, Code: wire.CodeTooLarge, Text: err.Error(), Msg: e.Msg})
		case err != nil:
			r.cfg.Log.Error("message is not in the log", "room", r.cfg.Name, "error", err)
			m.Tell(wire.Signal{Type: wire.SignalError, Code: wire.CodeInternal, Text: "the log cannot be written; the relay's own log says why"})
		case again:
			e.Seq = seq
			m.Echo(e)
		}
	})
}

// append writes a message; one that does not hold its register is late.
func (r *Room) append(e wire.Envelope) (seq uint64, again bool, err error) {
	key := register{e.Kind, e.ID}
	now, known := r.registers[key]
	late := known && !e.Newer(wire.Envelope{Time: now.time, From: now.from, Msg: now.msg})
	seq, again, err = r.cfg.Store.Append(r.ctx, r.cfg.Name, e, late)
	if err == nil && !again {
		r.head.Store(seq)
	}
	if err == nil && !again && !late {
		r.registers[key] = winner{e.Time, e.From, e.Msg}
		r.took(e)
		if r.cfg.Heard != nil {
			r.cfg.Heard(e, !known)
		}
	}
	return seq, again, err
}

// took acts on a message that holds its register now.
func (r *Room) took(e wire.Envelope) {
	switch e.Kind {
	case wire.KindParticipant:
		var p wire.Participant
		if json.Unmarshal(e.Body, &p) != nil {
			return
		}
		delete(r.online, e.ID)
		delete(r.lost, e.ID)
		if p.Online {
			r.online[e.ID] = p
		} else if p.Reason == "lost" {
			r.lost[e.ID] = true
		}
	case wire.KindRoom:
		_ = json.Unmarshal(e.Body, &r.locked)
	case wire.KindMuted:
		var m wire.Muted
		if json.Unmarshal(e.Body, &m) == nil {
			r.muted[e.ID] = m
		}
	case wire.KindWatch:
		var w wire.Watch
		if json.Unmarshal(e.Body, &w) == nil {
			r.watch(e.ID, w.On)
		}
	}
}

// maxWatched bounds the machines that one room watches.
const maxWatched = 256

func (r *Room) watch(machine string, on bool) {
	switch {
	case on && !r.watching[machine] && len(r.watching) < maxWatched:
		r.watching[machine] = true
		r.cfg.Plant.Watch(r.cfg.Name, machine, r.telemetry)
	case !on && r.watching[machine]:
		delete(r.watching, machine)
		r.cfg.Plant.Unwatch(r.cfg.Name, machine)
	}
}

// telemetry takes what a machine says. It never blocks: what comes faster than the log takes it is let
// go and counted; the next reading is there soon.
func (r *Room) telemetry(m mqtt.Message) {
	select {
	case r.inbox <- func() { r.write(m.Kind, m.ID, m.Body) }:
	default:
		r.missed.Add(1)
	}
}

// Report writes a message of the relay's own to the log.
func (r *Room) Report(kind, id string, body any) { r.do(func() { r.write(kind, id, body) }) }

// Write is Report for who is on the room's goroutine.
func (r *Room) Write(kind, id string, body any) { r.write(kind, id, body) }

// write appends a message of the relay's own, later than what holds its register.
func (r *Room) write(kind, id string, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		r.cfg.Log.Error("message of the relay is not JSON", "kind", kind, "error", err)
		return
	}
	at := max(r.Time(), r.registers[register{kind, id}].time+1)
	e := wire.Envelope{V: wire.Version, Kind: kind, ID: id, Msg: rand.Text(), From: "relay", Time: at, Body: raw}
	if err := e.Valid(); err != nil {
		r.cfg.Log.Warn("message of the relay is not valid", "error", err)
		return
	}
	if _, _, err := r.append(e); err != nil && r.ctx.Err() == nil {
		r.cfg.Log.Error("message is not in the log", "room", r.cfg.Name, "error", err)
	}
}
