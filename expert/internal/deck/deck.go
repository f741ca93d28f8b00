// Package deck plays a tape: it stands at an instant, goes on at a pace, and shows of that instant what a call
// shows of now. A desk that is given a deck for its source shows the past.
package deck

import (
	"sync"
	"time"

	"sightline/annotate"
	"sightline/expert/internal/call"
	"sightline/expert/internal/reel"
	"sightline/expert/internal/tape"
)

// Deck plays a tape. One goroutine uses it; a goroutine of its own decodes, and alone reads the case.
type Deck struct {
	tape  *tape.Tape
	now   func() time.Time
	reels []*reel.Reel

	camera   int
	position int64 // session time, µs
	playing  bool
	speed    float64
	last     time.Time // when the position was set last

	heard    heard
	speakers []*speaker // guarded by mu

	wake    chan struct{}
	changes chan struct{}
	task    sync.WaitGroup

	mu     sync.Mutex
	wanted target
	frame  *call.Frame // on screen; nil before the first
	of     target      // whose it is
	early  bool        // it is the key frame before the wanted one, which is on its way
	fault  string      // why the wanted one does not decode
	doing  target      // what is being decoded
	stop   func()      // ends that; nil while nothing is decoded
	closed bool
}

// target is a frame of a camera.
type target struct{ camera, shot int }

// kept is how many bytes of decoded pictures are kept of each camera: five seconds of 720p at 30 a second.
const kept = 256 << 20

// New makes a deck that stands at the first picture. Close it afterwards; the tape is the caller's.
func New(t *tape.Tape, now func() time.Time) *Deck {
	d := &Deck{tape: t, now: now, speed: 1, wake: make(chan struct{}, 1), changes: make(chan struct{}, 1), position: t.Start,
		wanted: target{-1, -1}, of: target{-1, -1}}
	for _, c := range t.Cameras {
		d.reels = append(d.reels, reel.New(t, c, kept))
	}
	if len(t.Cameras) > 0 && len(t.Cameras[0].Shots) > 0 {
		d.position = t.Cameras[0].Shots[0].Session
	}
	d.hears()
	d.task.Go(d.decode)
	d.ask()
	return d
}

// Close ends the decoding and lets the pictures go.
func (d *Deck) Close() error {
	d.mu.Lock()
	d.closed = true
	if d.stop != nil {
		d.stop()
	}
	d.mu.Unlock()
	d.signal(d.wake)
	d.task.Wait()
	d.frame.Release()
	err := d.hush()
	for _, r := range d.reels {
		if cerr := r.Close(); err == nil {
			err = cerr
		}
	}
	return err
}

func (d *Deck) signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Changes has something to read after a picture was decoded.
func (d *Deck) Changes() <-chan struct{} { return d.changes }

// ask asks for the picture of the position.
func (d *Deck) ask() {
	if len(d.reels) == 0 {
		return
	}
	want := target{d.camera, d.tape.Cameras[d.camera].At(d.position)}
	d.mu.Lock()
	if want != d.wanted && d.stop != nil && !d.onTheWay(want) {
		d.stop()
	}
	d.wanted = want
	d.mu.Unlock()
	d.signal(d.wake)
}

// Tick goes on where the deck plays. It is called often.
func (d *Deck) Tick() {
	now := d.now()
	if d.playing {
		d.position += int64(float64(now.Sub(d.last).Microseconds()) * d.speed)
		if d.position >= d.tape.End {
			d.position, d.playing = d.tape.End, false
		}
		d.ask()
	}
	d.last = now
	d.hears()
}

// Position is the instant that is shown, session time in µs.
func (d *Deck) Position() int64 { return d.position }

// GoTo goes to an instant.
func (d *Deck) GoTo(session int64) {
	d.position = max(d.tape.Start, min(session, d.tape.End))
	d.last = d.now()
	d.hears()
	d.ask()
}

// Playing says whether the deck plays; Play begins, from the start where it stands at the end, or stops.
func (d *Deck) Playing() bool { return d.playing }

// Play begins to play or stops.
func (d *Deck) Play(on bool) {
	if on && d.position >= d.tape.End {
		d.GoTo(d.tape.Start)
	}
	d.playing, d.last = on, d.now()
	d.hears()
}

// Speed is how much faster than real time the deck plays.
func (d *Deck) Speed() float64 { return d.speed }

// SetSpeed sets it.
func (d *Deck) SetSpeed(s float64) {
	d.speed = s
	d.hears()
}

// Step stops and goes some frames on, or back.
func (d *Deck) Step(frames int) {
	d.playing = false
	d.hears()
	if len(d.reels) == 0 {
		return
	}
	shots := d.tape.Cameras[d.camera].Shots
	i := d.tape.Cameras[d.camera].At(d.position) + frames
	if len(shots) > 0 {
		d.GoTo(shots[max(0, min(i, len(shots)-1))].Session)
	}
}

// Show turns to a participant's camera.
func (d *Deck) Show(participant string) {
	for i, c := range d.tape.Cameras {
		if c.Participant == participant {
			d.camera = i
			d.ask()
			return
		}
	}
}

// Settled says whether the picture of the position is the one that is shown.
func (d *Deck) Settled() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.reels) == 0 || d.wanted == d.of || d.wanted.shot < 0
}

// Early says whether the picture on screen is the key frame before the wanted one, which comes as soon as it is
// decoded.
func (d *Deck) Early() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.early
}

// holds is how long a frame stands for the instants after it, µs; later there is no picture.
const holds = 500_000

// Instant is the one that marks, poses and readings are shown of: that of the frame on screen, and the position
// where there is none.
func (d *Deck) Instant() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s, ok := d.shot(); ok {
		return s.Session
	}
	return d.position
}

// shot is the frame on screen; it needs the lock. ok is false where the position has no picture.
func (d *Deck) shot() (s tape.Shot, ok bool) {
	if d.frame == nil || d.of.shot < 0 || d.wanted.shot < 0 || d.of.camera != d.camera {
		return s, false
	}
	want := d.tape.Cameras[d.wanted.camera].Shots[d.wanted.shot]
	s = d.tape.Cameras[d.of.camera].Shots[d.of.shot]
	return s, d.position-want.Session <= holds
}

// Cover says why the position has no picture; empty where it has one.
func (d *Deck) Cover() (title, reason string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.shot(); ok {
		return "", ""
	}
	if d.fault != "" && d.wanted == d.of {
		return "This picture is damaged", d.fault
	}
	for _, g := range d.tape.Manifest.Gaps {
		if g.From <= d.position && d.position < g.To {
			return "Not recorded", g.Why + " (" + d.tape.Person(g.Who) + ")"
		}
	}
	if d.wanted.shot >= 0 && d.wanted != d.of {
		return "", "" // on its way
	}
	return "No picture", "The camera sent none at this time."
}

// Frame returns the picture of a camera; the caller releases it.
func (d *Deck) Frame(camera string) *call.Frame {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.reels) == 0 || d.tape.Cameras[d.camera].Participant != camera || d.of.camera != d.camera {
		return nil
	}
	return d.frame.Keep()
}

// Pose returns where the camera was in a frame.
func (d *Deck) Pose(camera string, captured int64) (call.Pose, bool) {
	return d.tape.Pose(camera, captured)
}

// Marks returns the marks as they stood.
func (d *Deck) Marks() []annotate.Entry { return d.tape.Marks(d.Instant()) }

// Now is the relay's wall clock of the instant that is shown.
func (d *Deck) Now() time.Time { return time.UnixMicro(d.tape.UTC(d.Instant())) }

// keptLines is how many lines of what was said a room has.
const keptLines = 50

// Room returns the room as it was.
func (d *Deck) Room() *call.Room {
	at := d.Instant()
	r := &call.Room{Version: uint64(at) + 1, Name: d.tape.About.Room, Link: call.Link{Connected: true, Ever: true}, Machines: d.tape.Machines(at)}
	for _, s := range d.tape.Stays {
		if s.From > at {
			continue
		}
		p := call.Person{Participant: s.Participant, Since: time.UnixMicro(d.tape.UTC(s.From))}
		if p.Online = at < s.To; p.Online {
			p.Reason = ""
		} else {
			p.Since = time.UnixMicro(d.tape.UTC(s.To))
		}
		r.People = append(r.People, p)
	}
	for _, c := range d.tape.Cameras {
		r.Cameras = append(r.Cameras, call.Camera{Participant: c.Participant, Track: c.Track, Name: c.Name, Online: true})
	}
	for _, w := range d.tape.Words {
		if w.At <= at {
			r.Chat = append(r.Chat, call.Line{From: w.Name, Text: w.Text, At: time.UnixMicro(d.tape.UTC(w.At))})
		}
	}
	r.Chat = r.Chat[max(0, len(r.Chat)-keptLines):]
	return r
}
