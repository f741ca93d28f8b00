// Package relaytest has what tests of the relay share: a relay on loopback, in this process or in one of
// its own that can be killed; a network that can be taken away; a small film and participants that
// send it.
package relaytest

import (
	"bytes"
	_ "embed"
	"io"
	"log/slog"
	"maps"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

// Start runs a relay in this process, until the test ends.
func Start(t testing.TB, change func(*server.Config)) *server.Server {
	t.Helper()
	cfg := server.Config{Listen: "127.0.0.1:0", MQTTAddr: "127.0.0.1:0", Data: t.TempDir(), Log: Logger(t)}
	if change != nil {
		change(&cfg)
	}
	s, err := server.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Ends(t, "the relay closes", s.Close) })
	return s
}

// Token signs a token that is good for an hour.
func Token(t testing.TB, a *auth.Authority, role, name string, watch ...string) string {
	t.Helper()
	token, err := a.Sign(auth.Grant{Room: "hall", Role: role, Name: name, Watch: watch}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Logger writes to the test's log while the test runs.
func Logger(t testing.TB) *slog.Logger {
	w := &testWriter{t: t}
	t.Cleanup(w.end)
	return slog.New(slog.NewTextHandler(w, nil))
}

type testWriter struct {
	mu  sync.Mutex
	t   testing.TB
	all bytes.Buffer
}

// text is all that was written.
func (w *testWriter) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}

func (w *testWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Write(p)
	if w.t == nil {
		return io.Discard.Write(p)
	}
	w.t.Log(string(bytes.TrimSpace(p)))
	return len(p), nil
}

func (w *testWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t = nil
}

// Join dials a relay and waits until the client is connected. The client is closed when the test ends.
func Join(t testing.TB, cfg client.Config) *client.Client {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = Logger(t).With("client", cfg.Instance)
	}
	c, err := client.Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Ends(t, "the client closes", c.Close) })
	Eventually(t, "client is connected", func() bool { state, _ := c.State(); return state == client.Connected })
	return c
}

// Eventually waits, generously, until something is so.
func Eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	Within(t, 20*time.Second, what, so)
}

// Within waits until something is so, and fails after most.
func Within(t testing.TB, most time.Duration, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(most); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v still not: %s", most, what)
		}
	}
}

// endTime is how long something may take to end: longer than all that it waits for.
const endTime = time.Minute

// Ends calls f, and where it does not return says who waits for what: a test that hangs tells nothing.
func Ends(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(endTime):
		var all bytes.Buffer
		_ = pprof.Lookup("goroutine").WriteTo(&all, 1)
		ours := slices.DeleteFunc(strings.Split(all.String(), "\n\n"), func(stack string) bool { return !strings.Contains(stack, "\tsightline/") })
		t.Errorf("after %v still not: %s\n%s", endTime, what, strings.Join(ours, "\n\n"))
	}
}

//go:embed testdata/pattern.h264
var pattern []byte

//go:embed testdata/large.h264
var large []byte

// Film is one second of 160x120 at 30 frames a second, a key frame every ten: access units in Annex B.
func Film() [][]byte { return film(pattern) }

func film(pattern []byte) [][]byte {
	var units [][]byte
	var unit []byte
	for _, nalu := range bytes.Split(pattern, []byte{0, 0, 1})[1:] {
		nalu = bytes.TrimRight(nalu, "\x00")
		unit = append(append(unit, 0, 0, 0, 1), nalu...)
		if kind := nalu[0] & 0x1f; kind == 1 || kind == 5 {
			units = append(units, unit)
			unit = nil
		}
	}
	return units
}

// Camera is a participant's camera that plays Film over and over, with a key frame when one is asked for.
type Camera struct {
	// Size fills pictures up to so many bytes, with data that no decoder looks at; 0 leaves them as they are.
	Size int
	// Adapts fills pictures up to what the track is to send.
	Adapts bool
	// Large is a picture of 320x240.
	Large bool

	mu   sync.Mutex
	key  bool
	sent map[int64][]byte
	last int64
	stop chan struct{}
	done sync.WaitGroup
}

// NewCamera returns a camera and the track to publish.
func NewCamera() (*Camera, client.Track) {
	c := &Camera{sent: map[int64][]byte{}, stop: make(chan struct{})}
	return c, client.Track{Name: "camera", Kind: wire.Video, OnKeyFrame: c.wantKey}
}

func (c *Camera) wantKey() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.key = true
}

// Play sends until Stop, 30 frames a second.
func (c *Camera) Play(track *client.LocalTrack) {
	c.done.Go(func() {
		film, at := film(map[bool][]byte{false: pattern, true: large}[c.Large]), 0
		tick := time.NewTicker(time.Second / 30)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-c.stop:
				return
			}
			if track.Bitrate() == 0 {
				at = 0 // it goes on with a key frame
				continue
			}
			c.mu.Lock()
			if c.key {
				at, c.key = 0, false
			}
			captured := max(time.Now().UnixMicro(), c.last+1)
			unit := film[at%len(film)]
			if c.Adapts {
				c.Size = track.Bitrate() / 8 / 30
			}
			if fill := c.Size - len(unit); fill > 6 {
				unit = append(append(slices.Clip(unit), 0, 0, 0, 1, 6), bytes.Repeat([]byte{0xff}, fill)...) // an SEI
			}
			if track.WriteFrame(unit, captured) == nil {
				c.sent[captured], c.last = unit, captured
			}
			c.mu.Unlock()
			at++
		}
	})
}

// Stop ends playing.
func (c *Camera) Stop() {
	close(c.stop)
	c.done.Wait()
}

// Sent returns the frame of a capture time, or nil.
func (c *Camera) Sent(captured int64) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent[captured]
}

// Captured returns the capture times of all frames that were sent, in order.
func (c *Camera) Captured() []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.sent))
}

// Count returns how many frames were sent.
func (c *Camera) Count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sent)
}

// Replica keeps the message that holds each register, as a client of the log does.
type Replica struct {
	mu   sync.Mutex
	last map[[2]string]wire.Envelope
	all  int
}

// Take is a client.Config's OnLog.
func (r *Replica) Take(e wire.Envelope) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = map[[2]string]wire.Envelope{}
	}
	r.all++
	key := [2]string{e.Kind, e.ID}
	if old, ok := r.last[key]; !ok || e.Newer(old) {
		r.last[key] = e
	}
}

// Get returns the message that holds a register.
func (r *Replica) Get(kind, id string) (wire.Envelope, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.last[[2]string{kind, id}]
	return e, ok
}

// State returns the bodies of all registers of a kind.
func (r *Replica) State(kind string) map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]string{}
	for key, e := range r.last {
		if key[0] == kind {
			out[key[1]] = string(e.Body)
		}
	}
	return out
}
