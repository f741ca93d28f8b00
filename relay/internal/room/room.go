// Package room is one room of the relay: who is in it, what its log says, and which track goes to whom.
// One goroutine owns it.
package room

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"sightline/devices/mqtt"
	"sightline/relay/internal/sfu"
	"sightline/relay/wire"
)

// Member is one connection of a participant. Its methods do not block.
type Member interface {
	Who() wire.Participant
	Tracks
	SendLossy(channel string, data []byte) bool
	Tell(wire.Signal)
	// Dropped counts the packets that the connection was too slow for.
	Dropped() int64
	// Echo confirms a message that was in the log before.
	Echo(wire.Envelope)
	// Replaced ends the connection: the same client has joined again.
	Replaced()
}

// Tracks is how a member gets the tracks of others.
type Tracks interface {
	Subscribe(*sfu.Up)
	Unsubscribe(*sfu.Up)
}

// Store keeps the log.
type Store interface {
	Append(ctx context.Context, room string, e wire.Envelope, late bool) (seq uint64, again bool, err error)
	Last(ctx context.Context, room string) ([]wire.Envelope, error)
}

// Recorder writes down what the log does not hold. It does not block.
type Recorder interface {
	Track(up *sfu.Up, participant wire.Participant)
	Sample(wire.Envelope)
}

// Plant hands over what machines say.
type Plant interface {
	Watch(room, machine string, to func(mqtt.Message))
	Unwatch(room, machine string)
}

// Config is what a room needs. All must be set.
type Config struct {
	Name     string
	Began    int64 // of the session, µs since the Unix epoch
	Now      func() time.Time
	Log      *slog.Logger
	Store    Store
	Plant    Plant
	Recorder Recorder
	// GhostTime is how long those who were here when the relay went down have to come back before they
	// count as lost.
	GhostTime time.Duration
}

// Room is one room. Its methods may be called from any goroutine.
type Room struct {
	cfg  Config
	base time.Time // session time is reckoned from it

	inbox chan func()
	ctx   context.Context
	stop  context.CancelFunc
	done  chan struct{}

	members atomic.Pointer[[]Member] // written by the owner only
	missed  atomic.Int64             // telemetry that came faster than the log takes it
	head    atomic.Uint64            // place in the log of the latest message
	lossy   atomic.Int64             // poses and pointers let go for slow receivers

	// Owned by run.
	registers map[register]winner
	online    map[string]wire.Participant // by the log
	watching  map[string]bool
	ups       []ownedUp
}

type register struct{ kind, id string }

// winner is the message that holds a register.
type winner struct {
	time      int64
	from, msg string
}

type ownedUp struct {
	up    *sfu.Up
	owner Member
}

// inboxSize bounds what waits for the room; who brings more waits, but for telemetry, which is let go.
const inboxSize = 1024

// Open brings a room back from its log.
func Open(ctx context.Context, cfg Config) (*Room, error) {
	last, err := cfg.Store.Last(ctx, cfg.Name)
	if err != nil {
		return nil, fmt.Errorf("open room %s: %w", cfg.Name, err)
	}
	r := &Room{cfg: cfg, base: cfg.Now(), inbox: make(chan func(), inboxSize), done: make(chan struct{}),
		registers: map[register]winner{}, online: map[string]wire.Participant{}, watching: map[string]bool{}}
	r.members.Store(&[]Member{})
	r.ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, e := range last {
		r.registers[register{e.Kind, e.ID}] = winner{e.Time, e.From, e.Msg}
		r.took(e)
	}
	go r.run()
	return r, nil
}

// Close ends the room and waits for it.
func (r *Room) Close() {
	r.stop()
	<-r.done
	for machine := range r.watching {
		r.cfg.Plant.Unwatch(r.cfg.Name, machine)
	}
}

// Time returns the session time now, µs.
func (r *Room) Time() int64 { return r.TimeOf(r.cfg.Now()) }

// TimeOf returns the session time of a moment, µs.
func (r *Room) TimeOf(t time.Time) int64 {
	return r.base.UnixMicro() - r.cfg.Began + t.Sub(r.base).Microseconds()
}

// Head returns the place in the log of the latest message that this relay wrote.
func (r *Room) Head() uint64 { return r.head.Load() }

// Name returns the room's name.
func (r *Room) Name() string { return r.cfg.Name }

// Began returns when the session began, µs since the Unix epoch.
func (r *Room) Began() int64 { return r.cfg.Began }

func (r *Room) run() {
	defer close(r.done)
	ghosts := time.NewTimer(r.cfg.GhostTime)
	defer ghosts.Stop()
	for {
		select {
		case f := <-r.inbox:
			f()
		case <-ghosts.C:
			r.loseGhosts()
		case <-r.ctx.Done():
			return
		}
	}
}

func (r *Room) do(f func()) {
	select {
	case r.inbox <- f:
	case <-r.ctx.Done():
	}
}

// ask runs f on the room's goroutine and waits for it.
func (r *Room) ask(f func()) {
	ran := make(chan struct{})
	r.do(func() { f(); close(ran) })
	select {
	case <-ran:
	case <-r.done:
	}
}

// Join takes a member in. A member of the same ID, a ghost of an older connection, is replaced.
func (r *Room) Join(m Member, watch []string) {
	r.ask(func() {
		who := m.Who()
		for _, old := range *r.members.Load() {
			if old.Who().ID == who.ID {
				r.remove(old)
				old.Replaced()
			}
		}
		members := append(slices.Clone(*r.members.Load()), m)
		r.members.Store(&members)
		r.write(wire.KindParticipant, who.ID, who)
		for _, u := range r.ups {
			m.Subscribe(u.up)
		}
		for _, machine := range watch {
			if !r.watching[machine] {
				r.write(wire.KindWatch, machine, wire.Watch{On: true})
			}
		}
	})
}

// Leave lets a member go; reason is left or lost.
func (r *Room) Leave(m Member, reason string) {
	r.ask(func() {
		if !slices.Contains(*r.members.Load(), m) {
			return
		}
		r.remove(m)
		who := m.Who()
		who.Online, who.Reason = false, reason
		r.write(wire.KindParticipant, who.ID, who)
	})
}

// remove takes a member and its tracks out.
func (r *Room) remove(m Member) {
	members := slices.DeleteFunc(slices.Clone(*r.members.Load()), func(x Member) bool { return x == m })
	r.members.Store(&members)
	r.ups = slices.DeleteFunc(r.ups, func(u ownedUp) bool {
		if u.owner != m {
			return false
		}
		for _, other := range members {
			other.Unsubscribe(u.up)
		}
		return true
	})
}

// loseGhosts says of those who were here before the relay went down and did not come back that they are lost.
func (r *Room) loseGhosts() {
	here := map[string]bool{}
	for _, m := range *r.members.Load() {
		here[m.Who().ID] = true
	}
	for id, who := range r.online {
		if !here[id] {
			who.Online, who.Reason = false, "lost"
			r.write(wire.KindParticipant, id, who)
		}
	}
}

// TrackUp gives a member's track to everybody else.
func (r *Room) TrackUp(m Member, up *sfu.Up) {
	r.do(func() {
		members := *r.members.Load()
		if !slices.Contains(members, m) {
			return
		}
		r.ups = append(r.ups, ownedUp{up, m})
		r.cfg.Recorder.Track(up, m.Who())
		for _, other := range members {
			if other != m {
				other.Subscribe(up)
			}
		}
	})
}

// Lossy passes a pose or a pointer on to everybody else, on the caller's goroutine.
func (r *Room) Lossy(m Member, channel string, e wire.Envelope) {
	e.From, e.Seq = m.Who().ID, 0
	e.Time = min(e.Time, r.Time())
	data, err := e.Encode()
	if err != nil {
		return
	}
	for _, other := range *r.members.Load() {
		if other != m && !other.SendLossy(channel, data) {
			r.lossy.Add(1)
		}
	}
	r.cfg.Recorder.Sample(e)
}

// Log writes a member's message to the log. What is refused is told to the member, by the message's name.
func (r *Room) Log(m Member, e wire.Envelope) {
	who := m.Who()
	if err := mayLog(who.Role, e.Kind); err != nil {
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
		if p.Online {
			r.online[e.ID] = p
		} else {
			delete(r.online, e.ID)
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

// Status is what a room looks like from outside.
type Status struct {
	Room         string        `json:"room"`
	SessionBegan int64         `json:"session_began"` // µs since the Unix epoch
	Participants []Present     `json:"participants"`
	Tracks       []TrackStatus `json:"tracks"`
	Watching     []string      `json:"watching"`
	// MissedTelemetry and DroppedLossy count what was let go.
	MissedTelemetry int64 `json:"missed_telemetry"`
	DroppedLossy    int64 `json:"dropped_lossy"`
}

// Present is a participant who is connected.
type Present struct {
	wire.Participant
	DroppedPackets int64 `json:"dropped_packets"` // media that it was too slow for
}

// TrackStatus is a published track.
type TrackStatus struct {
	Participant string `json:"participant"`
	Name        string `json:"name"`
	Kind        string `json:"kind"`
	Codec       string `json:"codec"`
	Packets     int64  `json:"packets"`
}

// Status returns what the room looks like now.
func (r *Room) Status() Status {
	s := Status{Room: r.cfg.Name, SessionBegan: r.cfg.Began, Participants: []Present{}, Tracks: []TrackStatus{},
		Watching: []string{}, MissedTelemetry: r.missed.Load(), DroppedLossy: r.lossy.Load()}
	r.ask(func() {
		for _, m := range *r.members.Load() {
			s.Participants = append(s.Participants, Present{m.Who(), m.Dropped()})
		}
		for _, u := range r.ups {
			s.Tracks = append(s.Tracks, TrackStatus{u.up.Participant, u.up.Name, u.up.Kind, u.up.Codec, u.up.Packets()})
		}
		for machine := range r.watching {
			s.Watching = append(s.Watching, machine)
		}
		slices.Sort(s.Watching)
	})
	return s
}
