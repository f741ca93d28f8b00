package standby_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"
	"go.uber.org/goleak"

	"sightline/field/internal/standby"
	"sightline/relay/evidence"
	"sightline/relay/evidence/vault"
	"sightline/relay/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// room is a session as the client knows it.
type room struct{ began time.Time }

func (room) Self() wire.Participant {
	return wire.Participant{ID: "p-1", Name: "Tom", Role: "field", Online: true}
}
func (room) Room() string                      { return "hall" }
func (r room) SessionBegan() int64             { return r.began.UnixMicro() }
func (r room) SessionTimeOf(t time.Time) int64 { return t.Sub(r.began).Microseconds() }

// bench is a recorder and the log that it hears.
type bench struct {
	t     *testing.T
	dir   string
	room  room
	store *standby.Store
	rec   *standby.Recorder
	seq   uint64
	keys  atomic.Int64
	sound int
}

func newBench(t *testing.T, limits standby.Limits) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), room: room{time.Now().Add(-time.Minute)}}
	var err error
	if b.store, err = standby.Open(b.dir, limits, slog.New(slog.DiscardHandler), time.Now); err != nil {
		t.Fatal(err)
	}
	b.rec = standby.New(standby.Config{Store: b.store, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Tell: func(string, string, any) {}, NeedKey: func() { b.keys.Add(1) }})
	b.rec.Joined(b.room)
	b.say(wire.KindParticipant, "p-1", "relay", b.room.Self())
	return b
}

func (b *bench) say(kind, id, from string, body any) {
	b.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.seq++
	b.rec.Log(wire.Envelope{V: 1, Kind: kind, ID: id, Msg: fmt.Sprint(b.seq), From: from, Seq: b.seq, Time: b.room.SessionTimeOf(time.Now()), Body: raw})
}

// hear records so many packets of sound, each of that size.
func (b *bench) hear(n, size int) {
	for range n {
		b.sound++
		b.rec.Audio("microphone", make([]byte, size), time.Now().UnixMicro()+int64(b.sound))
	}
}

// one returns the one case, closed and proven; nil where there is none.
func (b *bench) one() (*evidence.Case, *evidence.Report) {
	b.t.Helper()
	b.rec.Close()
	all, err := b.store.List()
	if err != nil {
		b.t.Fatal(err)
	}
	if len(all) == 0 {
		return nil, nil
	}
	r, err := evidence.Verify(all[0].Dir, evidence.VerifyConfig{Key: b.store.Key()})
	if err != nil || !r.Proven || len(all) > 1 {
		b.t.Fatalf("%d cases: %v %+v", len(all), err, r)
	}
	c, err := evidence.Open(all[0].Dir, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = c.Close() })
	return c, r
}

var generous = standby.Limits{Bytes: 1 << 30}

func TestNothingIsRecordedWithoutConsent(t *testing.T) {
	b := newBench(t, generous)
	b.hear(10, 20) // it is not known yet whether the room is recorded
	b.say(wire.KindRecorded, "session", "relay", wire.Recorded{On: true, Consent: true})
	b.say(wire.KindConsent, "p-1", "relay", wire.Consent{State: wire.ConsentAsked, Text: "May we?"})
	b.hear(10, 20)
	b.say(wire.KindConsent, "p-1", "p-1", wire.Consent{State: wire.ConsentRefused})
	b.hear(10, 20)
	if c, _ := b.one(); c != nil {
		t.Errorf("a case of %+v", c.Manifest)
	}
}

func TestConsentAndAPause(t *testing.T) {
	b := newBench(t, generous)
	b.say(wire.KindRecorded, "session", "relay", wire.Recorded{On: true, Consent: true})
	b.say(wire.KindConsent, "p-1", "p-1", wire.Consent{State: wire.ConsentGiven})
	b.hear(10, 20)
	b.say(wire.KindChat, "1", "p-2", wire.Chat{Text: "from somebody who has not agreed"})
	b.rec.Privacy(true, "a call")
	b.hear(5, 20)
	b.say(wire.KindRecorded, "session", "relay", wire.Recorded{Paused: true, Who: "p-1", Why: "a call", Consent: true})
	b.hear(5, 20)
	b.say(wire.KindRecorded, "session", "relay", wire.Recorded{On: true, Consent: true})
	b.hear(7, 20)
	c, r := b.one()
	if c == nil || r.Frames != 17 || len(c.Manifest.Gaps) != 1 || !strings.Contains(c.Manifest.Gaps[0].Why, "a call") || len(c.Manifest.Consents) != 1 {
		t.Fatalf("%+v", r)
	}
	err := c.Log(func(e wire.Envelope) error {
		if e.Kind == wire.KindChat {
			t.Errorf("%+v is recorded", e)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Where the relay encrypts, the second recorder encrypts to the same people, and keeps no key.
func TestEncryptedAsTheRelaysCases(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, generous)
	b.say(wire.KindRecorded, "session", "relay", wire.Recorded{On: true, EncryptTo: []string{identity.Recipient().String()}})
	b.hear(10, 333)
	b.rec.Close()
	all, err := b.store.List()
	if err != nil || len(all) != 1 || !all[0].Encrypted {
		t.Fatalf("%+v %v", all, err)
	}
	if r, err := evidence.Verify(all[0].Dir, evidence.VerifyConfig{Key: b.store.Key()}); err != nil || !r.Proven || r.Frames != 0 {
		t.Errorf("without the identity: %v %+v", err, r)
	}
	decrypt, err := vault.Unlock(all[0].Dir, strings.NewReader(identity.String()))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := evidence.Verify(all[0].Dir, evidence.VerifyConfig{Key: b.store.Key(), Decrypt: decrypt}); err != nil || !r.Proven || r.Frames != 10 {
		t.Errorf("with the identity: %v %+v", err, r)
	}
}

// A recorder that has no room left ends, and says so; what it has is proven. At the next start, the oldest goes.
func TestLimits(t *testing.T) {
	b := newBench(t, standby.Limits{Bytes: 300_000})
	b.say(wire.KindRecorded, "session", "relay", wire.Recorded{On: true})
	for end := time.Now().Add(30 * time.Second); b.rec.Fault() == "" && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		b.hear(10, 4000)
	}
	if f := b.rec.Fault(); !strings.Contains(f, "no room left") || b.rec.Recording() {
		t.Errorf("fault %q, recording %t", f, b.rec.Recording())
	}
	if c, _ := b.one(); c == nil {
		t.Fatal("nothing is kept")
	}
	s, err := standby.Open(b.dir, standby.Limits{Bytes: 1000}, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := s.List(); err != nil || len(all) != 0 {
		t.Errorf("%v are kept (%v)", all, err)
	}
	left, err := filepath.Glob(filepath.Join(b.dir, "*"))
	if err != nil || len(left) != 1 { // the seal
		t.Errorf("%v is left (%v)", left, err)
	}
}

// A case that is written is left alone by another process; one that a crash left open is closed.
func TestACaseThatIsWrittenIsLeftAlone(t *testing.T) {
	b := newBench(t, generous)
	b.say(wire.KindRecorded, "session", "relay", wire.Recorded{On: true})
	b.hear(10, 20)
	again, err := standby.Open(b.dir, generous, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	all, err := again.List()
	if err != nil || len(all) != 1 || !all[0].Open {
		t.Fatalf("%+v %v", all, err)
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(b.dir)); err != nil {
		t.Fatal(err)
	}
	if c, _ := b.one(); c == nil || c.Manifest.ClosedBy != "" && c.Manifest.ClosedBy != "relay" {
		t.Error("it was closed by another")
	}
	crashed, err := standby.Open(copied, generous, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	all, err = crashed.List()
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v %v", all, err)
	}
	if r, err := evidence.Verify(all[0].Dir, evidence.VerifyConfig{Key: crashed.Key()}); err != nil || !r.Proven || r.ClosedBy == "relay" {
		t.Errorf("%v %+v", err, r)
	}
}
