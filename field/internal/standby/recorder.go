package standby

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/movie"
	"sightline/relay/evidence/vault"
	"sightline/relay/wire"
)

// Session is what the recorder asks of the client (relay/client's Client).
type Session interface {
	Self() wire.Participant
	Room() string
	SessionBegan() int64
	SessionTimeOf(time.Time) int64
}

// Config is what a Recorder needs. All must be set.
type Config struct {
	Store *Store
	// Tell writes a message to the room's log, now or when the link is back.
	Tell func(kind, id string, body any)
	// NeedKey asks the encoder for a key frame.
	NeedKey func()
	Log     *slog.Logger
	Now     func() time.Time
}

// Recorder records one client's session. Its methods may be called from any goroutine and do not wait for the disk.
type Recorder struct {
	cfg   Config
	stop  chan struct{}
	tasks sync.WaitGroup

	mu      sync.Mutex
	session Session // nil before the first join
	room    roomLog
	case_   *running // nil: nothing is recorded now
	fault   string
	full    bool
	closed  bool
	news    []news // that the room is to be told
}

// news is a message for the room's log.
type news struct {
	kind, id string
	body     any
}

// running is a case that is written.
type running struct {
	*evidence.Writer
	about  evidence.About
	who    wire.Participant
	lock   *os.File
	tracks map[string]*track
	names  map[string]int
	seq    uint64 // of the log, written down so far
	gap    *evidence.Gap
	offset int64 // session time less the wall clock of this machine, µs
	placed bool  // offset is known
	headed time.Time
	pruned time.Time

	disk  sync.Mutex // held by who commits; never waited for with Recorder's mu
	ended bool
}

// New makes a recorder that waits for Joined. Close it afterwards.
func New(cfg Config) *Recorder {
	r := &Recorder{cfg: cfg, stop: make(chan struct{}), room: newRoomLog()}
	r.tasks.Go(r.seal)
	return r
}

// Joined says that the client is in a room. A room whose session has begun anew begins another case.
func (r *Recorder) Joined(s Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session = s
	if c := r.case_; c != nil && (c.about.Room != s.Room() || c.about.SessionBegan != s.SessionBegan() || c.who.ID != s.Self().ID) {
		r.end()
		r.room = newRoomLog()
	}
}

// Fault says why nothing is recorded here, in words; empty where all is well.
func (r *Recorder) Fault() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault
}

// Recording says whether a case is written.
func (r *Recorder) Recording() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.case_ != nil && r.case_.gap == nil
}

// Close ends the case and waits until it is closed.
func (r *Recorder) Close() {
	r.mu.Lock()
	r.end()
	r.closed = true
	r.mu.Unlock()
	close(r.stop)
	r.tasks.Wait()
}

// current returns the case that something may go into now, nil where nothing may. The caller holds mu.
func (r *Recorder) current() *running {
	if r.closed || r.full || r.session == nil {
		return nil
	}
	c, why := r.case_, r.room.forbids(r.session.Self().ID)
	switch {
	case why != nil && c != nil && c.gap == nil:
		now := r.session.SessionTimeOf(r.cfg.Now())
		c.gap = &evidence.Gap{What: "session", From: now, Who: why.who, Why: why.text}
		c.pause()
	case why == nil && c != nil && c.gap != nil:
		c.resume(r.session.SessionTimeOf(r.cfg.Now()))
	}
	if why != nil {
		return nil
	}
	return c
}

// open returns the case that a frame goes into now, and begins one where there is none. The caller holds mu.
func (r *Recorder) open() *running {
	if c := r.current(); c != nil || r.closed || r.full || r.session == nil || r.case_ != nil || r.room.forbids(r.session.Self().ID) != nil {
		return c
	}
	r.begin()
	return r.case_
}

// begin begins a case. The caller holds mu.
func (r *Recorder) begin() {
	s, now := r.session, r.cfg.Now()
	start := s.SessionTimeOf(now)
	about := evidence.About{Format: evidence.Format, ID: rand.Text(), Room: s.Room(), SessionBegan: s.SessionBegan(), Start: start,
		UTC: now.UTC().Format(time.RFC3339Nano), Key: r.cfg.Store.Key(), Standby: s.Self().ID, Encrypted: len(r.room.recorded.EncryptTo) > 0}
	c, err := r.create(about)
	if err != nil {
		if r.fault == "" {
			r.cfg.Log.Error("the second recorder does not record", "err", err)
		}
		r.fault = fmt.Sprintf("the second recorder does not record: %v", err)
		return
	}
	c.who, c.headed = s.Self(), now
	r.case_, r.fault = c, ""
	if r.room.recorded.Consent {
		c.Note(evidence.Record{Kind: evidence.KindConsent, Consent: &evidence.Consent{Participant: c.who.ID, Name: c.who.Name, Given: true, Text: r.room.question}})
	}
	for _, e := range r.room.state() {
		c.write(e, start)
	}
	r.news = append(r.news, news{wire.KindStandby, about.ID, wire.Standby{Key: about.Key}})
	r.cfg.Log.Info("the second recorder records", "case", about.ID, "room", about.Room)
}

func (r *Recorder) create(about evidence.About) (*running, error) {
	dir := filepath.Join(r.cfg.Store.dir, about.ID)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := r.cfg.Store.lock(dir)
	if err != nil {
		return nil, err
	}
	c := &running{about: about, lock: lock, tracks: map[string]*track{}, names: map[string]int{}}
	cfg := evidence.WriterConfig{About: about, Seal: r.cfg.Store.seal, Clock: r.clock(r.session)}
	var keyFile []byte
	if about.Encrypted {
		keyFile, cfg.Encrypt, err = vault.LockTo(r.room.recorded.EncryptTo)
	}
	if err == nil {
		c.Writer, err = evidence.Create(dir, cfg)
	}
	if err == nil && keyFile != nil {
		err = c.Append(evidence.Chunk{File: evidence.KeyFile, Data: keyFile, From: about.Start, To: about.Start})
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return c, nil
}

func (r *Recorder) clock(s Session) func() (int64, time.Time) {
	return func() (int64, time.Time) {
		now := r.cfg.Now()
		return s.SessionTimeOf(now), now
	}
}

// end closes the case, on a goroutine that Close waits for. The caller holds mu.
func (r *Recorder) end() {
	c := r.case_
	if c == nil || r.closed {
		return
	}
	r.case_ = nil
	c.pause()
	if c.gap != nil {
		c.resume(r.session.SessionTimeOf(r.cfg.Now()))
	}
	r.tasks.Go(func() {
		c.disk.Lock()
		defer c.disk.Unlock()
		c.ended = true
		if err := errors.Join(c.End(nil), c.lock.Close()); err != nil {
			r.cfg.Log.Error("the second recorder's case is not closed; the next start closes it", "case", c.about.ID, "err", err)
		}
	})
}

// pause ends the tracks' last frames: what comes next is later.
func (c *running) pause() {
	for _, t := range c.tracks {
		t.pause()
	}
}

// resume writes down that a pause has ended.
func (c *running) resume(now int64) {
	c.gap.To = now
	c.Note(evidence.Record{Kind: evidence.KindGap, Gap: c.gap})
	c.gap = nil
}

// name returns a name that no file has yet.
func (c *running) name(name string) string {
	name = movie.FileName(name)
	c.names[name]++
	if n := c.names[name]; n > 1 {
		return fmt.Sprintf("%s-%d", name, n)
	}
	return name
}
