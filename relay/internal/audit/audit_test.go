package audit

import (
	"bytes"
	"encoding/json"
	"os"
	"sync"
	"testing"
	"time"
)

// Lines of several writers do not mix, and what was there before stays.
func TestAppend(t *testing.T) {
	dir := t.TempDir()
	if err := Once(dir, time.Now, Event{What: KeyRotated, Detail: "1"}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		l, err := Open(dir, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for range 100 {
				if err := l.Write(Event{What: Joined, Name: "a\n\"b\"", Room: "hall"}); err != nil {
					t.Error(err)
				}
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	data, err := os.ReadFile(Path(dir))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	if len(lines) != 401 || !bytes.Contains(lines[0], []byte(KeyRotated)) {
		t.Fatalf("%d lines, the first %s", len(lines), lines[0])
	}
	for _, line := range lines {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil || e.Time.IsZero() || e.What == "" {
			t.Fatalf("%s: %v", line, err)
		}
	}
	info, err := os.Stat(Path(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
