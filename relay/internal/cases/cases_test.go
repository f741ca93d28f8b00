package cases_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
	"sightline/relay/internal/cases"
)

var day0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// record makes a case that began at a time.
func record(t *testing.T, data string, s *seal.Seal, room, id string, at time.Time, end bool) {
	t.Helper()
	dir := filepath.Join(data, "recordings", room, id)
	must(t, os.MkdirAll(dir, 0o755))
	w, err := evidence.Create(dir, evidence.WriterConfig{Seal: s, Clock: func() (int64, time.Time) { return 1, at },
		About: evidence.About{Format: evidence.Format, ID: id, Room: room, SessionBegan: at.UnixMicro(), Key: s.Key()}})
	must(t, err)
	must(t, w.Head())
	if end {
		must(t, w.End(nil))
	} else {
		must(t, w.Close())
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func states(t *testing.T, s *cases.Store) string {
	t.Helper()
	all, err := s.List()
	must(t, err)
	var words []string
	for _, c := range all {
		words = append(words, c.ID+" "+c.State)
	}
	return strings.Join(words, ", ")
}

// What is held stays, what is old goes and leaves a tombstone, what is dropped quietly is missed.
func TestLife(t *testing.T) {
	data, now := t.TempDir(), day0.Add(100*24*time.Hour)
	s, err := seal.Open(data, seal.Relay)
	must(t, err)
	store := cases.Open(data, s, func() time.Time { return now })
	record(t, data, s, "hall", "a", day0, true)
	record(t, data, s, "hall", "b", day0.Add(time.Hour), true)
	record(t, data, s, "hall", "c", now, true)
	record(t, data, s, "hall", "d", now.Add(time.Minute), false)
	record(t, data, s, "yard", "e", day0.Add(2*time.Hour), true)
	if got := states(t, store); got != "a closed, b closed, e closed, c closed, d recording" {
		t.Fatal(got)
	}
	must(t, store.Keep("b", "Ann", "the accident of March"))
	gone, err := store.Expire(func(room string) time.Duration { return map[string]time.Duration{"hall": 90 * 24 * time.Hour}[room] })
	if err != nil || len(gone) != 1 || gone[0].ID != "a" {
		t.Errorf("%+v %v", gone, err)
	}
	if err := store.Delete("b", "Bob", "no more space"); err == nil || !strings.Contains(err.Error(), "accident") {
		t.Errorf("a held case is deleted: %v", err)
	}
	must(t, store.Release("b"))
	must(t, store.Delete("b", "Bob", "no more space"))
	if err := store.Delete("d", "Bob", "now"); err == nil {
		t.Error("a case that is recorded is deleted")
	}
	must(t, os.RemoveAll(filepath.Join(data, "recordings", "hall", "c")))
	if got := states(t, store); got != "a deleted, b deleted, e closed, d recording, c missing" {
		t.Error(got)
	}
	r, err := evidence.Verify(filepath.Join(data, "recordings", "hall", "b"), evidence.VerifyConfig{Key: s.Key()})
	if err != nil || len(r.Faults) != 1 || !strings.Contains(r.Faults[0].Text, "Bob: no more space") {
		t.Errorf("%+v %v", r, err)
	}
}

// One case that cannot be read is told of, and the work on the others goes on.
func TestUnreadable(t *testing.T) {
	data, now := t.TempDir(), day0.Add(100*24*time.Hour)
	s, err := seal.Open(data, seal.Relay)
	must(t, err)
	store := cases.Open(data, s, func() time.Time { return now })
	for i, id := range []string{"a", "b", "c"} {
		record(t, data, s, "hall", id, day0.Add(time.Duration(i)*time.Hour), true)
	}
	empty := filepath.Join(data, "recordings", "hall", "empty")
	must(t, os.MkdirAll(empty, 0o755))
	must(t, os.WriteFile(filepath.Join(empty, evidence.ChainFile), nil, 0o644))
	must(t, store.Keep("b", "Ann", "the accident"))
	holds, err := filepath.Glob(filepath.Join(data, "*", "holds", "b.json"))
	if err != nil || len(holds) != 1 {
		t.Fatal(holds, err)
	}
	must(t, os.Truncate(holds[0], 5))
	if got := states(t, store); got != "empty unreadable, a closed, b unreadable, c closed" {
		t.Fatal(got)
	}
	for id, want := range map[string]string{"b": "hold it again", "empty": "recordings/hall/empty"} {
		c, err := store.Find(id)
		if err != nil || !strings.Contains(c.Fault, want) || strings.Contains(c.Fault, data) || c.Room != "hall" {
			t.Errorf("%s: %+v %v", id, c, err)
		}
		if err := store.Delete(id, "Bob", "no space"); err == nil {
			t.Errorf("%s is deleted", id)
		}
	}
	gone, err := store.Expire(func(string) time.Duration { return time.Hour })
	if len(gone) != 2 || err == nil || !strings.Contains(err.Error(), "case b") || !strings.Contains(err.Error(), "case empty") {
		t.Errorf("%+v %v", gone, err)
	}
	must(t, store.Keep("b", "Ann", "the accident"))
	if got := states(t, store); got != "empty unreadable, a deleted, b closed, c deleted" {
		t.Error(got)
	}
}
