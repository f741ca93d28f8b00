package cluster_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"sightline/relay/internal/relaytest"
)

var chaos = flag.Bool("chaos", false, "kill every kind of process in turn, and bring it back")

// blow is something that is done to the fleet.
type blow struct {
	what string
	do   func(*fleet) // returns when it is done
}

// row is what became of it.
type row struct {
	what   string
	dark   time.Duration // the longest that anybody saw no picture
	drawn  int
	lost   int // marks
	twice  int // marks
	owners int // rooms that two relays had
}

// killed is what was killed last: a relay or a server.
type killed struct{ relay, server int }

func (f *fleet) blows() []blow {
	var down killed
	kill := func(choose func() int) func(*fleet) {
		return func(f *fleet) { down.relay = choose(); f.relays[down.relay].Kill() }
	}
	return []blow{
		{"a relay that has rooms: kill -9", kill(func() int { return f.owner("hall-0") })},
		{"the same relay comes back", func(f *fleet) { f.restart(down.relay) }},
		{"a relay without hall-0: kill -9", kill(func() int { return (f.owner("hall-0") + 1) % len(f.relays) })},
		{"the same relay comes back", func(f *fleet) { f.restart(down.relay) }},
		{"the leader of the log (NATS): kill -9", func(f *fleet) { down.server = f.servers.Leader("ROOMS"); f.servers.Kill(down.server) }},
		{"the same server comes back", func(f *fleet) { f.servers.Run(down.server) }},
		{"a follower of the log (NATS): kill -9", func(f *fleet) {
			down.server = (max(f.servers.Leader("ROOMS"), 0) + 1) % 3
			f.servers.Kill(down.server)
		}},
		{"the same server comes back", func(f *fleet) { f.servers.Run(down.server) }},
		{"a relay that has rooms: SIGTERM", func(f *fleet) {
			down.relay = f.owner("hall-0")
			f.relays[down.relay].Terminate()
		}},
		{"the same relay comes back", func(f *fleet) { <-f.relays[down.relay].Exited(); f.restart(down.relay) }},
	}
}

// Three servers of NATS, three relays, and people at work in three rooms: each kind of process is killed. Everybody sees
// pictures again by himself, no mark is lost or twice, and no room is on two relays.
func TestChaos(t *testing.T) {
	f := newFleet(t, 3, 3)
	for n := range 3 {
		f.join(n)
	}
	relaytest.Eventually(t, "everybody sees pictures", f.quiet)
	blows, most := f.blows(), 20*time.Second
	if !*chaos {
		blows = blows[:1]
	}
	var rows []row
	for _, b := range blows {
		rows = append(rows, f.suffer(b, most))
	}
	for _, p := range f.parties {
		p.end()
	}
	f.settle(rows)
	t.Log("\n" + table(rows))
}

// suffer lets a blow happen, and waits until all is well again.
func (f *fleet) suffer(b blow, most time.Duration) (r row) {
	f.t.Helper()
	r.what = b.what
	at := time.Now()
	b.do(f)
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		r.owners = max(r.owners, f.twice())
		if time.Since(at) > 8*time.Second && f.quiet() {
			break
		}
		if time.Now().After(end) {
			f.t.Errorf("%s: after a minute all is not well", b.what)
			break
		}
	}
	for _, p := range f.parties {
		r.dark = max(r.dark, p.dark(at))
		_, twice := p.missing()
		r.twice += twice
		p.mu.Lock()
		r.drawn += len(p.drawn)
		p.mu.Unlock()
	}
	f.t.Logf("%s: %v without pictures", b.what, r.dark)
	if r.dark > most || r.twice > 0 || r.owners > 0 {
		f.t.Errorf("%+v", r)
	}
	return r
}

// settle waits until every mark that was drawn is in the log.
func (f *fleet) settle(rows []row) {
	f.t.Helper()
	lost := func() (n int) {
		for _, p := range f.parties {
			missing, _ := p.missing()
			n += missing
		}
		return n
	}
	for end := time.Now().Add(15 * time.Second); lost() > 0 && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	rows[len(rows)-1].lost = lost()
	if n := lost(); n > 0 {
		f.t.Errorf("%d marks are lost", n)
	}
	for _, p := range f.parties {
		if p.back > 0 {
			f.t.Errorf("%s: session time went back %d times", p.room, p.back)
		}
		if p.errors > 0 {
			f.t.Errorf("%s: %d marks were not taken by their client", p.room, p.errors)
		}
	}
}

func table(rows []row) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| what | seconds without pictures, at most | marks so far | lost | twice | rooms on two relays |\n|---|---|---|---|---|---|")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %.1f | %d | %d | %d | %d |\n", r.what, r.dark.Seconds(), r.drawn, r.lost, r.twice, r.owners)
	}
	return b.String()
}
