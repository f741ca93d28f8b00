// Package record writes a session to disk as it passes through the relay: each track as it came, in
// fragmented MP4 that plays up to its last second even when the relay is killed, and the room log beside
// it. Nothing is transcoded, and forwarding never waits for the disk.
//
//	<data>/recordings/<room>/<start, UTC>/
//	  recording.json             the room, when the session and the recording began
//	  log.jsonl                  every message of the room log, and samples of poses and pointers
//	  <name>-<track>.mp4         one track; its time 0 is the beginning of the recording
//	  <name>-<track>.frames.csv  for every sample of it: index, captured, session time, key frame
//
// A publisher that comes back, or changes the size of its picture, begins a new file: <name>-<track>-2.mp4.
package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sightline/relay/internal/sfu"
	"sightline/relay/wire"
)

// Config is what a recording needs. All must be set.
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
	// Report tells the room that something is not recorded as it should be.
	Report func(id string, f Fault)
}

// Fault is the body of the room's "recording" messages.
type Fault struct {
	Text string `json:"text"`
}

// Recording is one recording of one room, from Start to Close.
type Recording struct {
	cfg   Config
	dir   string
	start int64 // session time at which it began, µs
	ctx   context.Context
	stop  context.CancelFunc
	tasks sync.WaitGroup
	log   logFile

	written atomic.Uint64 // place in the log of the latest message written down

	mu      sync.Mutex
	names   map[string]int // files made under a name
	offsets map[string]*offset
	sampled map[string]time.Time
	dropped int64
}

// About is recording.json.
type About struct {
	Room         string `json:"room"`
	SessionBegan int64  `json:"session_began"` // µs since the Unix epoch, the relay's clock
	// Start is the session time of the recording's time 0, µs.
	Start int64  `json:"start"`
	UTC   string `json:"utc"`
}

// Start makes the directory of a recording and begins with the log.
func Start(cfg Config) (*Recording, error) {
	now := cfg.Now()
	r := &Recording{cfg: cfg, start: cfg.Time(now), names: map[string]int{}, offsets: map[string]*offset{},
		sampled: map[string]time.Time{}}
	var err error
	if r.dir, err = makeDir(filepath.Join(cfg.Dir, cfg.Room), now.UTC().Format("2006-01-02T15-04-05Z")); err != nil {
		return nil, fmt.Errorf("start a recording: %w", err)
	}
	about, err := json.MarshalIndent(About{cfg.Room, cfg.Began, r.start, now.UTC().Format(time.RFC3339Nano)}, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(r.dir, "recording.json"), append(about, '\n'), 0o644)
	}
	if err == nil {
		err = r.log.open(filepath.Join(r.dir, "log.jsonl"))
	}
	if err != nil {
		return nil, fmt.Errorf("start a recording: %w", err)
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.tasks.Go(r.followLog)
	r.tasks.Go(r.flushLog)
	return r, nil
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

// Close ends the recording: what is queued is written, files are closed.
func (r *Recording) Close() {
	for end := r.cfg.Now().Add(closeTime); r.written.Load() < r.cfg.Head() && r.cfg.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	r.stop()
	r.tasks.Wait()
	if err := r.log.close(); err != nil {
		r.cfg.Log.Error("recording of the log", "dir", r.dir, "error", err)
	}
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

// sampleEvery is the pause between two kept poses, or pointers, of a sender.
const sampleEvery = 100 * time.Millisecond

// Sample keeps some of the poses and pointers. It does not block on the disk for longer than a write to
// memory does.
func (r *Recording) Sample(e wire.Envelope) {
	now := r.cfg.Now()
	key := e.Kind + " " + e.From
	r.mu.Lock()
	if now.Sub(r.sampled[key]) < sampleEvery {
		r.mu.Unlock()
		return
	}
	r.sampled[key] = now
	r.mu.Unlock()
	r.log.write(e)
}

// followLog writes the log down: the state of the room at the start, then all that comes.
func (r *Recording) followLog() {
	err := r.cfg.Follow(r.ctx, r.cfg.Room, func(e wire.Envelope) error {
		defer r.written.Store(e.Seq)
		return r.log.write(e)
	})
	if err != nil && r.ctx.Err() == nil {
		r.fault("log", fmt.Sprintf("the log is not recorded any more: %v", err))
	}
}

func (r *Recording) flushLog() {
	for r.pause(time.Second) {
		if err := r.log.flush(); err != nil {
			r.fault("log", fmt.Sprintf("the log is not recorded any more: %v", err))
			return
		}
	}
}

func (r *Recording) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-r.ctx.Done():
		return false
	}
}

// fault tells people, in the relay's log and in the case's own.
func (r *Recording) fault(id, text string) {
	r.cfg.Log.Error("recording: "+text, "room", r.cfg.Room, "what", id)
	r.cfg.Report(id, Fault{text})
}

// Dropped returns how many packets came faster than the disk took them.
func (r *Recording) Dropped() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}
