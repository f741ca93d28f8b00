package server_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/evidence"
	"sightline/relay/internal/relaytest"
	"sightline/relay/wire"
)

var crashes = flag.Int("crash", 3, "how often to kill a recording relay")

// workers is how many relays are killed at a time, where go test -parallel lets them.
const workers = 6

// A relay that records is killed at a random moment. What was sealed up to then is proven after the next start, and
// no more than two seconds are lost.
func TestCrash(t *testing.T) {
	var mu sync.Mutex
	var lost []time.Duration
	t.Run("kills", func(t *testing.T) {
		for worker := range workers {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for i := worker; i < *crashes; i += workers {
					most := 4 * time.Second
					if *crashes > 10 {
						most = 14 * time.Second // past a head
					}
					d := crash(t, time.Duration(rand.New(rand.NewPCG(7, uint64(i))).Int64N(int64(most))))
					mu.Lock()
					lost = append(lost, d)
					mu.Unlock()
				}
			})
		}
	})
	slices.Sort(lost)
	if len(lost) == 0 {
		t.Fatal("no relay was killed")
	}
	most := lost[len(lost)-1]
	t.Logf("%d kills: lost p50 %d ms, p95 %d ms, at most %d ms", len(lost), lost[len(lost)/2].Milliseconds(), lost[len(lost)*95/100].Milliseconds(), most.Milliseconds())
	row(t, fmt.Sprintf("a recording relay: kill -9, %d times", len(lost)), fmt.Sprintf("at most %.1f s of pictures are lost; the rest is proven", most.Seconds()), "")
	if most > 2*time.Second {
		t.Errorf("%v are lost", most)
	}
}

// crash kills a relay so long after it has begun to record pictures, and returns how much of them is lost.
func crash(t *testing.T, after time.Duration) (lost time.Duration) {
	data := t.TempDir()
	p := relaytest.StartProcess(t, data, "127.0.0.1:0")
	camera, track := relaytest.NewCamera()
	field := relaytest.Join(t, client.Config{URL: p.URL, Token: relaytest.Token(t, p.Authority(t), "field", "Tom"), Publish: []client.Track{track}})
	camera.Play(field.Video("camera"))
	relaytest.Eventually(t, "pictures are recorded", func() bool {
		found, _ := filepath.Glob(filepath.Join(data, "recordings", "hall", "*", "*.mp4"))
		if len(found) == 0 {
			return false
		}
		info, err := os.Stat(found[0])
		return err == nil && info.Size() > 4096 // more than its beginning
	})
	for end := time.Now().Add(after); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		_, _ = field.Publish(wire.KindMark, "m", 7, time.Now())
	}
	killed := time.Now()
	p.Kill()
	camera.Stop()
	field.Close()

	dir := one(t, filepath.Join(data, "recordings", "hall", "*"))
	if r := verify(t, dir, sealKey(t, data)); slices.ContainsFunc(r.Faults, func(f evidence.Fault) bool {
		return f.Kind != evidence.NotClosed && f.Kind != evidence.Truncated && f.Kind != evidence.Added
	}) {
		t.Errorf("killed after %v, before recovery: %+v", after, r.Faults)
	}
	again := relaytest.StartProcess(t, data, "127.0.0.1:0")
	again.Kill()
	if r := verify(t, dir, sealKey(t, data)); !r.Proven || r.ClosedBy != "recovery" || r.Frames == 0 {
		t.Errorf("killed after %v: %+v", after, r)
	}
	c, err := evidence.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	frames, err := c.Frames(c.Manifest.Tracks[0].Track)
	if err != nil {
		t.Fatal(err)
	}
	return killed.Sub(time.UnixMicro(c.Manifest.Case.SessionBegan + frames[len(frames)-1].Session))
}
