package evidence_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
)

// forge writes the chain anew after change, with hashes and signatures that are right: as who has the key can. Second
// recorders have one of their own.
func forge(t testing.TB, dir string, s *seal.Seal, change func(*evidence.Record)) {
	t.Helper()
	prev, last, tree := strings.Repeat("0", 64), "", int64(0)
	lines(t, dir, func(all []string) []string {
		for i, line := range all {
			var r evidence.Record
			must(t, json.Unmarshal([]byte(line), &r))
			change(&r)
			r.Prev = prev
			switch r.Kind {
			case evidence.KindHead:
				text, err := s.Sign(evidence.Head{Case: "case-1", N: r.N - 1, Hash: prev}.Text())
				must(t, err)
				r.Note, last = text, text
			case evidence.KindLogged:
				logged, err := s.Enter(last, tree)
				must(t, err)
				v, err := note.NewVerifier(s.Key())
				must(t, err)
				n, err := note.Open([]byte(logged.Checkpoint), note.VerifierList(v))
				must(t, err)
				seen, err := evidence.ParseCheckpoint(n.Text)
				must(t, err)
				r.Logged, tree = &logged, seen.N
			}
			data, err := json.Marshal(r)
			must(t, err)
			sum := sha256.Sum256(data)
			all[i], prev = string(data)+"\n", hex.EncodeToString(sum[:])
		}
		return all
	})
}

// A case that says it has a piece, or a manifest, of any size does not make who verifies it take as much memory.
func TestSizesAreBounded(t *testing.T) {
	const huge = 1 << 28
	s := newSeal(t)
	zeros := func(t *testing.T, dir, name string) string {
		path := filepath.Join(dir, name)
		must(t, os.Truncate(path, 0))
		must(t, os.Truncate(path, huge))
		f, err := os.Open(path)
		must(t, err)
		h := sha256.New()
		_, err = io.Copy(h, f)
		must(t, err)
		must(t, f.Close())
		return hex.EncodeToString(h.Sum(nil))
	}
	for _, c := range []struct {
		name, want string
		do         func(t *testing.T, dir string)
	}{
		{"as it was", "", func(t *testing.T, dir string) { forge(t, dir, s, func(*evidence.Record) {}) }},
		{"a piece", "none has more than", func(t *testing.T, dir string) {
			sum := zeros(t, dir, evidence.ManifestFile)
			forge(t, dir, s, func(r *evidence.Record) {
				for i := range r.Pieces {
					if p := &r.Pieces[i]; p.File == evidence.ManifestFile {
						p.Size, p.SHA256 = huge, sum
					}
				}
			})
		}},
		{"what is encrypted", "none has more than", func(t *testing.T, dir string) {
			forge(t, dir, s, func(r *evidence.Record) {
				for i := range r.Pieces {
					r.Pieces[i].Plain = 1 << 50
				}
			})
		}},
		{"a manifest of many pieces", "what the chain says", func(t *testing.T, dir string) {
			zeros(t, dir, evidence.ManifestFile)
			data := make([]byte, huge/16)
			sum := sha256.Sum256(data)
			forge(t, dir, s, func(r *evidence.Record) {
				if len(r.Pieces) == 0 || r.Pieces[0].File != evidence.ManifestFile {
					return
				}
				p := r.Pieces[0]
				r.Pieces = nil
				for i := range int64(16) {
					p.Offset, p.Size, p.SHA256 = i*huge/16, huge/16, hex.EncodeToString(sum[:])
					r.Pieces = append(r.Pieces, p)
				}
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := made(t, s)
			c.do(t, dir)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := verify(t, dir, s.Key())
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > huge/4 {
				t.Errorf("it took %d MB", took>>20)
			}
			switch {
			case c.want == "" && !r.Proven:
				t.Errorf("a forger's own case: %+v", r.Faults)
			case c.want != "" && (len(r.Faults) == 0 || !strings.Contains(r.Faults[0].Text, c.want)):
				t.Errorf("%+v, want a fault with %q", r.Faults, c.want)
			}
		})
	}
}
