package evidence_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/movie"
	"sightline/relay/evidence/seal"
	"sightline/relay/wire"
)

// take is what one recorder has of a session: packets of sound, twenty milliseconds each.
type take struct {
	seal     *seal.Seal
	standby  bool
	has      func(i int) bool
	data     func(i int) []byte
	messages func(i int) bool // of those that come with every tenth packet
	notes    []evidence.Record
}

func packet(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 20+i%5) }

func always(int) bool { return true }

const packets = 200

// record writes a case under parent.
func (k take) record(t *testing.T, parent string) string {
	t.Helper()
	c := newClock()
	dir := filepath.Join(parent, fmt.Sprintf("standby-%t", k.standby))
	about := evidence.About{Format: evidence.Format, ID: fmt.Sprintf("CASE-%t-0", k.standby), Room: "hall", SessionBegan: 1, Start: c.session, Key: k.seal.Key()}
	if k.standby {
		about.Standby = "p-1"
	}
	must(t, mkdir(dir))
	w, err := evidence.Create(dir, evidence.WriterConfig{Seal: k.seal, Clock: c.now, About: about})
	must(t, err)
	for _, n := range k.notes {
		w.Note(n)
	}
	unit := movie.Unit{Key: true}
	format, err := movie.FormatOf(movie.Opus, unit)
	must(t, err)
	tr := evidence.Track{File: "Tom-mic.mp4", Table: "Tom-mic.frames.csv", Participant: "p-1", Name: "Tom", Role: "field", TrackName: "mic", Kind: wire.Audio, Codec: movie.Opus}
	m, err := movie.New(w, tr, format, c.session, c.session)
	must(t, err)
	say := func(i int, kind, id, body string) {
		e := wire.Envelope{V: 1, Kind: kind, ID: id, Msg: fmt.Sprint("m", i), From: "relay", Time: c.session, Seq: uint64(i + 1), Body: []byte(body)}
		data, err := e.Encode()
		must(t, err)
		must(t, w.Append(evidence.Chunk{File: evidence.LogFile, Data: append(data, '\n'), From: c.session, To: c.session, Items: 1}))
	}
	say(0, wire.KindParticipant, "p-1", `{"id":"p-1","name":"Tom","role":"field","online":true}`)
	for i := range packets {
		c.pass(20 * time.Millisecond)
		if k.has(i) {
			must(t, m.Write(movie.Unit{Data: k.data(i), Captured: int64(5_000_000 + 20_000*i), Key: true}, c.session))
		}
		if i%10 == 9 {
			if k.messages(i) {
				say(i, wire.KindChat, fmt.Sprint(i), `{"text":"hello"}`)
			}
			must(t, m.Flush())
			must(t, w.Commit())
		}
	}
	must(t, m.Close())
	must(t, w.End(nil))
	return dir
}

// sessions makes a relay's case that lacks packets 40 to 59 and the message of 49, and a second recorder's that has
// all. change changes the second recorder's take.
func sessions(t *testing.T, change func(relay, second *take)) (parent, key string) {
	t.Helper()
	second := take{newSeal(t), true, always, packet, always, nil}
	missing := func(i int) bool { return i < 40 || i >= 60 }
	relay := take{newSeal(t), false, missing, packet, missing, nil}
	relay.notes = []evidence.Record{{Kind: evidence.KindStandby, Standby: &evidence.Standby{Participant: "p-1", Name: "Tom", Case: "CASE-true-0", Key: second.seal.Key()}}}
	if change != nil {
		change(&relay, &second)
	}
	parent = t.TempDir()
	relay.record(t, parent)
	dir := second.record(t, parent)
	must(t, evidence.Receive(dir, evidence.WriterConfig{Seal: relay.seal, Clock: func() (int64, time.Time) { return 0, newClock().wall.Add(time.Hour) }}, relay.seal.Key(), "Tom"))
	return parent, relay.seal.Key()
}

func session(t *testing.T, parent, key string) *evidence.Report {
	t.Helper()
	primary := filepath.Join(parent, "standby-false")
	others, err := evidence.Beside(primary)
	must(t, err)
	r, err := evidence.VerifySession(primary, others, evidence.VerifyConfig{Key: key}, nil)
	must(t, err)
	if len(r.Seconds) != 1 {
		t.Fatalf("%d second recorders", len(r.Seconds))
	}
	return r
}

func TestASecondRecorderFillsTheGap(t *testing.T) {
	parent, key := sessions(t, nil)
	r := session(t, parent, key)
	if !r.Proven || len(r.Compared) != 1 || r.Compared[0].Same != packets-20 || len(r.Compared[0].Here) != 1 || r.Compared[0].Here[0].Frames != 20 || len(r.Compared[0].There) != 0 {
		t.Errorf("%+v %+v", r.Faults, r.Compared)
	}
	c, err := evidence.OpenMerged(filepath.Join(parent, "standby-false"), []string{filepath.Join(parent, "standby-true")}, nil)
	must(t, err)
	defer c.Close()
	if len(c.Manifest.Tracks) != 2 || c.Manifest.Tracks[0].Recorder != "" || c.Manifest.Tracks[1].Recorder != "second recorder of p-1" {
		t.Fatalf("%+v", c.Manifest.Tracks)
	}
	n := map[string]int{}
	seen := map[int64]bool{}
	for _, tr := range c.Manifest.Tracks {
		frames, err := c.Frames(tr.Track)
		must(t, err)
		for _, f := range frames {
			i := int(f.Captured-5_000_000) / 20_000
			data, err := c.Data(tr.Track, f)
			if err != nil || !bytes.Equal(data, packet(i)) || seen[f.Captured] {
				t.Fatalf("packet %d: %v, there twice: %t", i, err, seen[f.Captured])
			}
			if want := int64(1000 + 20_000*(i+1)); f.Session < want-1000 || f.Session > want+1000 {
				t.Errorf("packet %d is at %d, want %d", i, f.Session, want)
			}
			seen[f.Captured] = true
			n[tr.Recorder]++
		}
	}
	if n[""] != packets-20 || n["second recorder of p-1"] != 20 {
		t.Errorf("%v", n)
	}
	var at []int64
	must(t, c.Log(func(e wire.Envelope) error { at = append(at, e.Time); return nil }))
	if len(at) != 1+packets/10 || !slices.IsSorted(at) {
		t.Errorf("messages at %v", at)
	}
}

func TestRecordersThatDisagree(t *testing.T) {
	none := func(string) error { return nil }
	for name, c := range map[string]struct {
		change func(relay, second *take)
		after  func(parent string) error
		want   string
	}{
		"a packet is another": {func(_, second *take) {
			second.data = func(i int) []byte {
				if i == 100 {
					return packet(101)
				}
				return packet(i)
			}
		}, none, evidence.Disagree},
		"the second recorder lacks one and does not say why": {func(_, second *take) { second.has = func(i int) bool { return i != 100 } }, none, evidence.Missing},
		"it says why": {func(_, second *take) {
			second.has = func(i int) bool { return i != 100 }
			second.notes = []evidence.Record{{Kind: evidence.KindGap, Gap: &evidence.Gap{What: "mic", From: 2_000_000, To: 2_100_000, Who: "p-1", Why: "full"}}}
		}, none, ""},
		"another key was told of": {func(relay, _ *take) { relay.notes[0].Standby.Key = relay.seal.Key() }, none, evidence.WrongKey},
		"it was deleted":          {nil, func(string) error { return errors.New("delete") }, evidence.Deleted},
	} {
		t.Run(name, func(t *testing.T) {
			var s *seal.Seal
			parent, key := sessions(t, func(relay, second *take) {
				s = relay.seal
				if c.change != nil {
					c.change(relay, second)
				}
			})
			if c.after(parent) != nil {
				must(t, evidence.Delete(filepath.Join(parent, "standby-true"), evidence.WriterConfig{Seal: s,
					Clock: func() (int64, time.Time) { return 0, newClock().wall.Add(2 * time.Hour) }}, "Ada", "asked for"))
			}
			r := session(t, parent, key)
			faults := append(r.Faults, r.Seconds[0].Faults...)
			switch {
			case c.want == "" && !r.Proven, c.want != "" && (len(faults) != 1 || faults[0].Kind != c.want || r.Proven):
				t.Errorf("%+v, want %q", faults, c.want)
			}
		})
	}
}

// A second recorder's case is proven by its own key, or by the relay's where the relay has received it, and by no other.
func TestWhoVouchesForASecondRecorder(t *testing.T) {
	second := take{newSeal(t), true, always, packet, always, nil}
	dir := second.record(t, t.TempDir())
	relay := newSeal(t)
	proven(t, dir, second.seal.Key())
	if r := verify(t, dir, relay.Key()); r.Proven || r.Faults[0].Kind != evidence.WrongKey {
		t.Errorf("a relay that has not received it: %+v", r.Faults)
	}
	must(t, evidence.Receive(dir, evidence.WriterConfig{Seal: relay, Clock: func() (int64, time.Time) { return 0, newClock().wall }}, relay.Key(), "Tom"))
	proven(t, dir, relay.Key())
	if r := verify(t, dir, newSeal(t).Key()); r.Proven || r.Faults[0].Kind != evidence.WrongKey {
		t.Errorf("another relay: %+v", r.Faults)
	}
	if ended, err := evidence.Ended(dir); err != nil || !ended {
		t.Errorf("ended %t, %v", ended, err)
	}
}

// Any byte that is changed in either recorder's case is found, and the pair is not accused afterwards.
func TestTamperingWithEither(t *testing.T) {
	parent, key := sessions(t, nil)
	random := rand.New(rand.NewPCG(5, 6))
	for range 120 {
		files, err := filepath.Glob(filepath.Join(parent, "*", "*"))
		must(t, err)
		path := files[random.IntN(len(files))]
		was, err := os.ReadFile(path)
		must(t, err)
		now := bytes.Clone(was)
		at := random.IntN(len(now))
		now[at] ^= 1 << random.IntN(8)
		must(t, os.WriteFile(path, now, 0o644))
		primary := filepath.Join(parent, "standby-false")
		r, err := evidence.VerifySession(primary, []string{filepath.Join(parent, "standby-true")}, evidence.VerifyConfig{Key: key}, nil)
		if err == nil && r.Proven {
			t.Errorf("byte %d of %s was changed, and nothing is said", at, path)
		}
		must(t, os.WriteFile(path, was, 0o644))
	}
	if r := session(t, parent, key); !r.Proven {
		t.Errorf("%+v", r.Faults)
	}
}

func mkdir(dir string) error { return os.Mkdir(dir, 0o755) }
