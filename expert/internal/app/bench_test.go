package app

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sightline/expert/internal/deck"
	"sightline/expert/internal/tape"
)

// benchCase is 20 seconds of 1280x720 at 30 frames a second with marks and a machine.
func benchCase(b *testing.B) *recorded {
	b.Helper()
	c := &recorded{dir: b.TempDir()}
	b.Setenv("SIGHTLINE_TEST_SIZE", "720p")
	c.make(b, `
		wait video 60s
		wait tracking
		wait tag hall1/pump count
		mark circle 0.5,0.5 0.62,0.5
		mark arrow 0.3,0.5
		mark text 0.6,0.4 text="Check the coupling"
		mark pin:hall1/pump 0.4,0.6
		wait placed 1
		sleep 20s`)
	return c
}

// BenchmarkExport measures the film of 720p, as a multiple of real time, and how soon any instant is on screen.
func BenchmarkExport(b *testing.B) {
	c := benchCase(b)
	b.Run("film", func(b *testing.B) {
		for b.Loop() {
			code, words := run(b, "export", c.dir, "--out", filepath.Join(b.TempDir(), "out"), "--key", c.key, "--only", "film.mp4")
			if code != 0 {
				b.Fatal(words)
			}
			for line := range strings.Lines(words) {
				if _, rest, ok := strings.Cut(line, ", "); ok && strings.Contains(line, "times real time") {
					b.ReportMetric(number(b, strings.Fields(rest)[0]), "x-real-time")
				}
			}
		}
	})
	b.Run("scrub", func(b *testing.B) {
		t, err := tape.Open(c.dir, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer t.Close()
		k := deck.New(t, time.Now)
		defer k.Close()
		random := rand.New(rand.NewPCG(3, 4))
		var took []time.Duration
		for b.Loop() {
			begun := time.Now()
			k.GoTo(t.Start + random.Int64N(t.End-t.Start))
			for !k.Settled() {
				<-k.Changes()
			}
			took = append(took, time.Since(begun))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
	})
}
