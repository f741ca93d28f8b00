package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sightline/relay/internal/bus"
	"sightline/relay/internal/cluster"
	"sightline/relay/internal/natstest"
	"sightline/relay/wire"
)

var growth = flag.Duration("growth", 0, "measure for so long each what the directory and the log bear; 0: not at all")

// TestGrowth measures the figures of relay/GROWTH.md. It fails where something does not work at all.
func TestGrowth(t *testing.T) {
	if *growth == 0 {
		t.Skip("measures only: make growth")
	}
	var out strings.Builder
	fmt.Fprintln(&out, "| | one server, embedded | cluster of three |\n|---|---|---|")
	single := measure(t, bus.Options{})
	three := measure(t, bus.Options{URL: natstest.Start(t, 3).URL()})
	for i, m := range single {
		fmt.Fprintf(&out, "| %s | %.0f | %.0f |\n", m.what, m.rate, three[i].rate)
	}
	t.Log("\n" + out.String())
	crowd(t)
}

// TestGrowthOfReaders measures what those cost who read the log: each participant, and each recording.
func TestGrowthOfReaders(t *testing.T) {
	if *growth == 0 {
		t.Skip("measures only: make growth")
	}
	b, err := bus.Open(t.Context(), t.TempDir(), bus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const n = 2000
	for i := range n {
		if _, _, err := b.Append(t.Context(), fmt.Sprintf("hall-%d", i), wire.Envelope{V: 1, Kind: "mark", ID: "m", Msg: "1", From: "p"}, false); err != nil {
			t.Fatal(err)
		}
	}
	before, began := heap(), time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	var heard atomic.Int64
	var tasks sync.WaitGroup
	for i := range n {
		tasks.Go(func() {
			_ = b.Follow(ctx, fmt.Sprintf("hall-%d", i), func(wire.Envelope) error { heard.Add(1); return nil })
		})
	}
	for heard.Load() < n && time.Since(began) < time.Minute {
		time.Sleep(5 * time.Millisecond)
	}
	took, busy := time.Since(began), cpu()
	time.Sleep(*growth)
	t.Logf("%d readers of the log: all read after %v (%.0f a second), %.0f kB each, %.1f %% of a core while nothing is written", heard.Load(), took.Round(time.Millisecond),
		n/took.Seconds(), float64(heap()-before)/1e3/n, 100*(cpu()-busy).Seconds()/growth.Seconds())
	if heard.Load() < n {
		t.Errorf("%d of %d have read", heard.Load(), n)
	}
	cancel()
	tasks.Wait()
}

type figure struct {
	what string
	rate float64
}

func measure(t *testing.T, o bus.Options) []figure {
	t.Helper()
	b, err := bus.Open(t.Context(), t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	d, places := directory(t, b)
	defer d.Close()
	var n, m, k atomic.Int64
	mark := func(room string, n int64) error {
		_, _, err := b.Append(t.Context(), room, wire.Envelope{V: 1, Kind: "mark", ID: fmt.Sprint(n % 100), Msg: fmt.Sprint(n), From: "p", Time: n,
			Body: json.RawMessage(`{"text":"` + strings.Repeat("x", 200) + `"}`)}, false)
		return err
	}
	return []figure{
		{"rooms opened a second (a claim by compare-and-set, 64 at once)", rate(t, 64, func(int) error {
			_, _, err := d.Where(t.Context(), fmt.Sprintf("hall-%d", n.Add(1)), true)
			return err
		})},
		{"joins led a second (a look into the directory, 64 at once)", rate(t, 64, func(int) error {
			_, _, _, err := d.Find(t.Context(), fmt.Sprintf("hall-%d", m.Add(1)%n.Load()+1))
			return err
		})},
		{"proofs of relays a second (64 at once)", rate(t, 64, func(i int) error { return places.Put(t.Context(), fmt.Sprintf("proof-%d", i), []byte("x")) })},
		{"log messages of 300 bytes a second, one room", rate(t, 1, func(int) error { return mark("hall-1", k.Add(1)) })},
		{"log messages of 300 bytes a second, 256 rooms at once", rate(t, 256, func(i int) error { return mark(fmt.Sprintf("many-%d", i), k.Add(1)) })},
	}
}

func directory(t *testing.T, b *bus.Bus) (*cluster.Directory, *bus.Bucket) {
	t.Helper()
	places, err := b.OpenBucket(t.Context(), "places", 0)
	if err != nil {
		t.Fatal(err)
	}
	d, err := cluster.Open(cluster.Config{URL: "http://here", Name: "here", Rooms: places, Air: b, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Prove: func(context.Context, []byte) error { return nil }, Load: func() cluster.Load { return cluster.Load{} }, Lost: func(string) {},
		Taken: func(err error) bool { return errors.Is(err, bus.ErrTaken) }})
	if err != nil {
		t.Fatal(err)
	}
	return d, places
}

// rate is how often a second do is done by so many at once.
func rate(t *testing.T, workers int, do func(worker int) error) float64 {
	t.Helper()
	var n atomic.Int64
	var tasks sync.WaitGroup
	began := time.Now()
	for i := range workers {
		tasks.Go(func() {
			for time.Since(began) < *growth {
				if err := do(i); err != nil {
					t.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	tasks.Wait()
	return float64(n.Load()) / time.Since(began).Seconds()
}

// crowd measures what a relay needs to know 100,000 rooms on 200 relays.
func crowd(t *testing.T) {
	b, err := bus.Open(t.Context(), t.TempDir(), bus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	places, err := b.OpenBucket(t.Context(), "places", 0)
	if err != nil {
		t.Fatal(err)
	}
	const rooms, relays = 100_000, 200
	var next atomic.Int64
	var tasks sync.WaitGroup
	for range 64 {
		tasks.Go(func() {
			for i := next.Add(1); i <= rooms; i = next.Add(1) {
				value := fmt.Sprintf(`{"url":"https://relay-%d.example:8443","name":"ABCDEFGHIJKLMNOPQRSTUV%04d"}`, i%relays, i%relays)
				if err := places.Put(t.Context(), fmt.Sprintf("plant-%d-hall", i), []byte(value)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	tasks.Wait()
	before, began := heap(), time.Now()
	d, _ := directory(t, b)
	defer d.Close()
	stop := make(chan struct{})
	tasks.Go(func() { beats(t, b, relays, stop) })
	for d.Known() < rooms && time.Since(began) < time.Minute {
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("%d rooms on %d relays: known after %v, %.1f MB", d.Known(), len(d.Relays())-1, time.Since(began).Round(10*time.Millisecond), float64(heap()-before)/1e6)
	if d.Known() < rooms {
		t.Errorf("%d rooms are known", d.Known())
	}
	busy := cpu()
	time.Sleep(*growth)
	t.Logf("%d beats a second, saying and hearing: %.1f %% of a core", 2*relays, 100*(cpu()-busy).Seconds()/growth.Seconds())
	close(stop)
	tasks.Wait()
}

// beats says what so many relays say.
func beats(t *testing.T, b *bus.Bus, relays int, stop chan struct{}) {
	heard := map[string]uint64{}
	for i := range 16 {
		heard[fmt.Sprintf("ABCDEFGHIJKLMNOPQRSTUV%04d", i)] = 123456
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for n := 1; ; n++ {
		for i := range relays {
			data, err := json.Marshal(map[string]any{"url": fmt.Sprintf("https://relay-%d.example:8443", i), "name": fmt.Sprintf("ABCDEFGHIJKLMNOPQRSTUV%04d", i),
				"n": n, "heard": heard, "rooms": 500, "participants": 2500})
			if err == nil {
				err = b.Say("relay.beat", data)
			}
			if err != nil {
				t.Error(err)
			}
		}
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// cpu is what this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
