// Package room is one room of the relay: who is in it, what its log says, and which track goes to whom.
// One goroutine owns it.
package room

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sightline/devices/mqtt"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/sfu"
	"sightline/relay/wire"
)

// Member is one connection of a participant. Its methods do not block.
type Member interface {
	Bearer
	Tracks
	SendLossy(channel string, data []byte) bool
	Tell(wire.Signal)
	// Dropped counts the packets that could not be written, Resent those that were asked for again.
	Dropped() int64
	Resent() int64
	Figures() sfu.Figures
	// Echo confirms a message that was in the log before.
	Echo(wire.Envelope)
	// Replaced ends the connection: the same client has joined again.
	Replaced()
	// Removed ends the connection for good, and tells why.
	Removed(why string)
	// Grant is what the token says that was used.
	Grant() auth.Grant
}

// Bearer is somebody with rights.
type Bearer interface {
	Who() wire.Participant
	May(right string) bool
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

// Config is what a room needs. All but Heard and Max must be set.
type Config struct {
	Name     string
	Began    int64 // of the session, µs since the Unix epoch
	Now      func() time.Time
	Log      *slog.Logger
	Store    Store
	Plant    Plant
	Recorder Recorder
	// Heard hears of every message that holds its register from now on, on the room's goroutine; first says that
	// nothing held it before. It does not block; nil: nobody hears.
	Heard func(e wire.Envelope, first bool)
	// Max is how many may be in the room at once; 0: any number.
	Max int
	// GhostTime is how long those who were here when the relay went down have to come back before they
	// count as lost.
	GhostTime time.Duration
}

// Room is one room. Its methods may be called from any goroutine.
type Room struct {
	cfg  Config
	base time.Time // session time is reckoned from it
	// ahead is what session time is ahead of the clock, µs: see goOn.
	ahead int64

	inbox chan func()
	ctx   context.Context
	stop  context.CancelFunc
	done  chan struct{}
	tasks sync.WaitGroup // that wait for the ends of tracks

	members atomic.Pointer[[]Member] // written by the owner only
	missed  atomic.Int64             // telemetry that came faster than the log takes it
	head    atomic.Uint64            // place in the log of the latest message
	lossy   atomic.Int64             // poses and pointers let go for slow receivers

	// Owned by run.
	registers map[register]winner
	online    map[string]wire.Participant // by the log
	lost      map[string]bool             // by the log: whose connection broke, by ID
	muted     map[string]wire.Muted       // by participant
	locked    wire.Room
	watching  map[string]bool
	ups       []ownedUp
	speaking  speaking
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
		registers: map[register]winner{}, online: map[string]wire.Participant{}, lost: map[string]bool{}, muted: map[string]wire.Muted{}, watching: map[string]bool{}}
	r.members.Store(&[]Member{})
	r.ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, e := range last {
		r.goOn(e.Time)
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
	r.tasks.Wait()
	for machine := range r.watching {
		r.cfg.Plant.Unwatch(r.cfg.Name, machine)
	}
}

// Time returns the session time now, µs.
func (r *Room) Time() int64 { return r.TimeOf(r.cfg.Now()) }

// TimeOf returns the session time of a moment, µs.
func (r *Room) TimeOf(t time.Time) int64 {
	return r.base.UnixMicro() - r.cfg.Began + t.Sub(r.base).Microseconds() + r.ahead
}

// goOn lets session time go on after a message of the log, also where the clock of this relay is behind that of the one
// that had the room before, or was set back since.
func (r *Room) goOn(after int64) {
	if now := r.TimeOf(r.base); now <= after {
		r.ahead += after + 1 - now
	}
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
	listen := time.NewTicker(speakEvery)
	defer listen.Stop()
	for {
		select {
		case f := <-r.inbox:
			f()
		case <-listen.C:
			r.listen()
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
