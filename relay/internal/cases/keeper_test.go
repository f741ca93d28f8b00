package cases_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
	"sightline/relay/internal/bus"
	"sightline/relay/internal/cases"
	"sightline/relay/internal/s3"
	"sightline/relay/internal/s3test"
	"sightline/relay/wire"
)

// large records a closed case with a file of so many bytes, which no store takes in one part.
func large(t *testing.T, data string, s *seal.Seal, id string, at time.Time, size int) {
	t.Helper()
	dir := filepath.Join(data, "recordings", "hall", id)
	must(t, os.MkdirAll(dir, 0o755))
	w, err := evidence.Create(dir, evidence.WriterConfig{Seal: s, Clock: func() (int64, time.Time) { return 1, at },
		About: evidence.About{Format: evidence.Format, ID: id, Room: "hall", SessionBegan: at.UnixMicro(), Key: s.Key()}})
	must(t, err)
	for size > 0 {
		chunk := make([]byte, min(size, 1<<20))
		_, _ = rand.Read(chunk)
		size -= len(chunk)
		must(t, w.Append(evidence.Chunk{File: "noise.bin", Data: chunk, From: 1, To: 1}))
		must(t, w.Commit())
	}
	line, err := wire.Envelope{V: 1, Kind: wire.KindChat, Msg: "m", From: "p-1", Time: 1, Seq: 1}.Encode()
	must(t, err)
	must(t, w.Append(evidence.Chunk{File: evidence.LogFile, Data: append(line, '\n'), From: 1, To: 1, Items: 1}))
	must(t, w.End(nil))
}

// shelf is a store of objects, and what changes an object behind its back; nil where that cannot be.
type shelf struct {
	objects cases.Objects
	spoil   func(name string)
	down    func()
	up      func()
}

func natsShelf(t *testing.T) shelf {
	b, err := bus.Open(t.Context(), t.TempDir(), bus.Options{Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	t.Cleanup(b.Close)
	o, err := b.OpenObjects(t.Context(), "cases")
	must(t, err)
	return shelf{objects: o}
}

func s3Shelf(t *testing.T) shelf {
	server := s3test.Start(t)
	b, err := s3.Open(server.Config)
	must(t, err)
	spoil := func(name string) {
		path := filepath.Join(server.Dir, name)
		data, err := os.ReadFile(path)
		must(t, err)
		data[len(data)/2] ^= 1
		must(t, os.WriteFile(path, data, 0o644))
	}
	return shelf{b, spoil, server.Kill, func() { server.Run(t) }}
}

func find(t *testing.T, s *cases.Store, id string) cases.Case {
	t.Helper()
	c, err := s.Find(id)
	must(t, err)
	return c
}

// Finished cases go into the store, streamed, stay provable when they are there only, are given out from any byte on,
// and leave a tombstone there when they are deleted.
func TestKeeper(t *testing.T) {
	for name, open := range map[string]func(*testing.T) shelf{"nats": natsShelf, "s3": s3Shelf} {
		t.Run(name, func(t *testing.T) {
			sh := open(t)
			data, now := t.TempDir(), day0
			s, err := seal.Open(data, seal.Relay)
			must(t, err)
			store := cases.Open(data, s, func() time.Time { return now })
			const size = 20<<20 + 17
			large(t, data, s, "CASE-1", day0, size)
			record(t, data, s, "hall", "open", day0.Add(time.Hour), false)
			var told []error
			k := &cases.Keeper{Store: store, Objects: sh.objects, Local: time.Hour, Log: slog.New(slog.DiscardHandler), Tell: func(f error) { told = append(told, f) }}
			dir := find(t, store, "CASE-1").Dir
			var packed bytes.Buffer
			must(t, evidence.Pack(dir, &packed))

			must(t, k.Round(t.Context()))
			if c := find(t, store, "CASE-1"); c.Stored == nil || !c.Local || c.Stored.Size != int64(packed.Len()) {
				t.Fatalf("%+v", c)
			}
			now = now.Add(2 * time.Hour)
			if sh.spoil != nil {
				sh.spoil(find(t, store, "CASE-1").Stored.Name)
				must(t, k.Round(t.Context()))
				if c := find(t, store, "CASE-1"); !c.Local {
					t.Fatal("a case whose object was changed is taken from the disk")
				}
				now = now.Add(2 * time.Hour)
			}
			must(t, k.Round(t.Context()))
			c := find(t, store, "CASE-1")
			if left, _ := os.ReadDir(dir); c.Local || c.State != cases.Closed || len(left) != 1 || left[0].Name() != evidence.ChainFile {
				t.Fatalf("%+v, and %v are left", c, left)
			}
			away(t, store, c, sh.objects, packed.Bytes(), s.Key())
			if _, err := store.Archive(t.Context(), c, nil); !errors.Is(err, cases.ErrNoStore) {
				t.Errorf("without a store: %v", err)
			}
			if sh.down != nil {
				breaks(t, k, sh, &told)
			}
			must(t, store.Delete("CASE-1", "Ada", "asked for"))
			must(t, k.Round(t.Context()))
			a, err := store.Archive(t.Context(), cases.Case{ID: "CASE-1", State: cases.Closed, Stored: find(t, store, "CASE-1").Stored}, sh.objects)
			must(t, err)
			if a.Size > 100_000 {
				t.Errorf("the tombstone is %d bytes", a.Size)
			}
			must(t, a.Close())
		})
	}
}

// away reads a case that is in the store only.
func away(t *testing.T, store *cases.Store, c cases.Case, objects cases.Objects, want []byte, key string) {
	t.Helper()
	path, release, err := store.Place(t.Context(), c, objects)
	must(t, err)
	r, err := evidence.Verify(path, evidence.VerifyConfig{Key: key})
	if err != nil || !r.Proven {
		t.Errorf("%v %+v", err, r)
	}
	must(t, release())
	a, err := store.Archive(t.Context(), c, objects)
	must(t, err)
	for _, at := range []int64{0, 1 << 20, 17<<20 + 3, a.Size - 10} {
		if _, err := a.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 10)
		if _, err := io.ReadFull(a, got); err != nil || !bytes.Equal(got, want[at:at+10]) {
			t.Errorf("ten bytes from %d on: %x, want %x (%v)", at, got, want[at:at+10], err)
		}
	}
	must(t, a.Close())
}

// breaks takes the store away and gives it back: people are told of both.
func breaks(t *testing.T, k *cases.Keeper, sh shelf, told *[]error) {
	t.Helper()
	sh.down()
	ctx, cancel := context.WithCancel(t.Context())
	ended, nudge := make(chan struct{}), make(chan struct{})
	go func() { defer close(ended); k.Run(ctx, nudge) }()
	nudge <- struct{}{} // the first round is over
	nudge <- struct{}{}
	sh.up()
	nudge <- struct{}{}
	nudge <- struct{}{}
	cancel()
	<-ended
	if len(*told) != 2 || !errors.Is((*told)[0], syscall.ECONNREFUSED) || (*told)[1] != nil {
		t.Errorf("told %q", *told)
	}
}
