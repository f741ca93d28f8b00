// Package client is a participant's end of a session: it joins a room at the relay, publishes and
// receives tracks, writes and reads the room log, and comes back by itself when the network or the relay
// was away. It is the only package outside of the relay that knows pion.
package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"sightline/relay/wire"
)

// State says how a client stands with its relay.
type State string

// The states of a client.
const (
	Connecting State = "connecting" // no session yet, or no more; the error says why, and it tries again
	Waiting    State = "waiting"    // in the lobby: a moderator has to let the client in; the error says so in words
	Connected  State = "connected"  // the log flows both ways
	Closed     State = "closed"     // for good; the error says why, nil after Close
)

// Config is what a client needs. URL and Token must be set.
//
// Callbacks may be nil and are set once. Each is called from one goroutine at a time; those of the log in
// the log's order. They may call every method of the client but Close, and should return soon: a
// callback that blocks holds up its own kind of message, and nothing else.
type Config struct {
	// URL is where the relay is: http://127.0.0.1:8080. Of many relays it may be any: the client is led to the one that
	// has the room, and, when that is lost, comes back to another one by itself.
	URL   string
	Token string // as "relay invite" prints it
	// Instance is a secret by which the relay knows this client again, so that it returns as the same
	// participant, also from a new process. Empty: a random one, the same for the life of the client.
	Instance string
	Publish  []Track
	// MaxOutbox bounds the log messages that wait to be confirmed; 0 means 10,000.
	MaxOutbox int
	Logger    *slog.Logger                // nil: slog.Default
	Now       func() time.Time            // nil: time.Now
	HTTP      *http.Client                // nil: http.DefaultClient
	Settings  func(*webrtc.SettingEngine) // for tests with a network of their own

	// OnState hears of every change of state, with the reason where there is one.
	OnState func(State, error)
	// OnLog hears every message of the room log, the client's own too. After a (re)connection the last
	// value of each (kind, id) comes again, before what is new: who keeps the one that wire.Envelope.Newer
	// prefers for each (kind, id) needs no other care.
	OnLog func(wire.Envelope)
	// OnPose and OnPointer hear what others send; messages may be lost or come out of order.
	OnPose, OnPointer func(wire.Envelope)
	// OnSpeaking hears who speaks, by participant ID, whenever that changes, and again now and then.
	OnSpeaking func(participants []string)
	// OnTrack hears of every track that another participant publishes, again after a reconnection. It
	// starts a goroutine that reads it.
	OnTrack func(*RemoteTrack)
	// OnSent hears every pose and pointer as it is sent, also where it could not be.
	OnSent func(wire.Envelope)
	// OnRefused hears of a log message that the relay did not take, and why; it is not sent again.
	OnRefused func(wire.Envelope, error)
	// OnRung hears how much of a track comes from now on, where the link does not bear all of it, and when
	// it does again.
	OnRung func(Rung)
}

// Rung says what of another's track this client's link bears.
type Rung struct {
	Participant, Name string // the track
	Rung              string // wire.RungFull and below
	Text              string // in words for people
}

// Client is a participant in a room. Its methods may be called from any goroutine.
type Client struct {
	cfg    Config
	log    *slog.Logger
	local  map[string]*LocalTrack
	base   time.Time // of the client's clock
	clock  clock
	outbox outbox

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed when run has ended

	mu      sync.Mutex
	self    wire.Participant
	room    string
	began   int64 // of the session, µs since the Unix epoch on the relay's clock
	state   State
	err     error
	changed chan struct{}            // closed and replaced when state changes
	session *session                 // the one that callbacks are taken from
	shown   map[[2]string]wire.Shown // by participant and track: how large pictures are shown
	lower   map[[2]string]bool       // tracks of which less comes than all
	relays  relays

	stateMu, logMu, poseMu, pointerMu sync.Mutex // held during the callbacks
}

// ErrNotJoined is returned before the relay has said for the first time who this client is.
var ErrNotJoined = errors.New("not joined yet: the relay has not been reached")

// ErrOffline is returned by what is not kept for later while there is no connection: frames, poses,
// pointers. It is normal while the client reconnects.
var ErrOffline = errors.New("offline: the relay is not connected")

// ErrClosed is returned after Close.
var ErrClosed = errors.New("client is closed")

// Dial joins a room. It makes one attempt, within ctx, and fails only when trying again cannot help: a
// token that is wrong or expired (see JoinError), a URL that is none. When the relay cannot be reached it
// returns a client that keeps trying; Wait waits for it. The client lives until Close.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	s, err := c.join(ctx)
	if isFinal(err) {
		c.cancel()
		return nil, err
	}
	go c.run(s, err)
	return c, nil
}

func newClient(cfg Config) (*Client, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.HTTP == nil {
		cfg.HTTP = http.DefaultClient
	}
	if cfg.MaxOutbox == 0 {
		cfg.MaxOutbox = 10000
	}
	if cfg.Instance == "" {
		cfg.Instance = rand.Text()
	}
	c := &Client{cfg: cfg, log: cfg.Logger, base: cfg.Now(), local: map[string]*LocalTrack{}, shown: map[[2]string]wire.Shown{}, lower: map[[2]string]bool{}, state: Connecting,
		changed: make(chan struct{}), done: make(chan struct{}), outbox: outbox{max: cfg.MaxOutbox}}
	for _, t := range cfg.Publish {
		track, err := newLocalTrack(t)
		if err != nil {
			return nil, err
		}
		if t.Of != "" {
			if track.of = c.track(t.Of, wire.Video); track.of == nil || track.of.of != nil || t.Kind != wire.Video {
				return nil, fmt.Errorf("track %q is a smaller size of %q, which is no picture named before it", t.Name, t.Of)
			}
			track.of.smaller = append(track.of.smaller, track)
		}
		c.local[t.Name] = track
	}
	c.relays.given = cfg.URL
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Close leaves the room and waits until everything of the client has ended. Remote tracks end with io.EOF.
func (c *Client) Close() {
	c.cancel()
	<-c.done
}

// Self returns who the relay says this client is; empty before the first join.
func (c *Client) Self() wire.Participant {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.self
}

// Room returns the room's name; empty before the first join.
func (c *Client) Room() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.room
}

// SessionBegan returns when the session began, µs since the Unix epoch on the relay's clock; 0 before the first join.
func (c *Client) SessionBegan() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.began
}

// State returns how the client stands, and why.
func (c *Client) State() (State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, c.err
}

// Wait waits until the client is connected. It fails when ctx ends or the client closes for good.
func (c *Client) Wait(ctx context.Context) error {
	for {
		c.mu.Lock()
		state, err, changed := c.state, c.err, c.changed
		c.mu.Unlock()
		switch state {
		case Connected:
			return nil
		case Closed:
			return errors.Join(ErrClosed, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// Video returns a track of Config.Publish by its name, or nil.
func (c *Client) Video(name string) *LocalTrack { return c.track(name, wire.Video) }

// Audio returns a track of Config.Publish by its name, or nil.
func (c *Client) Audio(name string) *LocalTrack { return c.track(name, wire.Audio) }

func (c *Client) track(name, kind string) *LocalTrack {
	if t := c.local[name]; t != nil && t.kind == kind {
		return t
	}
	return nil
}

func (c *Client) setState(state State, err error) {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	c.mu.Lock()
	same := c.state == state && c.err == nil && err == nil
	c.state, c.err = state, err
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	if c.cfg.OnState != nil && !same {
		c.cfg.OnState(state, err)
	}
}

// current returns the session of the moment, or nil.
func (c *Client) current() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}
