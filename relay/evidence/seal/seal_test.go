package seal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
)

func open(t *testing.T, data string) *seal.Seal {
	t.Helper()
	s, err := seal.Open(data, seal.Relay)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkpoint checks a proof, and returns the tree that it is in.
func checkpoint(t *testing.T, s *seal.Seal, l evidence.Logged, signed string) tlog.Tree {
	t.Helper()
	key, err := note.NewVerifier(s.Key())
	if err != nil {
		t.Fatal(err)
	}
	text, err := evidence.OpenNote(l.Checkpoint, key)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := evidence.ParseCheckpoint(text)
	if err == nil {
		err = tlog.CheckRecord(l.Proof, tree.N, tree.Hash, l.Index, tlog.RecordHash([]byte(signed)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// Two relays' worth of writers, each with its own handle, fill one log: every entry is proven, the log only grows, and
// what a crash left behind the checkpoint does no harm.
func TestLog(t *testing.T) {
	data := t.TempDir()
	var tasks sync.WaitGroup
	for w := range 2 {
		s := open(t, data)
		tasks.Go(func() {
			var last tlog.Tree
			for i := range 20 {
				signed := fmt.Sprintf("entry %d of %d", i, w)
				l, err := s.Enter(signed, last.N)
				if err != nil {
					t.Error(err)
					return
				}
				tree := checkpoint(t, s, l, signed)
				if last.N > 0 && tlog.CheckTree(l.Consistency, tree.N, tree.Hash, last.N, last.Hash) != nil {
					t.Error("the log did not only grow")
				}
				last = tree
			}
		})
	}
	tasks.Wait()
	for _, name := range []string{"entries", "hashes"} {
		f, err := os.OpenFile(filepath.Join(data, "seal", "log", name), os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString("what a crash left")
			_ = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, data)
	l, err := s.Enter("after", 40)
	if err != nil || l.Index != 40 {
		t.Fatalf("%+v %v", l, err)
	}
	checkpoint(t, s, l, "after")
	n, last := 0, ""
	if err := s.Entries(func(_ int64, signed string) error { n, last = n+1, signed; return nil }); err != nil || n != 41 || last != "after" {
		t.Errorf("%d entries, the last %q: %v", n, last, err)
	}
}

// A log that was changed is not continued, or at least not read.
func TestChangedLog(t *testing.T) {
	for _, name := range []string{"hashes", "checkpoint"} {
		data := t.TempDir()
		s := open(t, data)
		for i := range 5 {
			if _, err := s.Enter(fmt.Sprint(i), 0); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(data, "seal", "log", name)
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		raw[30] ^= 1
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = s.Enter("more", 5)
		if read := s.Entries(func(int64, string) error { return nil }); err == nil && read == nil {
			t.Errorf("%s was changed, and nobody hears of it", name)
		}
	}
}

// The key stays the same, is readable to its owner alone, and is not guessed anew where one half is lost.
func TestKey(t *testing.T) {
	data := t.TempDir()
	first := open(t, data).Key()
	if again := open(t, data).Key(); again != first || !strings.HasPrefix(first, "sightline-relay+") {
		t.Errorf("%q, then %q", first, again)
	}
	info, err := os.Stat(filepath.Join(data, "seal", "key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := os.Remove(filepath.Join(data, "seal", "key.pub")); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Open(data, seal.Relay); err == nil || !strings.Contains(err.Error(), "put it back") {
		t.Errorf("without the public key: %v", err)
	}
}
