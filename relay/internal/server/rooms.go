// Package server is the relay: it lets participants in, brings them to their rooms and keeps the rooms'
// recordings.
package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sightline/relay/internal/cluster"
	"sightline/relay/internal/record"
	"sightline/relay/internal/room"
	"sightline/relay/internal/sfu"
	"sightline/relay/internal/webhook"
	"sightline/relay/wire"
)

// rooms are the rooms that are open: each from its first participant until some time after its last.
type rooms struct {
	s *Server

	mu     sync.Mutex
	open   map[string]*openRoom
	closed bool
	ending sync.WaitGroup               // rooms that close, and recordings of those that have moved
	load   atomic.Pointer[cluster.Load] // as it was last
	idle   chan struct{}                // made when the relay is drained, closed when nobody is in a room
}

type openRoom struct {
	*room.Room
	recording *record.Recording // nil: the room is not recorded
	users     int
	timer     *time.Timer   // closes the room when nobody has come back
	ready     chan struct{} // closed when the room is open, or err says why it is not
	err       error
	moving    bool          // it goes to another relay, or has gone: nobody comes in any more
	moved     chan struct{} // closed when everybody has to go
	over      chan struct{} // made when the room closes, closed when it has: who comes meanwhile opens it anew
}

// isReady says whether the room is open.
func (o *openRoom) isReady() bool {
	select {
	case <-o.ready:
		return o.err == nil
	default:
		return false
	}
}

// isLive says whether the room is open and stays so for now. The caller holds the rooms' mu.
func (o *openRoom) isLive() bool { return o.isReady() && !o.moving && o.over == nil }

// enter opens a room, or joins those who have it open. Every enter is followed by a leave.
func (r *rooms) enter(ctx context.Context, name string) (*openRoom, error) {
	r.mu.Lock()
	for o := r.open[name]; o != nil && o.over != nil; o = r.open[name] {
		r.mu.Unlock()
		select {
		case <-o.over:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		r.mu.Lock()
	}
	if r.closed {
		r.mu.Unlock()
		return nil, errClosing
	}
	o := r.open[name]
	if o != nil && o.moving {
		r.mu.Unlock()
		return nil, errMoving
	}
	if o == nil {
		if r.idle != nil {
			r.mu.Unlock()
			return nil, errDraining
		}
		o = &openRoom{users: 1, ready: make(chan struct{}), moved: make(chan struct{})}
		r.open[name] = o
		r.mu.Unlock()
		return r.opens(ctx, name, o)
	}
	o.users++
	if o.timer != nil {
		o.timer.Stop()
		o.timer = nil
	}
	r.mu.Unlock()
	<-o.ready // within the patience of the backbone
	if o.err != nil {
		return nil, o.err // who has tried to open it has taken it out
	}
	return o, nil
}

// opens opens a room for the first who comes.
func (r *rooms) opens(ctx context.Context, name string, o *openRoom) (*openRoom, error) {
	err := r.s.openRoom(context.WithoutCancel(ctx), name, o) // others wait for it too, whatever becomes of the first
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && r.closed {
		r.s.closeRoom(o)
		err = errClosing
	}
	if err != nil {
		delete(r.open, name)
		r.settle()
	}
	o.err = err
	close(o.ready)
	if err != nil {
		return nil, err
	}
	return o, nil
}

// leave lets a room close some time after the last has left it.
func (r *rooms) leave(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.open[name]
	if o == nil { // it could not be opened
		return
	}
	defer r.settle()
	if o.users--; o.users > 0 || r.closed {
		return
	}
	if o.moving {
		select {
		case <-o.moved:
			r.gone(name, o)
		default: // move does so
		}
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(r.s.cfg.Linger, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.open[name] == o && o.timer == timer && !o.moving && !r.closed {
			o.over = make(chan struct{})
			r.ending.Go(func() { r.end(name, o) })
		}
	})
	o.timer = timer
}

// end closes a room that nobody is in. That takes its time, where the backbone, the disk or a timestamp authority is slow,
// and no other room waits for it.
func (r *rooms) end(name string, o *openRoom) {
	o.Lock(false, "")
	r.s.closeRoom(o)
	r.s.release(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, name)
	close(o.over)
}

// isClosing says whether a room is about to end here.
func (r *rooms) isClosing(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.open[name]
	return o != nil && o.over != nil
}

// drain opens no more rooms. What it returns is closed when nobody is in a room.
func (r *rooms) drain() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.idle == nil {
		r.idle = make(chan struct{})
		r.settle()
	}
	return r.idle
}

// settle notes that the last has left a relay that is drained. The caller holds mu.
func (r *rooms) settle() {
	if r.idle == nil || r.inUse() > 0 {
		return
	}
	select {
	case <-r.idle:
	default:
		close(r.idle)
	}
}

// inUse counts the rooms that somebody is in. The caller holds mu.
func (r *rooms) inUse() int {
	n := 0
	for _, o := range r.open {
		if o.users > 0 {
			n++
		}
	}
	return n
}

// draining says whether new rooms are refused, and how many rooms somebody is still in.
func (r *rooms) draining() (bool, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.idle != nil, r.inUse()
}

// close closes all rooms. Everybody has left.
func (r *rooms) close() {
	defer r.ending.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for name, o := range r.open {
		if o.timer != nil {
			o.timer.Stop()
		}
		switch {
		case !o.isReady(), o.over != nil: // who opens it closes it; it closes already
		case o.moving:
			r.s.endRecording(o)
		default:
			r.s.closeRoom(o)
			r.s.release(name)
		}
	}
}

// list returns what the open rooms look like.
func (r *rooms) list() []room.Status {
	all := r.all()
	out := make([]room.Status, 0, len(all))
	for _, o := range all {
		out = append(out, o.Status())
	}
	return out
}

// all returns the open rooms.
func (r *rooms) all() []*openRoom {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Values(r.open)), func(o *openRoom) bool { return !o.isLive() })
}

// get returns a room that is open, or nil.
func (r *rooms) get(name string) *openRoom {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.open[name]; o != nil && o.isLive() {
		return o
	}
	return nil
}

// report writes a message of the relay's own to the log of a room, open or not.
func (r *rooms) report(name, kind, id string, body any) {
	if o := r.get(name); o != nil {
		o.Report(kind, id, body)
		return
	}
	ctx, now := context.Background(), r.s.cfg.Now().UnixMicro()
	raw, err := json.Marshal(body)
	var began int64
	if err == nil {
		began, err = r.s.bus.Began(ctx, name, now)
	}
	if err == nil {
		e := wire.Envelope{V: wire.Version, Kind: kind, ID: id, Msg: rand.Text(), From: "relay", Time: now - began, Body: raw}
		_, _, err = r.s.bus.Append(ctx, name, e, false)
	}
	if err != nil {
		r.s.log.Error("message is not in the log", "room", name, "kind", kind, "error", err)
	}
}

func (s *Server) closeRoom(o *openRoom) {
	s.endRecording(o)
	o.Room.Close()
	s.tell(webhook.RoomEnded, o.Name(), nil)
}

// openRoom brings a room back from its log and begins its recording.
func (s *Server) openRoom(ctx context.Context, name string, o *openRoom) error {
	lost, err := s.hold(ctx, name)
	if err != nil {
		return err
	}
	began, err := s.bus.Began(ctx, name, s.cfg.Now().UnixMicro())
	if err != nil {
		return err
	}
	o.Room, err = room.Open(ctx, room.Config{Name: name, Began: began, Now: s.cfg.Now, Log: s.log, Store: held{s.bus, s},
		Plant: s.hub, Recorder: late{o}, Max: s.cfg.Rooms.Of(name).Max,
		Heard: func(e wire.Envelope, first bool) { s.heard(name, e, first) }, GhostTime: s.cfg.GhostTime})
	if err != nil {
		return err
	}
	s.beginRecording(o)
	if lost != "" {
		o.Report(record.KindFault, "relay", record.Fault{Text: "The relay " + lost + " was lost, and " + s.relayURL() +
			" has taken the room. A recording goes on here from now on; what was recorded until then is on the disk of " + lost + ", which closes it when it starts again."})
	}
	s.tell(webhook.RoomStarted, name, nil)
	return nil
}

// late is a room's recorder, which begins after the room. Nobody has joined before it has.
type late struct{ o *openRoom }

func (l late) Track(up *sfu.Up, who wire.Participant) {
	if l.o.recording != nil {
		l.o.recording.Track(up, who)
	}
}

func (l late) Sample(e wire.Envelope) {
	if l.o.recording != nil {
		l.o.recording.Sample(e)
	}
}
