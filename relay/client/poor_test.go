package client_test

import (
	"flag"
	"testing"
	"time"
)

// poor is set by make poor, which shows the table of all scenarios.
var poor = flag.Bool("poor", false, "let trouble last four times as long")

// lasting is how long trouble of a test lasts.
func lasting(d time.Duration) time.Duration {
	if *poor {
		return 4 * d
	}
	return d
}

// sight is what people saw of trouble: a row of make poor's table.
type sight struct {
	name   string
	since  time.Time
	lasted time.Duration
	drawn  map[string]time.Time // marks, and when

	sent, shown int // pictures
	freezes     int
	frozen      time.Duration
	rung        string
	recovered   time.Duration // from the end of the trouble until pictures come as they should

	otherShown  int // of who has a good link
	otherFrozen time.Duration

	lost, twice int // marks
	slowest     time.Duration
}

// took takes what was seen until now.
func (s *sight) took(of, other *viewer, sent int) {
	s.lasted, s.sent = time.Since(s.since), sent
	s.freezes, s.frozen = of.freezes(s.since)
	s.shown, s.rung = of.count(s.since), of.now()
	s.otherShown = other.count(s.since)
	_, s.otherFrozen = other.freezes(s.since)
}

// marks waits for all marks, and says how soon they came.
func (s *sight) marks(t *testing.T, at *viewer) {
	t.Helper()
	missing := func() (n int) {
		at.mu.Lock()
		defer at.mu.Unlock()
		for id := range s.drawn {
			if at.came[id].IsZero() {
				n++
			}
		}
		return n
	}
	for end := time.Now().Add(20 * time.Second); missing() > 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	s.lost = missing()
	at.mu.Lock()
	defer at.mu.Unlock()
	for id, when := range s.drawn {
		if came, ok := at.came[id]; ok {
			s.slowest = max(s.slowest, came.Sub(when))
		}
	}
	s.twice = 0
	for _, n := range at.times {
		if n > 1 {
			s.twice++
		}
	}
	if s.lost > 0 || s.twice > 0 {
		t.Errorf("%s: %d marks of %d did not come, %d came twice", s.name, s.lost, len(s.drawn), s.twice)
	}
}

// print writes the row.
func (s *sight) print(t *testing.T) {
	t.Helper()
	t.Logf("| %s | %.0f s | %d of %d | %d, %.1f s | %.1f s | %s | %d | %d | %d | %.1f s | %.1f s |", s.name, s.lasted.Seconds(), s.shown, s.sent,
		s.freezes, s.frozen.Seconds(), s.recovered.Seconds(), s.rung, len(s.drawn), s.lost, s.twice, s.slowest.Seconds(), s.otherFrozen.Seconds())
}
