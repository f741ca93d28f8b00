package cases_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
	"sightline/relay/internal/cases"
	"sightline/relay/wire"
)

const secondID = "SECONDCASE"

// second is the archive of a second recorder's case, and the case's folder.
func second(t *testing.T) ([]byte, string) {
	t.Helper()
	s, err := seal.Open(t.TempDir(), seal.Field)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w, err := evidence.Create(dir, evidence.WriterConfig{Seal: s, Clock: func() (int64, time.Time) { return 1, time.Unix(1, 0) },
		About: evidence.About{Format: evidence.Format, ID: secondID, Room: "hall", SessionBegan: 1, Start: 1, Key: s.Key(), Standby: "p-1"}})
	if err != nil {
		t.Fatal(err)
	}
	line, err := wire.Envelope{V: 1, Kind: wire.KindChat, Msg: "m", From: "p-1", Time: 1, Seq: 1}.Encode()
	if err == nil {
		err = w.Append(evidence.Chunk{File: evidence.LogFile, Data: append(line, '\n'), From: 1, To: 1, Items: 1})
	}
	if err = errors.Join(err, w.End(nil)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := evidence.Pack(dir, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), dir
}

func TestInbox(t *testing.T) {
	data := t.TempDir()
	s, err := seal.Open(data, seal.Relay)
	if err != nil {
		t.Fatal(err)
	}
	store := cases.Open(data, s, time.Now)
	archive, _ := second(t)
	size, half := int64(len(archive)), int64(len(archive)/2)
	take := func(box *cases.Inbox, room string, offset, length int64, data []byte) (string, error) {
		return box.Take(t.Context(), room, secondID, offset, length, bytes.NewReader(data), "Tom")
	}
	if _, err := take(cases.NewInbox(store, size-1), "hall", 0, size, archive); !errors.Is(err, cases.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	box := cases.NewInbox(store, size)
	changed := bytes.Clone(archive)
	changed[half] ^= 1
	if _, err := take(box, "hall", 0, size, changed); !errors.Is(err, cases.ErrRefused) {
		t.Errorf("a changed byte: %v", err)
	}
	if _, err := take(box, "other", 0, size, archive); !errors.Is(err, cases.ErrRefused) {
		t.Errorf("another room: %v", err)
	}
	if dir, err := take(box, "hall", 0, size, archive[:half]); err != nil || dir != "" {
		t.Fatalf("the first half: %q %v", dir, err)
	}
	var at *cases.OffsetError
	if _, err := take(box, "hall", 0, size, archive); !errors.As(err, &at) || at.At != half {
		t.Errorf("from the beginning again: %v", err)
	}
	if offset, complete, err := box.Has("hall", secondID); err != nil || complete || offset != half {
		t.Errorf("has %d, %t, %v", offset, complete, err)
	}
	dir, err := take(box, "hall", half, size, archive[half:])
	if err != nil {
		t.Fatal(err)
	}
	if r, err := evidence.Verify(dir, evidence.VerifyConfig{Key: s.Key()}); err != nil || !r.Proven {
		t.Errorf("%v %+v", err, r)
	}
	if _, complete, err := box.Has("hall", secondID); err != nil || !complete {
		t.Errorf("it is not known: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(data, "inbox", "*", "*")); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
	all, err := store.List()
	if err != nil || len(all) != 1 || all[0].State != cases.Closed || all[0].Standby != "p-1" {
		t.Fatalf("%+v %v", all, err)
	}
	if err := store.Delete(secondID, "Ada", "asked for"); err != nil {
		t.Fatal(err)
	}
	r, err := evidence.Verify(dir, evidence.VerifyConfig{Key: s.Key()})
	if err != nil || len(r.Faults) != 1 || r.Faults[0].Kind != evidence.Deleted {
		t.Errorf("the tombstone: %v %+v", err, r.Faults)
	}
	for _, id := range []string{"", "a", "../../../../x", strings.Repeat("A", 65)} {
		if _, _, err := box.Has("hall", id); err == nil {
			t.Errorf("%q is a case's ID", id)
		}
	}
	if _, err := take(box, "../../hall", 0, size, archive); !errors.Is(err, cases.ErrName) {
		t.Errorf("a room that leads elsewhere: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, evidence.LogFile)); err == nil {
		t.Error("the contents are there still")
	}
}

// What waits for its rest is bounded: of one room, and of all.
func TestInboxIsBounded(t *testing.T) {
	data := t.TempDir()
	s, err := seal.Open(data, seal.Relay)
	must(t, err)
	now := time.Now()
	const max = 1000
	box := cases.NewInbox(cases.Open(data, s, func() time.Time { return now }), max)
	begin := func(room string, n int, bytes int) error {
		_, err := box.Take(t.Context(), room, fmt.Sprintf("CASE-NUMBER-%d", n), 0, max, strings.NewReader(strings.Repeat("x", bytes)), "Tom")
		return err
	}
	for n := range 8 {
		must(t, begin("hall", n, 10))
	}
	if err := begin("hall", 8, 10); !errors.Is(err, cases.ErrFull) {
		t.Errorf("a ninth of a room: %v", err)
	}
	for n := range 3 {
		must(t, begin("yard", n, max-20))
	}
	if err := begin("gate", 0, 1); !errors.Is(err, cases.ErrFull) {
		t.Errorf("more than there is room for: %v", err)
	}
	if _, err := box.Take(t.Context(), "yard", "CASE-NUMBER-0", max-20, max, strings.NewReader("more"), "Tom"); err != nil {
		t.Errorf("what was begun goes on: %v", err)
	}
	must(t, box.Clean())
	now = now.Add(15 * 24 * time.Hour)
	must(t, box.Clean())
	must(t, begin("gate", 0, 1))
}
