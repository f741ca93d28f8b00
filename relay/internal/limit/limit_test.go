package limit

import (
	"fmt"
	"testing"
	"time"
)

func TestAsk(t *testing.T) {
	now := time.Unix(1000, 0)
	l := New(60, time.Minute, func() time.Time { return now })
	allowed, told := 0, 0
	for range 1000 {
		a := l.Ask("a")
		if a.OK {
			allowed++
		} else if a.Wait <= 0 || a.Wait > time.Second {
			t.Fatalf("wait %v", a.Wait)
		}
		if a.Tell {
			told++
		}
	}
	if allowed != 60 || told != 1 {
		t.Errorf("allowed %d, told %d", allowed, told)
	}
	if !l.Ask("b").OK {
		t.Error("b suffers for a")
	}
	now = now.Add(10 * time.Second)
	for allowed = 0; l.Ask("a").OK; allowed++ {
	}
	if allowed != 10 {
		t.Errorf("after 10 s %d", allowed)
	}
	if now = now.Add(-time.Hour); l.Ask("a").OK {
		t.Error("a clock that is set back gives more")
	}
	if free := New(0, time.Minute, time.Now); !free.Ask("a").OK {
		t.Error("no limit refuses")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	l := New(1, time.Minute, func() time.Time { return now })
	for i := range 2 * maxKeys {
		l.Ask(fmt.Sprint(i))
	}
	if n := len(l.buckets); n > maxKeys+1 {
		t.Errorf("%d keys", n)
	}
	now = now.Add(time.Hour)
	if !l.Ask("new").OK || len(l.buckets) > 2 {
		t.Errorf("%d keys of an hour ago", len(l.buckets))
	}
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7",
		"2001:db8::1": "2001:db8::/64", "2001:db8::ffff:1": "2001:db8::/64", "fe80::1%eth0": "fe80::/64", "unknown": "unknown"} {
		if got := Network(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
