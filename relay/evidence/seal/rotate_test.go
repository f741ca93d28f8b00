package seal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
)

// begun begins a case with the signer of now.
func begun(t *testing.T, s *seal.Seal, id string) (*evidence.Writer, string) {
	t.Helper()
	dir := t.TempDir()
	by := s.Signer()
	w, err := evidence.Create(dir, evidence.WriterConfig{Seal: by, Clock: clock, About: evidence.About{Format: evidence.Format, ID: id, Room: "hall", Key: by.Key()}})
	if err != nil {
		t.Fatal(err)
	}
	return w, dir
}

func clock() (int64, time.Time) { return 1, time.Unix(1, 0) }

func proven(t *testing.T, dir, key string) bool {
	t.Helper()
	r, err := evidence.Verify(dir, evidence.VerifyConfig{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Proven && r.Faults[0].Kind != evidence.WrongKey {
		t.Errorf("%+v", r.Faults)
	}
	return r.Proven
}

// A new key proves new cases, also to who has but the old one; a list of the keys proves the old cases to who has but
// the new one; a stranger's key proves nothing. A case that was begun before ends with the key that it was begun with.
func TestRotate(t *testing.T) {
	data := t.TempDir()
	s := open(t, data)
	first := s.Key()
	w, before := begun(t, s, "before")
	if err := w.End(nil); err != nil {
		t.Fatal(err)
	}
	w, during := begun(t, s, "during")
	crashed, left := begun(t, s, "left open")
	if err := crashed.Close(); err != nil {
		t.Fatal(err)
	}
	old, second, err := open(t, data).Rotate(time.Unix(2, 0)) // another process
	if err != nil || old != first || second == first {
		t.Fatalf("%q %q %v", old, second, err)
	}
	if err := w.End(nil); err != nil {
		t.Fatal(err)
	}
	if s.Key() != second {
		t.Error("who runs has not heard of the new key")
	}
	w, after := begun(t, s, "after")
	if err := w.End(nil); err != nil {
		t.Fatal(err)
	}
	if err := evidence.Recover(left, evidence.WriterConfig{Seal: s, Clock: clock}, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Rotate(time.Unix(3, 0)); err != nil {
		t.Fatal(err)
	}
	third := s.Key()
	w, last := begun(t, s, "last")
	if err := w.End(nil); err != nil {
		t.Fatal(err)
	}
	ring, stranger := evidence.FormatRing(third, s.Successions()), open(t, t.TempDir()).Key()
	for _, c := range []struct {
		name, dir string
		by        map[string]bool
	}{
		{"before", before, map[string]bool{first: true, second: false, third: false, ring: true, stranger: false}},
		{"during", during, map[string]bool{first: true, second: false, third: false, ring: true, stranger: false}},
		{"left open", left, map[string]bool{first: true, ring: true, stranger: false}},
		{"after", after, map[string]bool{first: true, second: true, third: false, ring: true, stranger: false}},
		{"last", last, map[string]bool{first: true, second: true, third: true, ring: true, stranger: false}},
	} {
		for key, want := range c.by {
			if proven(t, c.dir, key) != want {
				t.Errorf("%s is proven by %.40s…: %t", c.name, key, !want)
			}
		}
	}
	if private, err := os.ReadFile(filepath.Join(seal.Dir(data), "key")); err != nil || strings.Contains(string(private), strings.Split(first, "+")[1]) {
		t.Errorf("the old private key is there still (%v)", err)
	}
}

// A crash between the files of a new key is mended; a succession that only one key has signed is none.
func TestRotateHalfway(t *testing.T) {
	data := t.TempDir()
	s := open(t, data)
	first := s.Key()
	pub := filepath.Join(seal.Dir(data), "key.pub")
	if _, _, err := s.Rotate(time.Unix(2, 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pub, []byte(first+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := open(t, data).Key(); got != s.Key() {
		t.Errorf("key %s, want %s", got, s.Key())
	}
	note := s.Successions()[0]
	if _, err := evidence.OpenSuccession(note); err != nil {
		t.Error(err)
	}
	lines := strings.SplitAfter(note, "\n")
	if _, err := evidence.OpenSuccession(strings.Join(lines[:len(lines)-2], "")); err == nil {
		t.Error("one signature is enough")
	}
	if _, err := evidence.OpenSuccession(strings.Replace(note, "1970", "1971", 1)); err == nil {
		t.Error("it may be changed")
	}
}

// FuzzSuccession wants what is read as a succession to be one that two keys have signed, written in one way.
func FuzzSuccession(f *testing.F) {
	s, err := seal.Open(f.TempDir(), seal.Relay)
	if err != nil {
		f.Fatal(err)
	}
	if _, _, err := s.Rotate(time.Unix(2, 0)); err != nil {
		f.Fatal(err)
	}
	f.Add(s.Successions()[0])
	f.Add("sightline seal key v1\na\nb\nc\n\n— x AAAA\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := evidence.OpenSuccession(text)
		if err == nil && (!strings.HasPrefix(text, got.Text()) || !evidence.IsKey(got.Old) || !evidence.IsKey(got.New)) {
			t.Errorf("%q is read as %+v", text, got)
		}
	})
}
