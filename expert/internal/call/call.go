package call

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"

	"sightline/annotate"
	"sightline/annotate/replica"
	"sightline/relay/client"
	"sightline/relay/wire"
	"sightline/vision"
)

// Config is what a call needs. URL and Token must be set.
type Config struct {
	URL, Token string
	// Instance lets a client come back as the same participant, also from a new process; may be empty.
	Instance string
	// Watch are machines whose telemetry the room is to have.
	Watch  []string
	Logger *slog.Logger
	Now    func() time.Time
	// OnFrame hears of every frame as it was decoded, on the decoder's goroutine; may be nil.
	OnFrame func(*Frame)
	// OnAnchor hears of every word of the field on where a mark is; OnState of the connection.
	OnAnchor func(id string, a annotate.Anchor)
	OnState  func(Link)
}

// Call is a call as it stands. Its methods may be called from any goroutine.
type Call struct {
	cfg     Config
	client  *client.Client
	marks   *replica.Replica
	changes chan struct{}
	refused chan string
	ctx     context.Context
	stop    context.CancelFunc
	tasks   sync.WaitGroup

	edits sync.Mutex // held while a mark is made and published, so that both have one order
	edit  *replica.Editor
	steps []int // how many edits each undo takes back

	mu       sync.Mutex
	version  uint64
	ledger   *ledger
	link     Link
	cameras  []*lens
	pointers map[string]annotate.Pointer
	speaking []string          // IDs of who speaks
	rungs    map[string]string // by publisher and track: what comes of it in words, where not all does
	built    *Room             // of the version in it
}

// Dial joins a room. It fails only when trying again cannot help: a wrong or expired token, a URL that is
// none. When the relay cannot be reached it returns a call that keeps trying.
func Dial(ctx context.Context, cfg Config) (*Call, error) {
	c := &Call{cfg: cfg, marks: replica.New(), changes: make(chan struct{}, 1), refused: make(chan string, 16),
		ledger: newLedger(), pointers: map[string]annotate.Pointer{}, rungs: map[string]string{}, link: Link{Since: cfg.Now()}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	ready := make(chan struct{})
	after := func() { <-ready } // callbacks may come before Dial has returned
	cl, err := client.Dial(ctx, client.Config{URL: cfg.URL, Token: cfg.Token, Instance: cfg.Instance, Logger: cfg.Logger, Now: cfg.Now,
		OnState:    func(s client.State, err error) { after(); c.heardState(s, err) },
		OnLog:      func(e wire.Envelope) { after(); c.heardLog(e) },
		OnPose:     func(e wire.Envelope) { after(); c.heardPose(e) },
		OnPointer:  func(e wire.Envelope) { after(); c.heardPointer(e) },
		OnSpeaking: func(ids []string) { after(); c.heardSpeaking(ids) },
		OnTrack:    func(t *client.RemoteTrack) { after(); c.heardTrack(t) },
		OnRung:     func(r client.Rung) { after(); c.heardRung(r) },
		OnRefused:  func(e wire.Envelope, err error) { after(); c.heardRefused(e, err) },
	})
	if err != nil {
		c.stop()
		return nil, err
	}
	c.client = cl
	c.edit = replica.NewEditor(c.marks, cl.Self().ID, cl.SessionTime, rand.Text)
	close(ready)
	return c, nil
}

// Close leaves the room and waits until everything of the call has ended.
func (c *Call) Close() {
	c.stop()
	c.client.Close()
	c.tasks.Wait()
	for _, l := range c.cameras {
		l.newest.Release()
	}
}

// Changes has something to read after anything changed: a frame, a message, the connection.
func (c *Call) Changes() <-chan struct{} { return c.changes }

// Refused tells, in words, of what the relay did not take.
func (c *Call) Refused() <-chan string { return c.refused }

// touch says that the room changed; it needs the lock.
func (c *Call) touch() {
	c.version++
	c.signal()
}

func (c *Call) signal() {
	select {
	case c.changes <- struct{}{}:
	default:
	}
}

func (c *Call) heardState(s client.State, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := Link{Connected: s == client.Connected, Closed: s == client.Closed, Since: c.cfg.Now()}
	l.Ever = l.Connected || c.link.Ever
	if c.link.Ever && !l.Connected && !c.link.Connected {
		l.Since = c.link.Since // still away: since when it broke
	}
	if err != nil {
		l.Reason = err.Error()
	}
	if l.Connected {
		c.edit.SetSender(c.client.Self().ID)
		c.tasks.Go(c.watch)
	}
	c.link, c.speaking = l, nil
	if c.cfg.OnState != nil {
		c.cfg.OnState(l)
	}
	c.touch()
}

// heardRung takes note of how much of a track the link bears.
func (c *Call) heardRung(r client.Rung) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := r.Participant + "/" + r.Name
	if c.rungs[key] = r.Text; r.Rung == wire.RungFull {
		delete(c.rungs, key)
	}
	c.touch()
}

// watch asks for the machines' telemetry; whoever asked before, it is the same message again.
func (c *Call) watch() {
	for _, machine := range c.cfg.Watch {
		if _, err := c.client.Publish(wire.KindWatch, machine, 0, wire.Watch{On: true}); err != nil {
			c.cfg.Logger.Warn("watch a machine", "machine", machine, "error", err)
		}
	}
}

func (c *Call) heardLog(e wire.Envelope) {
	changed, err := c.marks.Apply(e)
	if e.Kind == wire.KindAnchor && changed && c.cfg.OnAnchor != nil {
		if a, err := replica.DecodeAnchor(e.Body); err == nil {
			c.cfg.OnAnchor(e.ID, a)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	more, err2 := c.ledger.take(e, c.client.LocalTime(e.Time))
	for _, err := range []error{err, err2} {
		if err != nil {
			c.cfg.Logger.Warn("message of the log", "error", err)
		}
	}
	if changed || more {
		c.touch()
	}
}

func (c *Call) heardPose(e wire.Envelope) {
	var m vision.PoseMessage
	if err := json.Unmarshal(e.Body, &m); err != nil || e.Captured == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lens(e.From).poses.put(e.Captured, m)
	c.signal()
}

func (c *Call) heardPointer(e wire.Envelope) {
	var p annotate.Pointer
	if err := json.Unmarshal(e.Body, &p); err != nil || p.Valid() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pointers, e.From)
	if !p.Off && len(c.pointers) < 64 {
		c.pointers[e.From] = p
	}
	c.touch()
}

func (c *Call) heardSpeaking(ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(ids, c.speaking) {
		c.speaking = ids
		c.touch()
	}
}

func (c *Call) heardRefused(e wire.Envelope, err error) {
	c.marks.Forget(e.Msg)
	c.mu.Lock()
	c.touch()
	c.mu.Unlock()
	select {
	case c.refused <- err.Error():
	default:
	}
}

// Room returns what is known now; the same value until something changes.
func (c *Call) Room() *Room {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.built != nil && c.built.Version == c.version {
		return c.built
	}
	r := &Room{Version: c.version, Name: c.client.Room(), Self: c.client.Self(), Link: c.link}
	c.ledger.fill(r)
	for i, p := range r.People {
		r.People[i].Speaking = p.Online && c.link.Connected && slices.Contains(c.speaking, p.ID)
	}
	for _, l := range c.cameras {
		if !l.seen {
			continue
		}
		cam := Camera{Participant: l.participant, Track: l.track, Name: l.participant, Online: true, Thin: c.rungs[l.participant+"/"+l.track]}
		if p, ok := r.Person(l.participant); ok {
			cam.Name, cam.Online, cam.Reason, cam.Since = p.Name, p.Online, p.Reason, p.Since
		}
		r.Cameras = append(r.Cameras, cam)
	}
	c.built = r
	return r
}

// Marks returns the live marks with their anchors, oldest first.
func (c *Call) Marks() []annotate.Entry { return c.marks.List() }

// Pointers returns the laser pointers on a participant's camera.
func (c *Call) Pointers(camera string) []annotate.Pointer {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []annotate.Pointer
	for _, p := range c.pointers {
		if p.Camera == camera {
			out = append(out, p)
		}
	}
	return out
}

// Show tells the relay how wide, in pixels, each participant's camera is on the screen: no more comes than there is a
// use for. One that is not there, or 0, is not shown: of it comes a still now and then, so that there is a picture when
// it is turned to. Where nobody looks at any, away, nothing comes.
func (c *Call) Show(widths map[string]int, away bool) {
	var shown []wire.Shown
	c.mu.Lock()
	for _, l := range c.cameras {
		if !l.seen {
			continue
		}
		s := wire.Shown{Participant: l.participant, Name: l.track, Width: widths[l.participant]}
		switch {
		case away:
			s.Most = wire.RungOff
		case s.Width == 0:
			s.Most = wire.RungKeyFrames
		}
		shown = append(shown, s)
	}
	c.mu.Unlock()
	c.client.Show(shown...)
}

// RTT is the round trip to the relay, 0 where it is not known yet.
func (c *Call) RTT() time.Duration { return c.client.RTT() }

// Pending is how many messages wait for the relay.
func (c *Call) Pending() int { return c.client.Pending() }
