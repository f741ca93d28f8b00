// Package server is the relay: it lets participants in, brings them to their rooms and keeps the rooms'
// recordings.
package server

import (
	"context"
	"sync"
	"time"

	"sightline/relay/internal/record"
	"sightline/relay/internal/room"
	"sightline/relay/internal/sfu"
	"sightline/relay/wire"
)

// rooms are the rooms that are open: each from its first participant until some time after its last.
type rooms struct {
	s *Server

	mu     sync.Mutex
	open   map[string]*openRoom
	closed bool
	idle   chan struct{} // made when the relay is drained, closed when nobody is in a room
}

type openRoom struct {
	*room.Room
	recording *record.Recording // nil: the room is not recorded
	users     int
	timer     *time.Timer // closes the room when nobody has come back
}

// enter opens a room, or joins those who have it open. Every enter is followed by a leave.
func (r *rooms) enter(ctx context.Context, name string) (*openRoom, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errClosing
	}
	if o := r.open[name]; o != nil {
		o.users++
		if o.timer != nil {
			o.timer.Stop()
			o.timer = nil
		}
		return o, nil
	}
	if r.idle != nil {
		return nil, errDraining
	}
	o, err := r.s.openRoom(ctx, name)
	if err != nil {
		return nil, err
	}
	o.users = 1
	r.open[name] = o
	return o, nil
}

// leave lets a room close some time after the last has left it.
func (r *rooms) leave(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.open[name]
	defer r.settle()
	if o.users--; o.users > 0 || r.closed {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(r.s.cfg.Linger, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.open[name] == o && o.timer == timer && !r.closed {
			delete(r.open, name)
			r.s.closeRoom(o)
		}
	})
	o.timer = timer
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
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, o := range r.open {
		if o.timer != nil {
			o.timer.Stop()
		}
		r.s.closeRoom(o)
	}
}

// list returns what the open rooms look like.
func (r *rooms) list() []room.Status {
	r.mu.Lock()
	all := make([]*openRoom, 0, len(r.open))
	for _, o := range r.open {
		all = append(all, o)
	}
	r.mu.Unlock()
	out := make([]room.Status, 0, len(all))
	for _, o := range all {
		out = append(out, o.Status())
	}
	return out
}

func (s *Server) closeRoom(o *openRoom) {
	s.endRecording(o)
	o.Room.Close()
}

// openRoom brings a room back from its log and begins its recording.
func (s *Server) openRoom(ctx context.Context, name string) (*openRoom, error) {
	began, err := s.bus.Began(ctx, name, s.cfg.Now().UnixMicro())
	if err != nil {
		return nil, err
	}
	o := &openRoom{}
	o.Room, err = room.Open(ctx, room.Config{Name: name, Began: began, Now: s.cfg.Now, Log: s.log, Store: s.bus,
		Plant: s.hub, Recorder: late{o}, GhostTime: s.cfg.GhostTime})
	if err != nil {
		return nil, err
	}
	if err := s.beginRecording(o); err != nil {
		o.Room.Close()
		return nil, err
	}
	return o, nil
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
