package app

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sightline/expert/internal/deck"
	"sightline/expert/internal/tape"
)

// benchCase is so many seconds of 1280x720 at 30 frames a second, a key frame every so many frames, with marks
// and a machine.
func benchCase(b *testing.B, seconds, group int) *recorded {
	b.Helper()
	c := &recorded{dir: b.TempDir()}
	b.Setenv("SIGHTLINE_TEST_SIZE", "720p")
	b.Setenv("SIGHTLINE_TEST_GROUP", strconv.Itoa(group))
	c.make(b, `
		wait video 60s
		wait tracking
		wait tag hall1/pump count
		mark circle 0.5,0.5 0.62,0.5
		mark arrow 0.3,0.5
		mark text 0.6,0.4 text="Check the coupling"
		mark pin:hall1/pump 0.4,0.6
		wait placed 1
		sleep `+strconv.Itoa(seconds)+"s")
	return c
}

// BenchmarkExport measures the film of 720p, as a multiple of real time.
func BenchmarkExport(b *testing.B) {
	c := benchCase(b, 20, 60)
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
}

// BenchmarkScrub measures how soon the exact picture of any instant of a minute of 720p is on screen, and how soon
// the key frame before it; with a key frame every two seconds, as the field client sends them, and every four.
func BenchmarkScrub(b *testing.B) {
	for _, seconds := range []int{2, 4} {
		c := benchCase(b, 60, 30*seconds)
		b.Run(fmt.Sprintf("key-every-%ds", seconds), func(b *testing.B) { scrub(b, c) })
	}
}

func scrub(b *testing.B, c *recorded) {
	t, err := tape.Open(c.dir, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer t.Close()
	k := deck.New(t, time.Now)
	defer k.Close()
	random := rand.New(rand.NewPCG(3, 4))
	shots := t.Cameras[0].Shots
	var first, exact []time.Duration
	for b.Loop() {
		begun, seen := time.Now(), time.Duration(0)
		k.GoTo(shots[random.IntN(len(shots))].Session)
		for !k.Settled() {
			<-k.Changes()
			if seen == 0 {
				seen = time.Since(begun)
			}
		}
		first, exact = append(first, seen), append(exact, time.Since(begun))
	}
	b.ReportMetric(0, "ns/op")
	report := func(what string, took []time.Duration) {
		slices.Sort(took)
		for _, p := range []int{50, 95, 99} {
			b.ReportMetric(float64(took[len(took)*p/100].Microseconds())/1000, fmt.Sprintf("ms-%s-p%d", what, p))
		}
	}
	report("first", first)
	report("exact", exact)
	b.ReportMetric(float64(exact[len(exact)-1].Microseconds())/1000, "ms-exact-most")
}
