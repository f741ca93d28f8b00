package server_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/evidence"
	"sightline/relay/internal/policy"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

// session is a relay in this process that records a camera.
type session struct {
	s      *server.Server
	data   string
	field  *client.Client
	camera *relaytest.Camera

	mu    sync.Mutex
	heard []wire.Envelope
}

func begin(t *testing.T, change func(*server.Config)) *session {
	t.Helper()
	x := &session{data: t.TempDir()}
	cfg := server.Config{Listen: "127.0.0.1:0", MQTTAddr: "127.0.0.1:0", Data: x.data, Log: relaytest.Logger(t)}
	if change != nil {
		change(&cfg)
	}
	var err error
	if x.s, err = server.Start(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	var track client.Track
	x.camera, track = relaytest.NewCamera()
	x.field = relaytest.Join(t, client.Config{URL: x.s.URL(), Token: relaytest.Token(t, x.s.Authority(), "field", "Tom"),
		Publish: []client.Track{track}, OnLog: x.hear})
	x.camera.Play(x.field.Video("camera"))
	return x
}

func (x *session) hear(e wire.Envelope) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.heard = append(x.heard, e)
}

// told says whether the room has heard a message of a kind with a text in it.
func (x *session) told(kind, text string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(x.heard, func(e wire.Envelope) bool { return e.Kind == kind && strings.Contains(string(e.Body), text) })
}

// end closes the relay and returns its one case.
func (x *session) end(t *testing.T) (dir, key string) {
	t.Helper()
	x.camera.Stop()
	x.field.Close()
	relaytest.Ends(t, "the relay closes", x.s.Close)
	return one(t, filepath.Join(x.data, "recordings", "hall", "*")), sealKey(t, x.data)
}

func (x *session) publish(t *testing.T, kind, id string, body any) {
	t.Helper()
	if _, err := x.field.Publish(kind, id, 0, body); err != nil {
		t.Fatal(err)
	}
	relaytest.Eventually(t, "the message is in the log", func() bool { return x.field.Pending() == 0 })
}

func proven(t *testing.T, dir, key string) *evidence.Report {
	t.Helper()
	r := verify(t, dir, key)
	if !r.Proven || r.Frames == 0 {
		t.Fatalf("%+v", r)
	}
	return r
}

// A real authority stamps the end of a case. One that is down does not hold the case up, and the case says so.
func TestTimestamps(t *testing.T) {
	a := relaytest.NewAuthority(t)
	for _, down := range []bool{false, true} {
		a.Down.Store(down)
		x := begin(t, func(c *server.Config) { c.Recording.Authority = a.URL })
		time.Sleep(1500 * time.Millisecond)
		dir, key := x.end(t)
		root, err := os.ReadFile(a.Root)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(root)
		r, err := evidence.Verify(dir, evidence.VerifyConfig{Key: key, Roots: roots})
		if err != nil || !r.Proven {
			t.Fatalf("authority down: %t: %v %+v", down, err, r)
		}
		if down {
			if len(r.Stamps) != 0 || !slices.ContainsFunc(r.Remarks, func(s string) bool { return strings.Contains(s, "503") }) {
				t.Errorf("%+v", r)
			}
			continue
		}
		if len(r.Stamps) != 1 || !r.Stamps[0].Trusted || r.Stamps[0].Authority != "CN=Test authority" || time.Since(r.Stamps[0].Time).Abs() > time.Minute {
			t.Errorf("%+v", r.Stamps)
		}
		if r, _ := evidence.Verify(dir, evidence.VerifyConfig{Key: key, Roots: x509.NewCertPool()}); r.Proven || r.Faults[0].Kind != evidence.BadStamp {
			t.Errorf("an authority that is not trusted: %+v", r.Faults)
		}
	}
}

// The disk is full for some seconds: the room hears of it, nothing is lost, and the case is proven.
func TestDiskFull(t *testing.T) {
	mounted := ""
	x := begin(t, func(c *server.Config) {
		mounted = filepath.Join(c.Data, "recordings")
		if err := os.Mkdir(mounted, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", mounted, "tmpfs", 0, "size=4m"); err != nil {
			t.Skipf("a small disk cannot be mounted here (it takes root): %v", err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(mounted, syscall.MNT_DETACH) })
	})
	time.Sleep(time.Second)
	filler := filepath.Join(mounted, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	_ = f.Close()
	relaytest.Eventually(t, "the room hears that the disk is full", func() bool { return x.told("recording", "no space left") })
	time.Sleep(time.Second)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	seen := x.last("disk").Text
	relaytest.Eventually(t, "the room hears that it is over", func() bool { return x.last("disk").Over })
	dir, key := x.end(t)
	proven(t, dir, key)
	c := open(t, dir)
	unbroken(t, c, x.camera)
	row(t, "disk full", "waits in memory for about a minute, nothing lost where it has room by then", seen)
}

// unbroken wants of a case's first track every frame that the camera sent between its first and its last, and returns how
// many there are.
func unbroken(t *testing.T, c *evidence.Case, camera *relaytest.Camera) int {
	t.Helper()
	frames, err := c.Frames(c.Manifest.Tracks[0].Track)
	if err != nil {
		t.Fatal(err)
	}
	has := map[int64]bool{}
	for _, f := range frames {
		has[f.Captured] = true
	}
	missing := 0
	for _, captured := range camera.Captured() {
		if captured > frames[0].Captured && captured < frames[len(frames)-1].Captured && !has[captured] {
			missing++
		}
	}
	if missing > 0 || len(frames) < 60 {
		t.Errorf("%d frames are recorded, %d between them are missing", len(frames), missing)
	}
	return len(frames)
}

// Where the room wants consent, nothing of a participant is recorded before it is given, and the chain has it first.
func TestConsent(t *testing.T) {
	x := begin(t, func(c *server.Config) { c.Rooms = policy.Rooms{{Match: "*", Consent: true}} })
	relaytest.Eventually(t, "the participant is asked", func() bool { return x.told(wire.KindConsent, wire.ConsentAsked) })
	x.publish(t, wire.KindMark, "before", 1)
	time.Sleep(time.Second)
	given := x.field.SessionTime()
	x.publish(t, wire.KindConsent, x.field.Self().ID, wire.Consent{State: wire.ConsentGiven})
	x.publish(t, wire.KindMark, "after", 1)
	time.Sleep(1500 * time.Millisecond)
	dir, key := x.end(t)
	proven(t, dir, key)
	c := open(t, dir)
	if len(c.Manifest.Consents) != 1 || !c.Manifest.Consents[0].Given || c.Manifest.Consents[0].Name != "Tom" {
		t.Errorf("%+v", c.Manifest.Consents)
	}
	if tracks := c.Manifest.Tracks; len(tracks) != 1 || tracks[0].From < given-100_000 {
		t.Errorf("consent was given at %d: %+v", given, tracks)
	}
	if marks := marks(t, c); !slices.Equal(marks, []string{"after"}) {
		t.Errorf("%q", marks)
	}
	chain, err := os.ReadFile(filepath.Join(dir, evidence.ChainFile))
	if err != nil || strings.Index(string(chain), `"kind":"consent"`) > strings.Index(string(chain), `"kind":"track"`) {
		t.Errorf("a track comes before the consent: %v", err)
	}
}

func marks(t *testing.T, c *evidence.Case) (ids []string) {
	t.Helper()
	err := c.Log(func(e wire.Envelope) error {
		if e.Kind == wire.KindMark {
			ids = append(ids, e.ID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// A pause for privacy leaves a gap that says who and why, and nothing of what was in it.
func TestPause(t *testing.T) {
	x := begin(t, nil)
	time.Sleep(time.Second)
	x.publish(t, wire.KindPrivacy, "session", wire.Privacy{On: true, Why: "a customer's drawing"})
	relaytest.Eventually(t, "the sign is off", func() bool { return x.told(wire.KindRecorded, `"paused":true`) })
	x.publish(t, wire.KindMark, "private", 1)
	time.Sleep(time.Second)
	x.publish(t, wire.KindPrivacy, "session", wire.Privacy{On: false})
	relaytest.Eventually(t, "the sign is on", func() bool { return x.told(wire.KindRecorded, `"on":true`) })
	x.publish(t, wire.KindMark, "public", 1)
	time.Sleep(1500 * time.Millisecond)
	dir, key := x.end(t)
	proven(t, dir, key)
	c := open(t, dir)
	if len(c.Manifest.Gaps) != 1 {
		t.Fatalf("%+v", c.Manifest.Gaps)
	}
	gap := c.Manifest.Gaps[0]
	if gap.Who != x.field.Self().ID || !strings.Contains(gap.Why, "drawing") || gap.To-gap.From < 900_000 {
		t.Errorf("%+v", gap)
	}
	if marks := marks(t, c); !slices.Equal(marks, []string{"public"}) {
		t.Errorf("%q", marks)
	}
	frames, err := c.Frames(c.Manifest.Tracks[0].Track)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		if f.Session > gap.From+200_000 && f.Session < gap.To-200_000 {
			t.Errorf("frame %d of %d is in the gap %+v", i, f.Session, gap)
		}
	}
	if i := evidence.At(frames, gap.To+1_000_000); !frames[evidence.KeyBefore(frames, i)].Key || frames[i].Session < gap.To {
		t.Error("no picture after the pause")
	}
}

// Where no recording can begin, people work on, and are told.
func TestNoRecordingCanBegin(t *testing.T) {
	x := begin(t, func(c *server.Config) {
		if err := os.WriteFile(filepath.Join(c.Data, "recordings"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	relaytest.Eventually(t, "the room hears that it is not recorded", func() bool { return x.told("recording", "this session is not recorded") })
	row(t, "no recording can begin", "people work on, nothing is recorded", x.last("start").Text)
	x.camera.Stop()
	x.field.Close()
	relaytest.Ends(t, "the relay closes", x.s.Close)
}
