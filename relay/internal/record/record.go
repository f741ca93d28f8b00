// Package record makes a case of a session as it passes through the relay: each track as it came, in
// fragmented MP4, and the room log beside it, sealed as package evidence says. Nothing is transcoded, and
// forwarding never waits for the disk.
//
//	<data>/recordings/<room>/<start, UTC>/   a case: see relay/evidence/FORMAT.md
package record

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/internal/sfu"
	"sightline/relay/wire"
)

// Config is what a recording needs. All but Stamp, Lock and Consent must be set.
type Config struct {
	Dir    string // the recordings of all rooms
	Room   string
	Began  int64 // of the session, µs since the Unix epoch
	Time   func(time.Time) int64
	Now    func() time.Time
	Log    *slog.Logger
	Follow func(ctx context.Context, room string, fn func(wire.Envelope) error) error
	// Head returns the place in the log of the room's latest message.
	Head func() uint64
	// Tell writes a message of the relay's own to the room's log.
	Tell func(kind, id string, body any)
	Seal Sealer
	// Stamp asks an authority for a timestamp.
	Stamp func(text string) ([]byte, error)
	// Lock makes the key of a case, and what encrypts its pieces; nil leaves them readable.
	Lock func() (keyFile []byte, encrypt func([]byte) ([]byte, error), err error)
	// Consent asks everybody before anything of theirs is recorded.
	Consent bool
	// Answered says whether a participant need not be asked: his answer comes by itself. nil: everybody is asked.
	Answered func(participant string) bool
	// EncryptTo are whom Lock encrypts to; second recorders are told.
	EncryptTo []string
}

// Sealer signs the heads of cases.
type Sealer interface {
	evidence.Sealer
	// Key is the line that verifies them.
	Key() string
}

// KindFault is what the relay says in the room when something is not recorded as it should be.
const KindFault = wire.KindFault

// Fault is the body of a KindFault.
type Fault = wire.Fault

// Recording is one recording of one room, from Start to Close.
type Recording struct {
	cfg   Config
	dir   string
	start int64 // session time at which it began, µs
	case_ *evidence.Writer
	ctx   context.Context
	stop  context.CancelFunc
	tasks sync.WaitGroup
	ended chan struct{} // closed when nothing more is appended
	seals sync.WaitGroup

	written atomic.Uint64 // place in the log of the latest message written down

	mu      sync.Mutex
	names   map[string]int // files made under a name
	offsets map[string]*offset
	sampled map[string]time.Time
	losses  map[string]*loss
	people  people
	seconds map[string]bool // the cases of second recorders
	dropped int64
}

// Start makes the directory of a case and begins with the log.
func Start(cfg Config) (*Recording, error) {
	now := cfg.Now()
	r := &Recording{cfg: cfg, start: cfg.Time(now), names: map[string]int{}, offsets: map[string]*offset{}, sampled: map[string]time.Time{},
		losses: map[string]*loss{}, seconds: map[string]bool{}, people: people{names: map[string]string{}, asked: map[string]string{}, given: map[string]bool{}}, ended: make(chan struct{})}
	var err error
	if r.dir, err = makeDir(filepath.Join(cfg.Dir, cfg.Room), now.UTC().Format("2006-01-02T15-04-05Z")); err != nil {
		return nil, fmt.Errorf("start a recording: %w", err)
	}
	about := evidence.About{Format: evidence.Format, ID: rand.Text(), Room: cfg.Room, SessionBegan: cfg.Began, Start: r.start,
		UTC: now.UTC().Format(time.RFC3339Nano), Key: cfg.Seal.Key(), Encrypted: cfg.Lock != nil}
	w := evidence.WriterConfig{About: about, Seal: cfg.Seal, Clock: r.clock}
	var keyFile []byte
	if cfg.Lock != nil {
		if keyFile, w.Encrypt, err = cfg.Lock(); err != nil {
			return nil, fmt.Errorf("start a recording: %w", err)
		}
	}
	if r.case_, err = evidence.Create(r.dir, w); err != nil {
		return nil, err
	}
	if keyFile != nil {
		if err := r.case_.Append(evidence.Chunk{File: evidence.KeyFile, Data: keyFile, From: r.start, To: r.start}); err != nil {
			return nil, errors.Join(err, r.case_.Close())
		}
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.tasks.Go(r.followLog)
	r.seals.Go(r.seal)
	if cfg.Stamp != nil {
		r.tasks.Go(r.probe)
	}
	r.state(wire.Recorded{On: true})
	return r, nil
}

func (r *Recording) clock() (int64, time.Time) {
	now := r.cfg.Now()
	return r.cfg.Time(now), now
}

// makeDir makes a directory that was not there before.
func makeDir(parent, name string) (string, error) {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		dir := filepath.Join(parent, name)
		if n > 1 {
			dir = fmt.Sprintf("%s-%d", dir, n)
		}
		if err := os.Mkdir(dir, 0o755); !errors.Is(err, os.ErrExist) {
			return dir, err
		}
	}
}

// Dir is where the recording is.
func (r *Recording) Dir() string { return r.dir }

// closeTime is how long Close waits for the end of the log.
const closeTime = 2 * time.Second

// Close ends the recording: what is queued is written, and the case is sealed and closed.
func (r *Recording) Close() {
	for end := r.cfg.Now().Add(closeTime); r.written.Load() < r.cfg.Head() && r.cfg.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	r.stop()
	r.tasks.Wait()
	close(r.ended)
	r.seals.Wait()
}

// Track records a track until it ends. It does not block.
func (r *Recording) Track(up *sfu.Up, who wire.Participant) {
	if r.ctx.Err() != nil {
		return
	}
	t := newTrack(r, up, who)
	r.tasks.Go(t.run)
	up.Add(t)
	up.RequestKey()
}

// fault tells people, in the relay's log and in the case's own.
func (r *Recording) fault(id, text string) {
	r.cfg.Log.Error("recording: "+text, "room", r.cfg.Room, "what", id)
	r.cfg.Tell(KindFault, id, Fault{Text: text})
}

// Cause is the innermost words of an error: people in a room need not know what the relay's paths and servers are called.
func Cause(err error) string {
	for {
		switch outer := err.(type) {
		case interface{ Unwrap() error }:
			if outer.Unwrap() == nil {
				return err.Error()
			}
			err = outer.Unwrap()
		case interface{ Unwrap() []error }:
			err = outer.Unwrap()[0]
		default:
			return err.Error()
		}
	}
}

// over tells people of a fault that has ended.
func (r *Recording) over(id, text string) {
	r.cfg.Log.Warn("recording: "+text, "room", r.cfg.Room, "what", id)
	r.cfg.Tell(KindFault, id, Fault{Text: text, Over: true})
}

// Dropped returns how many packets came faster than they could be queued.
func (r *Recording) Dropped() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}
