package client

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sightline/relay/wire"
)

// Over a network with any delays, the estimate is off by at most half of the shortest round trip, and a
// stamp is never in the relay's future.
func TestClockIsWithinHalfARoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		truth := rapid.Int64Range(-9e8, 1e12).Draw(t, "session minus local")
		delay := rapid.Int64Range(0, 500_000)
		var c clock
		local := int64(1e9)
		if _, ok := c.stamp(local); ok {
			t.Fatal("stamped before the join")
		}
		c.begin(local+truth, local+delay.Draw(t, "welcome"))
		local += 600_000
		best, last := int64(1<<62), int64(-1<<62)
		for range rapid.IntRange(1, 40).Draw(t, "pings") {
			there, back := delay.Draw(t, "there"), delay.Draw(t, "back")
			t0 := local
			t1 := t0 + there + truth
			t3 := t0 + there + 100 + back
			c.pong(t0, t1, t1+100, t3)
			local = t3 + 1_000_000
			best = min(best, there+back)
			at, _ := c.stamp(local)
			if at > local+truth || at <= last {
				t.Fatalf("stamped %d at %d, after %d", at, local+truth, last)
			}
			last = at
		}
		if rtt := c.rtt().Microseconds(); rtt < best {
			t.Fatalf("round trip %d, shortest was %d", rtt, best)
		}
		if off := c.session(local) - local - truth; 2*off > c.rtt().Microseconds()+1 || -2*off > c.rtt().Microseconds()+1 {
			t.Fatalf("off by %d µs with a round trip of %v", off, c.rtt())
		}
		if back := c.local(c.session(local)); back != local {
			t.Fatalf("there and back: %d", back-local)
		}
		c.saw(local + truth)
		if at, _ := c.stamp(local); at <= local+truth {
			t.Fatal("an answer does not come after what it answers")
		}
	})
}

func TestClockIgnoresPongsThatCannotBe(t *testing.T) {
	var c clock
	c.begin(100, 100)
	c.pong(1000, 500, 400, 1100)   // left before it arrived
	c.pong(1000, 1000, 5000, 1100) // stayed longer than it was away
	if c.rtt() != 0 || c.session(200) != 200 {
		t.Errorf("round trip %v, session %d", c.rtt(), c.session(200))
	}
}

func TestOutboxIsBounded(t *testing.T) {
	c, err := newClient(Config{URL: "http://x", MaxOutbox: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Publish("mark", "a", 0, 1); !errors.Is(err, ErrNotJoined) {
		t.Fatal(err)
	}
	c.clock.begin(5, c.now())
	first, err := c.Publish("mark", "a", 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Publish("mark", "a", 0, 2)
	if err != nil || !second.Newer(first) {
		t.Fatal("the second of two messages does not win", err)
	}
	if _, err := c.Publish("mark", "a", 0, 3); !errors.Is(err, ErrOutboxFull) {
		t.Fatal(err)
	}
	if e, ok := c.outbox.confirm(first.Msg); !ok || e.Msg != first.Msg || c.Pending() != 1 {
		t.Fatal("not confirmed")
	}
	if _, err := c.Publish("mark", "a", 0, make(chan int)); err == nil {
		t.Fatal("published what is not JSON")
	}
	if _, err := c.Publish("bad kind", "a", 0, 1); err == nil {
		t.Fatal("published a kind that is none")
	}
}

func TestBackoff(t *testing.T) {
	b := backoff(0)
	for range 20 {
		if d := b.jittered(); d <= 0 || d > 4*time.Second {
			t.Fatalf("pause of %v", d)
		}
		b = b.next()
	}
	if b != backoff(3*time.Second) {
		t.Errorf("pause grew to %v", time.Duration(b))
	}
}

func TestParseLink(t *testing.T) {
	base, token, err := ParseLink(" https://relay.example:8443/join#abc.def\n")
	if base != "https://relay.example:8443" || token != "abc.def" || err != nil {
		t.Error(base, token, err)
	}
	for _, bad := range []string{"", "http://x/join", "ftp://x/join#a", "join#abc", "http://[::1/join#a"} {
		if _, _, err := ParseLink(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestTracksThatCannotBe(t *testing.T) {
	if _, err := newClient(Config{Publish: []Track{{Name: "a", Kind: "smell"}}}); err == nil {
		t.Error("taken")
	}
	c, err := newClient(Config{Publish: []Track{{Name: "cam", Kind: wire.Video}, {Name: "mic", Kind: wire.Audio}}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Video("mic") != nil || c.Audio("cam") != nil || c.Video("cam") == nil {
		t.Error("tracks by name and kind")
	}
	if err := c.Video("cam").WriteFrame([]byte{0, 0, 0, 1, 0x65}, 1); !errors.Is(err, ErrOffline) {
		t.Error(err)
	}
	if c.Video("cam").WriteOpus(nil, 0, 0) == nil || c.Audio("mic").WriteFrame(nil, 0) == nil {
		t.Error("wrote the wrong kind")
	}
}
