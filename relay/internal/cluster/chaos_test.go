package cluster_test

import (
	"flag"
	"fmt"
	"path/filepath"
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
	what    string
	from    time.Time
	until   time.Time
	dark    time.Duration // the longest that anybody saw no picture
	slowest time.Duration // the longest that a mark took
	drawn   int
	lost    int // marks
	twice   int // marks
	owners  int // rooms that two relays had
}

func (f *fleet) blows() []blow {
	kill := func(choose func() int) func(*fleet) {
		return func(f *fleet) { f.down.relay = choose(); f.relays[f.down.relay].Kill() }
	}
	back := blow{"the same relay comes back", func(f *fleet) { f.restart(f.down.relay) }}
	serverBack := blow{"the same server comes back", func(f *fleet) { f.servers.Run(f.down.server) }}
	return []blow{
		{"the relay of a room: kill -9", kill(func() int { return f.owner("hall-0") })},
		back,
		{"another relay: kill -9", kill(func() int { return (f.owner("hall-0") + 1) % len(f.relays) })},
		back,
		{"NATS, the leader of the log: kill -9", func(f *fleet) { f.down.server = f.servers.Leader("ROOMS"); f.servers.Kill(f.down.server) }},
		serverBack,
		{"NATS, a follower: kill -9", func(f *fleet) {
			f.down.server = (max(f.servers.Leader("ROOMS"), 0) + 1) % 3
			f.servers.Kill(f.down.server)
		}},
		serverBack,
		{"NATS, two of three for 30 s: kill -9", func(f *fleet) {
			f.servers.Kill(0)
			f.servers.Kill(1)
			time.Sleep(30 * time.Second)
			f.servers.Run(0)
			f.servers.Run(1)
		}},
		{"the relay of a room: SIGTERM", func(f *fleet) {
			f.down.relay = f.owner("hall-0")
			f.relays[f.down.relay].Terminate()
		}},
		{"the same relay comes back", func(f *fleet) { <-f.relays[f.down.relay].Exited(); f.restart(f.down.relay) }},
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
	blows, most := f.blows(), 45*time.Second
	if !*chaos {
		blows = blows[:2]
	}
	var rows []row
	for _, b := range blows {
		rows = append(rows, f.suffer(b, most))
		if len(rows) == 2 {
			f.closed(f.down.relay)
		}
	}
	for _, p := range f.parties {
		p.end()
	}
	f.settle(rows)
	t.Log("\n" + table(rows))
}

// least is how long a blow is looked at: for longer than a relay takes to count as lost.
const least = 7 * time.Second

// suffer lets a blow happen, and waits until all is well again.
func (f *fleet) suffer(b blow, most time.Duration) (r row) {
	f.t.Helper()
	r.what = b.what
	at := time.Now()
	b.do(f)
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		r.owners = max(r.owners, f.twice())
		if time.Since(at) > least && f.quiet() {
			break
		}
		if time.Now().After(end) {
			f.t.Errorf("%s: after a minute all is not well", b.what)
			break
		}
	}
	r.from, r.until = at, time.Now()
	for _, p := range f.parties {
		r.dark = max(r.dark, p.dark(at))
	}
	f.t.Logf("%s: %v without pictures", b.what, r.dark)
	if r.dark > most || r.owners > 0 {
		f.t.Errorf("%s: %v without pictures, %d rooms on two relays", b.what, r.dark, r.owners)
	}
	return r
}

// settle waits until every mark that was drawn is in the log, and counts what became of those of each row.
func (f *fleet) settle(rows []row) {
	f.t.Helper()
	lost := func() (n int) {
		for _, p := range f.parties {
			missing, _ := p.missing(time.Time{}, time.Now())
			n += missing
		}
		return n
	}
	for end := time.Now().Add(15 * time.Second); lost() > 0 && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	for i := range rows {
		r := &rows[i]
		for _, p := range f.parties {
			missing, twice := p.missing(r.from, r.until)
			drawn, slowest := p.between(r.from, r.until)
			r.lost, r.twice, r.drawn, r.slowest = r.lost+missing, r.twice+twice, r.drawn+drawn, max(r.slowest, slowest)
		}
		if r.lost > 0 || r.twice > 0 {
			f.t.Errorf("%s: %d marks are lost, %d in the log twice", r.what, r.lost, r.twice)
		}
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

// closed looks whether the recordings that a killed relay left open were closed when it came back, and whether the room
// was recorded on elsewhere.
func (f *fleet) closed(killed int) {
	f.t.Helper()
	left, _ := filepath.Glob(filepath.Join(f.relays[killed].Data, "recordings", "hall-0", "*", "manifest.json"))
	if len(left) == 0 {
		f.t.Error("the relay that was killed has not closed its recording")
	}
	on := f.relays[f.owner("hall-0")]
	going, _ := filepath.Glob(filepath.Join(on.Data, "recordings", "hall-0", "*", "*.mp4"))
	if len(going) == 0 || on == f.relays[killed] {
		f.t.Error("the relay that has the room now does not record it")
	}
}

func table(rows []row) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| what | seconds without pictures, at most | for the slowest mark | marks drawn | lost | twice | rooms on two relays |\n|---|---|---|---|---|---|---|")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %.1f | %.1f | %d | %d | %d | %d |\n", r.what, r.dark.Seconds(), r.slowest.Seconds(), r.drawn, r.lost, r.twice, r.owners)
	}
	return b.String()
}
