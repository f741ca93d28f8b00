package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sightline/relay/internal/bus"
	"sightline/relay/internal/cluster"
	"sightline/relay/internal/relaytest"
)

// air is the backbone as one relay reaches it, until it is cut.
type air struct {
	*bus.Bus
	cut atomic.Bool
}

func (a *air) Say(subject string, data []byte) error {
	if a.cut.Load() {
		return nil
	}
	return a.Bus.Say(subject, data)
}

func (a *air) Hear(subject string, fn func([]byte)) (func(), error) {
	return a.Bus.Hear(subject, func(data []byte) {
		if !a.cut.Load() {
			fn(data)
		}
	})
}

// site is one relay's directory.
type site struct {
	*cluster.Directory
	air  *air
	url  string
	load atomic.Int64

	mu   sync.Mutex
	lost []string
}

func (s *site) lostRooms() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.lost...)
}

// sites opens so many directories on one backbone, and waits until they know one another.
func sites(t *testing.T, n int) []*site {
	t.Helper()
	b, err := bus.Open(t.Context(), t.TempDir(), bus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	places, err := b.OpenBucket(t.Context(), "places", 0)
	if err != nil {
		t.Fatal(err)
	}
	proofs, err := b.OpenBucket(t.Context(), "relays", 0)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]*site, n)
	for i := range n {
		s := &site{air: &air{Bus: b}, url: fmt.Sprintf("http://relay-%d", i)}
		all[i] = s
		name := fmt.Sprintf("run-%d", i)
		s.Directory, err = cluster.Open(cluster.Config{URL: s.url, Name: name, Rooms: places, Air: s.air, Log: relaytest.Logger(t), Now: time.Now,
			Prove: func(ctx context.Context, data []byte) error {
				if s.air.cut.Load() {
					return errors.New("cut off")
				}
				return proofs.Put(ctx, name, data)
			},
			Load:  func() cluster.Load { return cluster.Load{Participants: int(s.load.Load())} },
			Lost:  func(room string) { s.mu.Lock(); s.lost = append(s.lost, room); s.mu.Unlock() },
			Taken: func(err error) bool { return errors.Is(err, bus.ErrTaken) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
	}
	relaytest.Eventually(t, "all know all", func() bool {
		for _, s := range all {
			if len(s.Relays()) < n {
				return false
			}
		}
		return true
	})
	return all
}

// However many ask at once, and wherever, a room gets one relay.
func TestARoomHasOneRelay(t *testing.T) {
	all := sites(t, 3)
	const rooms = 60
	var mu sync.Mutex
	owners := map[string]map[string]bool{}
	var asks sync.WaitGroup
	for i := range rooms {
		for _, s := range all {
			asks.Go(func() {
				room := fmt.Sprintf("hall-%d", i)
				r, mine, err := s.Where(t.Context(), room, true) // each wants to take it itself
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if owners[room] == nil {
					owners[room] = map[string]bool{}
				}
				owners[room][r.URL] = true
				if mine != (r.URL == s.url) {
					t.Errorf("%s says of %s: %s, mine %v", s.url, room, r.URL, mine)
				}
			})
		}
	}
	asks.Wait()
	for room, urls := range owners {
		if len(urls) != 1 {
			t.Errorf("%s is on %v", room, urls)
		}
	}
}

// Rooms go to who carries little, and relays that are asked at once choose the same.
func TestRoomsGoToWhoCarriesLittle(t *testing.T) {
	all := sites(t, 3)
	all[0].load.Store(1000)
	relaytest.Eventually(t, "the load is known", func() bool {
		for _, s := range all {
			for _, r := range s.Relays() {
				if r.URL == all[0].url && r.Participants != 1000 {
					return false
				}
			}
		}
		return true
	})
	n := map[string]int{}
	for i := range 40 {
		room := fmt.Sprintf("hall-%d", i)
		a, _, err := all[0].Where(t.Context(), room, false)
		if err != nil || a.URL == all[0].url {
			t.Fatalf("%s goes to %s, which carries most: %v", room, a.URL, err)
		}
		n[a.URL]++
	}
	if n[all[1].url] < 8 || n[all[2].url] < 8 {
		t.Errorf("40 rooms are shared as %v", n)
	}
	others := all[1].Drain() && all[2].Drain()
	relaytest.Eventually(t, "all but one go out of service", func() bool {
		r, mine, err := all[0].Where(t.Context(), "last", false)
		return others && err == nil && mine && r.URL == all[0].url
	})
}

// A relay that is cut off gives up its rooms before another can have them.
func TestACutOffRelayGivesUpFirst(t *testing.T) {
	all := sites(t, 2)
	a, b := all[0], all[1]
	if _, mine, err := a.Where(t.Context(), "hall", true); err != nil || !mine {
		t.Fatal(mine, err)
	}
	a.air.cut.Store(true)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, mine, err := b.Where(t.Context(), "hall", true)
		if mine {
			break
		}
		if err != nil && !errors.Is(err, cluster.ErrWait) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
	if a.In() {
		t.Error("a relay that is cut off holds its rooms while another has taken one")
	}
	relaytest.Eventually(t, "it has given them up", func() bool { return len(a.lostRooms()) > 0 })
	if _, _, err := a.Where(t.Context(), "hall", false); !errors.Is(err, cluster.ErrCutOff) {
		t.Errorf("the one that is cut off says %v", err)
	}
	a.air.cut.Store(false)
	relaytest.Eventually(t, "it leads to the other one when it is back", func() bool {
		r, mine, err := a.Where(t.Context(), "hall", false)
		return err == nil && !mine && r.URL == b.url
	})
	if from := b.TakenFrom("hall"); from != a.url {
		t.Errorf("taken from %q", from)
	}
}

// A relay that ends in order leaves its rooms to the others at once.
func TestAnEndIsToldAtOnce(t *testing.T) {
	all := sites(t, 2)
	if _, mine, err := all[0].Where(t.Context(), "hall", true); err != nil || !mine {
		t.Fatal(mine, err)
	}
	began := time.Now()
	all[0].Close()
	relaytest.Eventually(t, "the other one has the room", func() bool {
		_, mine, _ := all[1].Where(t.Context(), "hall", false)
		return mine
	})
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("after %v", took)
	}
}
