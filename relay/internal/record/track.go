package record

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"

	"sightline/relay/evidence"
	"sightline/relay/evidence/movie"
	"sightline/relay/internal/media"
	"sightline/relay/internal/sfu"
	"sightline/relay/wire"
)

// queued is how many packets wait for the disk: about four seconds of 4 Mbit/s.
const queued = 2048

// patience is how long the recorder waits for a retransmission: longer than a viewer would.
const patience = 500 * time.Millisecond

// track records one track: packets come in on the forwarding goroutine and are queued; one goroutine
// puts frames together and writes them.
type track struct {
	rec  *Recording
	up   *sfu.Up
	who  wire.Participant
	name string

	mu      sync.Mutex
	queue   []*sfu.Packet
	more    chan struct{} // a token when a frame is whole, or many packets wait
	dropped atomic.Int64

	// Owned by run.
	spare    []*sfu.Packet // becomes the queue
	reorder  media.Reorder
	assemble *media.Assembler
	file     *movie.Movie
	waiting  bool // for a key frame, after something was let go
	arrived  time.Time
	key      time.Time // when the last key frame arrived
	told     int64
	failed   bool
	odd      bool // a frame was left out
}

func newTrack(r *Recording, up *sfu.Up, who wire.Participant) *track {
	return &track{rec: r, up: up, who: who, name: movie.FileName(who.Name) + "-" + movie.FileName(up.Name),
		more: make(chan struct{}, 1), waiting: true, assemble: media.NewAssembler(up.Codec, captureExtension),
		reorder: media.Reorder{Patience: patience}}
}

// captureExtension is the number that the recorder's own copies of packets carry their capture time under.
const captureExtension = 1

// Write queues a packet for the disk, or drops it where the disk is too slow. run is woken once for a frame.
func (t *track) Write(p *sfu.Packet) {
	t.mu.Lock()
	full, n := len(t.queue) == queued, len(t.queue)+1
	if !full {
		p.Retain()
		t.queue = append(t.queue, p)
	}
	t.mu.Unlock()
	if full {
		t.dropped.Add(1)
		return
	}
	if p.Header.Marker || t.up.Kind == wire.Audio || n%wakeAt == 0 {
		select {
		case t.more <- struct{}{}:
		default:
		}
	}
}

// wakeAt is how many packets wait before run is woken though no frame is whole.
const wakeAt = 64

// flushEvery is how long a frame waits for its fragment at most; with commitEvery and patience it bounds what a
// crash costs to less than two seconds.
const flushEvery = 500 * time.Millisecond

// keyEvery is how far apart key frames may lie in a recording: who looks for a moment in it waits for the frames since the
// last one. Sightline's own encoders make one every two seconds; browsers have to be asked.
const keyEvery = 2200 * time.Millisecond

// run writes until the track or the recording ends.
func (t *track) run() {
	defer t.finish()
	if !movie.CanRecord(t.up.Codec) {
		t.rec.fault(t.name, fmt.Sprintf("track %s of %s is not recorded: codec %s; H.264, VP8, VP9, AV1 and Opus are", t.up.Name, t.who.Name, t.up.Codec))
		return
	}
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-t.more:
			t.drain()
		case <-tick.C:
			t.drain() // of a publisher that marks no frames
			t.count()
			if t.file != nil {
				t.check(t.file.Flush())
			}
			if t.waiting || t.arrived.Sub(t.key) > keyEvery {
				t.up.RequestKey()
			}
		case <-t.up.Done():
			t.drain()
			return
		case <-t.rec.ctx.Done():
			t.drain()
			return
		}
		if t.failed {
			return
		}
	}
}

// drain takes what is queued.
func (t *track) drain() {
	t.mu.Lock()
	waiting := t.queue
	t.queue = t.spare[:0]
	t.mu.Unlock()
	for _, p := range waiting {
		t.take(p)
	}
	clear(waiting)
	t.spare = waiting
}

func (t *track) finish() {
	t.up.Remove(t)
	t.count()
	if t.file != nil {
		t.check(t.file.Close())
	}
}

// take puts a packet in its place. It is copied: the queue's is shared.
func (t *track) take(p *sfu.Packet) {
	copied := &rtp.Packet{Header: rtp.Header{Version: 2, Marker: p.Header.Marker, SequenceNumber: p.Header.SequenceNumber,
		Timestamp: p.Header.Timestamp}, Payload: append([]byte(nil), p.Payload...)}
	capture := p.Capture
	_ = copied.Header.SetExtension(captureExtension, capture[:])
	t.arrived = p.Arrived
	p.Release(t.up.Pool)
	t.reorder.Push(copied, t.arrived)
	for {
		next, lost, ok := t.reorder.Pop(t.arrived)
		if !ok {
			break
		}
		t.assemble.Push(next, lost, t.write)
	}
	if t.assemble.Broken() {
		t.up.RequestKey()
	}
}

// write writes one frame, in a new file where the old one cannot hold it.
func (t *track) write(u media.Unit) {
	if t.failed {
		return
	}
	session := t.rec.sessionOf(t.who.ID, u.Captured, t.arrived)
	if !t.rec.may(t.who.ID) {
		t.withhold()
		return
	}
	if t.waiting && !u.Key {
		return
	}
	if u.Key && (t.file == nil || t.up.Codec != media.Opus) && !t.fits(u, session) {
		return
	}
	if t.file == nil {
		return
	}
	t.waiting = false
	if u.Key {
		t.key = t.arrived
	}
	t.check(t.file.Write(unit(u), session))
}

// unit is a frame as the case takes it.
func unit(u media.Unit) movie.Unit {
	return movie.Unit{Data: u.Data, Captured: u.Captured, Key: u.Key}
}

// withhold lets a frame go that people do not want recorded. The next to be recorded is a key frame.
func (t *track) withhold() {
	if t.file != nil && !t.waiting {
		t.check(t.file.Pause())
	}
	t.waiting = true
}

// fits sees that there is a file that a key frame goes into.
func (t *track) fits(u media.Unit, session int64) bool {
	f, err := movie.FormatOf(t.up.Codec, unit(u))
	if err != nil {
		t.check(err)
		return false
	}
	if t.file != nil && t.file.Format().SameAs(f) {
		return true
	}
	if t.file != nil {
		t.check(t.file.Close())
		t.file = nil
	}
	name := t.rec.name(t.name)
	about := evidence.Track{File: name + ".mp4", Table: name + ".frames.csv", Participant: t.who.ID, Name: t.who.Name, Role: t.who.Role,
		TrackName: t.up.Name, Kind: t.up.Kind, Codec: t.up.Codec}
	t.file, err = movie.New(t.rec.case_, about, f, t.rec.start, max(session, t.rec.start))
	t.check(err)
	return err == nil
}

// check takes what became of a frame. One that is none is left out; where the disk cannot take any more, frames
// are let go until it can.
func (t *track) check(err error) {
	what, now := t.name, t.rec.cfg.Time(t.arrived)
	switch {
	case err == nil:
		t.rec.regain(what, now)
	case errors.Is(err, movie.ErrFrame):
		if !t.odd {
			t.odd = true
			t.rec.fault(t.name, fmt.Sprintf("frames of track %s of %s are left out: they are not valid %s", t.up.Name, t.who.Name, t.up.Codec))
		}
	case errors.Is(err, evidence.ErrBehind):
		t.rec.lose(what, now, err)
		t.waiting = true
	case !t.failed:
		t.failed = true
		t.rec.fault(t.name, fmt.Sprintf("track %s of %s is not recorded any more: %v", t.up.Name, t.who.Name, err))
	}
}

// count tells of packets that were dropped since the last time.
func (t *track) count() {
	now := t.dropped.Load()
	if now == t.told {
		return
	}
	t.rec.mu.Lock()
	t.rec.dropped += now - t.told
	t.rec.mu.Unlock()
	t.rec.over(t.name, fmt.Sprintf("the disk was too slow: %d packets of %s of %s are not recorded", now-t.told, t.up.Name, t.who.Name))
	t.told = now
}

// name returns a name that no file has yet.
func (r *Recording) name(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names[name]++
	if n := r.names[name]; n > 1 {
		name = fmt.Sprintf("%s-%d", name, n)
	}
	return name
}

// offset relates a publisher's clock to session time: the least that any of its frames took to come.
type offset struct{ micros int64 }

// sessionOf returns the session time at which a frame was captured, as near as the relay can know: on
// its way it took at least as long as the quickest frame of its publisher.
func (r *Recording) sessionOf(participant string, captured int64, arrived time.Time) int64 {
	now := r.cfg.Time(arrived)
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.offsets[participant]
	if o == nil {
		o = &offset{now - captured}
		r.offsets[participant] = o
	}
	const jump = 10_000_000 // µs: the publisher's clock was set
	if d := now - captured - o.micros; d < 0 || d > jump {
		o.micros = now - captured
	}
	return captured + o.micros
}
