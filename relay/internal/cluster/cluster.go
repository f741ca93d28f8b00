// Package cluster is the directory of rooms among relays that share a backbone: a room lives on one relay, the
// directory says on which, and a relay that is lost loses its rooms to the others.
//
// Each relay says twice a second that it lives, how much it carries and where it is reached: a beat. Beats also say
// whose beats were heard, so that each relay knows whether the others can hear it. They are kept nowhere, and go on
// while the backbone elects a leader. A room's entry in the directory names its relay by a name that is new with each
// start of the process. So a room costs nothing while nobody opens or closes it: what is renewed is the relay, not its
// rooms.
//
//	a relay that was not heard for dead (5 s) is lost: another may take its rooms, by compare-and-set
//	a relay that was heard by nobody for cutOff (4 s), and has written nothing to the backbone either, gives up its
//	rooms before another can take them
//	so does one that has written nothing for mute (20 s), which is longer than an election takes
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Times of the directory.
const (
	beatEvery  = 500 * time.Millisecond
	proveEvery = time.Second
	dead       = 5 * time.Second
	cutOff     = 4 * time.Second
	mute       = 20 * time.Second
	remembered = 10 * time.Minute // a relay that is not heard any more
	// acks is of how many others, at random, a beat says that they were heard. So beats stay small where relays are many;
	// each relay is named by about as many others in every round.
	acks = 16
)

// Load is how much a relay carries.
type Load struct {
	Rooms        int `json:"rooms"`
	Participants int `json:"participants"`
}

// Rooms keeps the entries of the directory.
type Rooms interface {
	Get(ctx context.Context, room string) (value []byte, revision uint64, err error)
	// Set writes an entry where it has the revision still; 0 is for none.
	Set(ctx context.Context, room string, value []byte, revision uint64) error
	Delete(ctx context.Context, room string, revision uint64) error
	// Watch calls fn with all entries, and with each that changes, until ctx ends.
	Watch(ctx context.Context, fn func(room string, value []byte))
}

// Air carries beats.
type Air interface {
	Say(subject string, data []byte) error
	Hear(subject string, fn func([]byte)) (stop func(), err error)
}

// Config is what a directory needs. All must be set.
type Config struct {
	URL   string // where this relay is reached
	Name  string // of this run of it: new with each start
	Rooms Rooms
	Air   Air
	// Prove writes something to the backbone that more than half of it must take.
	Prove func(context.Context, []byte) error
	Load  func() Load
	// Lost hears, on a goroutine of its own, that a room is not this relay's any more; of all rooms where it is empty.
	Lost func(room string)
	// Taken says whether an error of Rooms is that somebody else was faster.
	Taken func(error) bool
	Now   func() time.Time // must not be set back while it runs: as time.Now, which has a monotonic part
	Log   *slog.Logger
}

// Relay is what is known of a relay.
type Relay struct {
	URL      string `json:"url"`
	Name     string `json:"name"`
	Draining bool   `json:"draining,omitempty"`
	Load
}

// beat is what a relay says twice a second.
type beat struct {
	Relay
	N     uint64            `json:"n"`
	Heard map[string]uint64 `json:"heard"` // the latest beat of some others, by name
}

const subject = "relay.beat"

// peer is another relay.
type peer struct {
	beat
	at time.Time // when it was heard last
}

// Directory is one relay's view. Its methods may be called from any goroutine.
type Directory struct {
	cfg     Config
	listens time.Time // since when, without a break
	ctx     context.Context
	stop    context.CancelFunc
	tasks   sync.WaitGroup
	deaf    func()

	mu       sync.Mutex
	peers    map[string]*peer  // by name
	current  map[string]string // the name of the latest run, by URL
	rooms    map[string]string // the relay of each room, by the watch
	from     map[string]string // the relay that a room was taken from, by room
	draining bool
	n        uint64
	said     map[uint64]time.Time // when a beat was said that nobody is known to have heard
	heard    time.Time            // when the latest beat was said that somebody has heard
	proven   time.Time            // when the latest proof was begun that was taken
	lost     bool                 // all rooms were given up, and it was told
}

// Open begins to take part. Close ends it.
func Open(cfg Config) (*Directory, error) {
	now := cfg.Now()
	d := &Directory{cfg: cfg, listens: now, peers: map[string]*peer{}, current: map[string]string{}, rooms: map[string]string{}, from: map[string]string{},
		said: map[uint64]time.Time{}, heard: now, proven: now}
	d.ctx, d.stop = context.WithCancel(context.Background())
	var err error
	if d.deaf, err = cfg.Air.Hear(subject, d.hear); err != nil {
		return nil, err
	}
	d.tasks.Go(d.beat)
	d.tasks.Go(d.prove)
	d.tasks.Go(func() { cfg.Rooms.Watch(d.ctx, d.watched) })
	return d, nil
}

// Close ends taking part, and tells the others, who need not wait then.
func (d *Directory) Close() {
	d.stop()
	d.tasks.Wait()
	d.deaf()
	d.say(true)
}

// beat says that this relay lives, and looks whether that is heard.
func (d *Directory) beat() {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		d.say(false)
		select {
		case <-tick.C:
		case <-d.ctx.Done():
			return
		}
		if d.isLost() {
			d.cfg.Log.Error("cut off from the other relays and from NATS: this relay gives up its rooms")
			d.tasks.Go(func() { d.cfg.Lost("") })
		}
	}
}

// isLost says whether the relay has been cut off just now.
func (d *Directory) isLost() bool {
	in := d.In()
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.lost
	d.lost = !in
	return d.lost && !was
}

// say says one beat; the last one has the number 0.
func (d *Directory) say(last bool) {
	load := d.cfg.Load()
	d.mu.Lock()
	now := d.cfg.Now()
	d.n++
	b := beat{Relay: Relay{d.cfg.URL, d.cfg.Name, d.draining, load}, N: d.n, Heard: map[string]uint64{}}
	if last {
		b.N = 0
	}
	for name, p := range d.peers {
		if now.Sub(p.at) < dead && len(b.Heard) < acks { // maps are walked in random order
			b.Heard[name] = p.N
		} else if now.Sub(p.at) > remembered {
			delete(d.peers, name)
		}
	}
	d.said[d.n] = now
	delete(d.said, d.n-100)
	d.mu.Unlock()
	data, err := json.Marshal(b)
	if err == nil {
		err = d.cfg.Air.Say(subject, data)
	}
	if err != nil && !last {
		d.cfg.Log.Warn("the other relays do not hear this one", "error", err)
	}
}

// hear takes a beat.
func (d *Directory) hear(data []byte) {
	var b beat
	if json.Unmarshal(data, &b) != nil || b.Name == "" || b.Name == d.cfg.Name {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.peers[b.Name]
	if p == nil {
		p = &peer{}
		d.peers[b.Name] = p
		d.cfg.Log.Info("another relay is there", "url", b.URL, "relay", b.Name)
		if b.URL == d.cfg.URL && b.N > 0 {
			d.cfg.Log.Error("another relay says that it is reached where this one is: give each a relay-url of its own, past any balancer", "url", b.URL)
		}
	}
	p.beat, p.at = b, d.cfg.Now()
	d.current[b.URL] = b.Name
	if b.N == 0 {
		p.at = time.Time{}
		d.cfg.Log.Info("another relay has ended", "url", b.URL, "relay", b.Name)
	}
	if n := b.Heard[d.cfg.Name]; n > 0 {
		if at, ok := d.said[n]; ok && at.After(d.heard) {
			d.heard = at
		}
	}
}

// prove writes to the backbone, again and again.
func (d *Directory) prove() {
	for {
		began := d.cfg.Now()
		ctx, cancel := context.WithTimeout(d.ctx, cutOff/2)
		err := d.cfg.Prove(ctx, []byte(d.cfg.URL))
		cancel()
		if err == nil {
			d.mu.Lock()
			if began.Sub(d.proven) > cutOff {
				d.listens = began // it was cut off: what it knows of the others is old
			}
			d.proven = began
			d.mu.Unlock()
		}
		select {
		case <-time.After(proveEvery):
		case <-d.ctx.Done():
			return
		}
	}
}

// In says whether this relay may hold rooms: the others know of it, or at least the backbone does.
func (d *Directory) In() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	heard, proven := now.Sub(d.heard), now.Sub(d.proven)
	if proven > mute {
		return false
	}
	// Whom nobody could follow, nobody can have taken the rooms of.
	return min(heard, proven) < cutOff || !d.known(now)
}

// known says whether there was another relay of late, which could have taken rooms. The caller holds mu.
func (d *Directory) known(now time.Time) bool {
	for _, p := range d.peers {
		if now.Sub(p.at) < mute {
			return true
		}
	}
	return false
}

// alive says whether a run of a relay lives; unsure that this relay has not listened for long enough since it began, or
// was cut off. The caller holds mu.
func (d *Directory) alive(r Relay) (alive, unsure bool) {
	now := d.cfg.Now()
	deaf := now.Sub(d.listens) < dead
	if p := d.peers[r.Name]; p != nil {
		alive = now.Sub(p.at) < dead
		return alive, !alive && deaf && !p.at.IsZero() // zero: it has said that it ends
	}
	if run := d.current[r.URL]; run != "" && run != r.Name || r.URL == d.cfg.URL {
		return false, false // it has been started again
	}
	return false, deaf
}

// watched hears of changes of the directory.
func (d *Directory) watched(room string, value []byte) {
	var r Relay
	if value != nil && json.Unmarshal(value, &r) != nil {
		return
	}
	d.mu.Lock()
	was := d.rooms[room]
	if r.Name == "" {
		delete(d.rooms, room)
	} else {
		d.rooms[room] = r.Name
	}
	d.mu.Unlock()
	if was == d.cfg.Name && r.Name != "" && r.Name != was {
		d.cfg.Log.Warn("a room was taken by another relay", "room", room, "by", r.URL)
		d.tasks.Go(func() { d.cfg.Lost(room) })
	}
}

// Relays returns this relay and the others that live, this one first.
func (d *Directory) Relays() []Relay {
	load := d.cfg.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	all := []Relay{{d.cfg.URL, d.cfg.Name, d.draining, load}}
	for _, p := range d.peers {
		if d.cfg.Now().Sub(p.at) < dead {
			all = append(all, p.Relay)
		}
	}
	return all
}

// Drain takes this relay out of service: it takes no more rooms. others says whether another relay can take its.
func (d *Directory) Drain() (others bool) {
	d.mu.Lock()
	d.draining = true
	d.mu.Unlock()
	d.say(false)
	for _, r := range d.Relays()[1:] {
		others = others || !r.Draining
	}
	return others
}

// Why a room has no relay now. Trying again in a moment helps.
var (
	ErrWait     = errors.New("the relay of this room does not answer; another takes it in a moment")
	ErrCutOff   = errors.New("this relay is cut off from the others: try another one")
	ErrDraining = errors.New("this relay is going out of service, and there is no other")
)

func unreadable(room string, err error) error {
	return fmt.Errorf("directory: entry of %s: %w", room, err)
}
