package client_test

import (
	"context"
	"fmt"
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

// call is a technician on a good network, an expert on one that can be spoilt, and another on a good one.
type call struct {
	t       *testing.T
	network *relaytest.Network
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
	c.field = relaytest.Join(t, client.Config{URL: c.network.URL(), Instance: "tom", Token: relaytest.Token(t, s.Authority(), "field", "Tom"),
		Publish: []client.Track{track}})
	camera.Play(c.field.Video("camera"))
	t.Cleanup(camera.Stop)
	join := func(name string, v *viewer) {
		relaytest.Join(t, client.Config{URL: c.network.URL(), Instance: name, Token: relaytest.Token(t, s.Authority(), "expert", name),
			OnRung: v.rung, OnLog: v.marks.Take, OnTrack: func(r *client.RemoteTrack) { go v.watch(t.Context(), r, camera.Sent) }})
	}
	join("Good", &c.good)
	c.network.Shape(relaytest.Link{})
	join("Poor", &c.poor)
	relaytest.Eventually(t, "both see pictures", func() bool { return c.good.count(time.Time{}) > 30 && c.poor.count(time.Time{}) > 30 })
	return c
}

// spoil shapes the poor expert's link for a while, draws marks meanwhile, and says what was seen.
func (c *call) spoil(name string, l relaytest.Link, d time.Duration) (n int, frozen time.Duration) {
	c.t.Helper()
	c.network.Shape(l)
	since := time.Now()
	for i := 0; time.Since(since) < d; i++ {
		id := fmt.Sprintf("%s-%d", name, i)
		if _, err := c.field.Publish(wire.KindMark, id, 0, "drawn"); err != nil {
			c.t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
	}
	n, frozen = c.poor.freezes(since)
	gn, gf := c.good.freezes(since)
	c.t.Logf("%-10s %6s: %4d pictures of %d, %d freezes, %.1f s; rung %s; the other expert: %d freezes, %.1f s",
		name, d, c.poor.count(since), c.good.count(since), n, frozen.Seconds(), c.poor.now(), gn, gf.Seconds())
	if gf > d/4 { // a busy machine holds it up for half a second now and then
		c.t.Errorf("%s: the other expert's picture froze for %v", name, gf)
	}
	return n, frozen
}

// reaches waits until the poor expert was told of the whole picture, or of less. How soon is the estimator's
// matter, and the machine's: the other tests of a package run beside this one.
func (c *call) reaches(what string, full bool) {
	c.t.Helper()
	relaytest.Within(c.t, time.Minute, what, func() bool { return (c.poor.now() == wire.RungFull) == full })
}

// marked says that all marks have come, and nothing broken was shown.
func (c *call) marked() {
	c.t.Helper()
	relaytest.Eventually(c.t, "all marks have come", func() bool {
		return len(c.poor.marks.State(wire.KindMark)) == len(c.good.marks.State(wire.KindMark)) && c.field.Pending() == 0
	})
	c.poor.mu.Lock()
	defer c.poor.mu.Unlock()
	if c.poor.broken > 0 {
		c.t.Errorf("%d pictures were not as sent", c.poor.broken)
	}
}

// Random loss is made good: few freezes, no rung lower at 2 and 10 %.
func TestLossIsMadeGood(t *testing.T) {
	t.Parallel()
	c := newCall(t, 1_000_000)
	for _, s := range []struct {
		loss   float64
		frozen time.Duration // at most, of four seconds
	}{{0.02, time.Second}, {0.10, 1500 * time.Millisecond}, {0.30, 3 * time.Second}} {
		_, frozen := c.spoil(fmt.Sprintf("loss-%.0f", 100*s.loss), relaytest.Link{Loss: s.loss, Delay: 20 * time.Millisecond}, 4*time.Second)
		if frozen > s.frozen {
			t.Errorf("%.0f %% loss: the picture froze for %v", 100*s.loss, frozen)
		}
		if s.loss <= 0.1 && c.poor.now() != wire.RungFull {
			t.Errorf("%.0f %% loss: rung %s", 100*s.loss, c.poor.now())
		}
	}
	c.network.Shape(relaytest.Link{})
	c.marked()
}

// A narrow link gets what it bears, is told so in words, and gets all again when it is wide again; marks come
// on every rung, and no other's picture suffers.
func TestANarrowLinkGoesDownTheLadder(t *testing.T) {
	t.Parallel()
	c := newCall(t, 2_000_000)
	c.spoil("4-Mbit", relaytest.Link{Bits: 4_000_000}, 4*time.Second)
	c.reaches("the whole picture at 4 Mbit/s", true)
	c.network.Shape(relaytest.Link{Bits: 400_000, Delay: 50 * time.Millisecond})
	c.reaches("a lower rung at 400 kbit/s", false)
	narrow := time.Now()
	c.spoil("400-kbit", relaytest.Link{Bits: 400_000, Delay: 50 * time.Millisecond}, 8*time.Second)
	if now := c.poor.count(narrow); now > 90 { // a try of all now and then is seen for a moment
		t.Errorf("400 kbit/s: %d pictures in 8 s", now)
	}
	relaytest.Within(t, time.Minute, "still pictures at 400 kbit/s", func() bool { return c.poor.count(narrow) > 0 })
	since := time.Now()
	c.spoil("150-kbit", relaytest.Link{Bits: 150_000, Loss: 0.1, Delay: time.Second}, 10*time.Second)
	if now := c.poor.count(since); now > 60 {
		t.Errorf("150 kbit/s: %d pictures in 10 s", now)
	}
	t.Logf("150 kbit/s: %d still pictures in 10 s", c.poor.count(since))
	c.network.Shape(relaytest.Link{})
	wide := time.Now()
	c.reaches("the whole picture again", true)
	t.Logf("full again after %.1f s", time.Since(wide).Seconds())
	c.marked()
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
	c.spoil("80-kbit", narrow, 6*time.Second)
	c.network.Shape(relaytest.Link{})
	c.reaches("the whole picture again", true)
	c.marked()
	for _, r := range c.poor.rungs {
		if r.Rung == wire.RungStills && r.Text == "" {
			t.Error("the rung has no words")
		}
	}
}
