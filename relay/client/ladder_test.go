package client_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

// viewer is what a person sees at the end of a link: when pictures came, which rungs were told, which marks.
type viewer struct {
	mu     sync.Mutex
	shown  []time.Time
	broken int
	rungs  []client.Rung
	marks  relaytest.Replica
	came   map[string]time.Time // when each mark first did
	times  map[string]int       // by the mark's message
}

func (v *viewer) rung(r client.Rung) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rungs = append(v.rungs, r)
}

// now is the rung that was told last.
func (v *viewer) now() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.rungs) == 0 {
		return wire.RungFull
	}
	return v.rungs[len(v.rungs)-1].Rung
}

// watch reads a track until it ends.
func (v *viewer) watch(ctx context.Context, t *client.RemoteTrack, sent func(int64) []byte) {
	for {
		u, err := t.ReadFrame(ctx)
		if err != nil {
			return
		}
		v.mu.Lock()
		v.shown = append(v.shown, time.Now())
		if want := sent(u.Captured); want == nil || string(want) != string(u.Data) {
			v.broken++
		}
		v.mu.Unlock()
	}
}

// freezes counts the pauses of more than half a second since a moment, and how long they were together.
func (v *viewer) freezes(since time.Time) (n int, total time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	last := since
	for _, at := range append(v.shown, time.Now()) {
		if gap := at.Sub(last); at.After(since) && gap > 500*time.Millisecond {
			n, total = n+1, total+gap
		}
		if at.After(since) {
			last = at
		}
	}
	return n, total
}

// count is how many pictures came since a moment.
func (v *viewer) count(since time.Time) (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, at := range v.shown {
		if at.After(since) {
			n++
		}
	}
	return n
}

// take keeps the marks, and when each first came.
func (v *viewer) take(e wire.Envelope) {
	v.marks.Take(e)
	if e.Kind != wire.KindMark {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.came == nil {
		v.came, v.times = map[string]time.Time{}, map[string]int{}
	}
	if v.times[e.Msg]++; v.times[e.Msg] == 1 {
		v.came[e.ID] = time.Now()
	}
}

// smooth waits until pictures come as they should for a second, and returns when that second began; zero: never.
func (v *viewer) smooth(since time.Time, most time.Duration) time.Time {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		v.mu.Lock()
		i, _ := slices.BinarySearchFunc(v.shown, since, time.Time.Compare)
		for j := i; j+20 < len(v.shown); j++ {
			if v.shown[j+20].Sub(v.shown[j]) < time.Second {
				v.mu.Unlock()
				return v.shown[j]
			}
		}
		v.mu.Unlock()
	}
	return time.Time{}
}

// call is a technician on a good network, an expert on one that can be spoilt, and another on a good one.
type call struct {
	t       *testing.T
	network *relaytest.Network
	camera  *relaytest.Camera
	field   *client.Client
	poor    viewer
	good    viewer
}

// newCall begins a call whose camera sends so many bits per second, in so many pictures.
func newCall(t *testing.T, bits int) *call {
	t.Helper()
	c := &call{t: t, network: relaytest.NewNetwork(t)}
	s := relaytest.Start(t, func(cfg *server.Config) { cfg.Advertise = c.network.Media() })
	c.network.Lead(s.URL()[len("http://"):], s.MediaPort())
	camera, track := relaytest.NewCamera()
	camera.Size = bits / 8 / 30
	c.camera = camera
	c.field = relaytest.Join(t, client.Config{URL: c.network.URL(), Instance: "tom", Token: relaytest.Token(t, s.Authority(), "field", "Tom"),
		Publish: []client.Track{track}})
	camera.Play(c.field.Video("camera"))
	t.Cleanup(camera.Stop)
	join := func(name string, v *viewer) {
		relaytest.Join(t, client.Config{URL: c.network.URL(), Instance: name, Token: relaytest.Token(t, s.Authority(), "expert", name),
			OnRung: v.rung, OnLog: v.take, OnTrack: func(r *client.RemoteTrack) { go v.watch(t.Context(), r, camera.Sent) }})
	}
	join("Good", &c.good)
	c.network.Shape(relaytest.Link{})
	c.network.ShapeUp(relaytest.Link{})
	join("Poor", &c.poor)
	relaytest.Eventually(t, "both see pictures", func() bool { return c.good.count(time.Time{}) > 30 && c.poor.count(time.Time{}) > 30 })
	return c
}

// trouble is what happens to the poor expert's link, and what he may see of it at most.
type trouble struct {
	name     string
	down, up relaytest.Link
	lasts    time.Duration
	frozen   float64 // the share of the time that the picture stands still; 0: any
	whole    bool    // no rung is gone down
	pictures int     // at most, in a second; 0: as many as there are
}

// spoil makes trouble while marks are drawn, and says what was seen of it. The link stays as it is.
func (c *call) spoil(x trouble) *sight {
	c.t.Helper()
	x.lasts = lasting(x.lasts)
	c.network.Shape(x.down)
	c.network.ShapeUp(x.up)
	see := &sight{name: x.name, since: time.Now(), drawn: map[string]time.Time{}}
	sent := c.camera.Count()
	for i := 0; time.Since(see.since) < x.lasts; i++ {
		id := fmt.Sprintf("%s-%d", x.name, i)
		see.drawn[id] = time.Now()
		if _, err := c.field.Publish(wire.KindMark, id, 0, "drawn"); err != nil {
			c.t.Fatal(err)
		}
		time.Sleep(250 * time.Millisecond)
	}
	see.took(&c.poor, &c.good, c.camera.Count()-sent)
	if most := time.Duration(x.frozen * float64(see.lasted)); x.frozen > 0 && see.frozen > most {
		c.t.Errorf("%s: the picture stood still for %v, at most %v", x.name, see.frozen, most)
	}
	if x.whole && see.rung != wire.RungFull {
		c.t.Errorf("%s: rung %s", x.name, see.rung)
	}
	if x.pictures > 0 && see.shown > x.pictures*int(see.lasted/time.Second) {
		c.t.Errorf("%s: %d pictures in %v", x.name, see.shown, see.lasted)
	}
	if see.otherFrozen > see.lasted/4 { // a busy machine holds it up for half a second now and then
		c.t.Errorf("%s: the other expert's picture stood still for %v", x.name, see.otherFrozen)
	}
	if see.otherShown < see.sent*95/100 {
		c.t.Errorf("%s: the other expert has %d pictures of %d", x.name, see.otherShown, see.sent)
	}
	return see
}

// heal ends the trouble, waits until all is as before, and says how long that took.
func (c *call) heal(see *sight) {
	c.t.Helper()
	ended := time.Now()
	c.network.Shape(relaytest.Link{})
	c.network.ShapeUp(relaytest.Link{})
	c.reaches("the whole picture again", true)
	if at := c.poor.smooth(ended, time.Minute); at.IsZero() {
		c.t.Errorf("%s: the pictures did not come back", see.name)
	} else {
		see.recovered = at.Sub(ended)
	}
}

// marked says that all marks have come, each once, and that nothing broken was shown.
func (c *call) marked(all ...*sight) {
	c.t.Helper()
	for _, see := range all {
		see.marks(c.t, &c.poor)
		see.print(c.t)
	}
	relaytest.Eventually(c.t, "all is confirmed", func() bool { return c.field.Pending() == 0 })
	c.poor.mu.Lock()
	defer c.poor.mu.Unlock()
	if c.poor.broken > 0 {
		c.t.Errorf("%d pictures were not as sent", c.poor.broken)
	}
}

// reaches waits until the poor expert was told of the whole picture, or of less. How soon is the estimator's
// matter, and the machine's: the other tests of a package run beside this one.
func (c *call) reaches(what string, full bool) {
	c.t.Helper()
	relaytest.Within(c.t, time.Minute, what, func() bool { return (c.poor.now() == wire.RungFull) == full })
}

// Random loss is made good: few freezes, no rung lower at 2 and 10 %.
func TestLossIsMadeGood(t *testing.T) {
	t.Parallel()
	c := newCall(t, 1_000_000)
	delay := 20 * time.Millisecond
	two := c.spoil(trouble{name: "2 % loss", down: relaytest.Link{Loss: 0.02, Delay: delay}, lasts: 3 * time.Second, frozen: 0.25, whole: true})
	ten := c.spoil(trouble{name: "10 % loss", down: relaytest.Link{Loss: 0.1, Delay: delay}, lasts: 3 * time.Second, frozen: 0.4, whole: true})
	thirty := c.spoil(trouble{name: "30 % loss", down: relaytest.Link{Loss: 0.3, Delay: delay}, lasts: 3 * time.Second, frozen: 0.75})
	c.heal(thirty)
	c.marked(two, ten, thirty)
}

// A second of delay that comes all at once is taken for a queue for some seconds, until it is known to be the way's own.
// Then the whole picture comes again while the way is as long as ever; marks come as soon as they can.
func TestALongWayIsOnlyLong(t *testing.T) {
	t.Parallel()
	c := newCall(t, 1_000_000)
	far := c.spoil(trouble{name: "1 s delay each way", down: relaytest.Link{Delay: time.Second}, up: relaytest.Link{Delay: time.Second},
		lasts: 6 * time.Second})
	c.reaches("the whole picture over the long way", true)
	c.heal(far)
	c.marked(far)
	if far.slowest > 4*time.Second {
		t.Errorf("the slowest mark took %v", far.slowest)
	}
}

// A narrow link gets what it bears, is told so in words, and gets all again when it is wide again; marks come
// on every rung, and no other's picture suffers.
func TestANarrowLinkGoesDownTheLadder(t *testing.T) {
	t.Parallel()
	c := newCall(t, 2_000_000)
	wide := c.spoil(trouble{name: "4 Mbit/s", down: relaytest.Link{Bits: 4_000_000}, lasts: 3 * time.Second, frozen: 0.5})
	c.reaches("the whole picture at 4 Mbit/s", true)
	narrow := relaytest.Link{Bits: 400_000, Delay: 50 * time.Millisecond}
	c.network.Shape(narrow)
	c.reaches("a lower rung at 400 kbit/s", false)
	since := time.Now()
	less := c.spoil(trouble{name: "400 kbit/s", down: narrow, lasts: 5 * time.Second, pictures: 15}) // a try of all now and then is seen for a moment
	relaytest.Within(t, time.Minute, "still pictures at 400 kbit/s", func() bool { return c.poor.count(since) > 0 })
	least := c.spoil(trouble{name: "150 kbit/s, 10 % loss, 1 s", down: relaytest.Link{Bits: 150_000, Loss: 0.1, Delay: time.Second},
		lasts: 6 * time.Second, pictures: 8})
	c.heal(least)
	c.marked(wide, less, least)
	for _, r := range c.poor.rungs {
		if r.Text == "" || r.Name != "camera" || r.Participant != c.field.Self().ID {
			t.Errorf("rung %+v", r)
		}
	}
}

// Over a link that does not even bear key frames as a track, stills come over the data channel: whole, each the frame
// that it is by its capture time; people are told so in words, and marks come as ever.
func TestAVeryNarrowLinkGetsStills(t *testing.T) {
	t.Parallel()
	c := newCall(t, 1_000_000)
	narrow := relaytest.Link{Bits: 80_000, Loss: 0.1, Delay: 100 * time.Millisecond}
	c.network.Shape(narrow)
	relaytest.Within(t, time.Minute, "stills at 80 kbit/s", func() bool { return c.poor.now() == wire.RungStills })
	var stills int
	relaytest.Within(t, 2*time.Minute, "three stills, shown as frames of the camera", func() bool {
		c.poor.mu.Lock()
		began := len(c.poor.shown)
		c.poor.mu.Unlock()
		for since := time.Now(); time.Since(since) < 3*time.Second; time.Sleep(20 * time.Millisecond) {
			if c.poor.now() != wire.RungStills {
				return false // it was tried what more it bears
			}
		}
		c.poor.mu.Lock()
		defer c.poor.mu.Unlock()
		stills += len(c.poor.shown) - began
		return stills >= 3
	})
	least := c.spoil(trouble{name: "80 kbit/s, 10 % loss", down: narrow, lasts: 4 * time.Second})
	c.heal(least)
	c.marked(least)
	for _, r := range c.poor.rungs {
		if r.Rung == wire.RungStills && r.Text == "" {
			t.Error("the rung has no words")
		}
	}
}
