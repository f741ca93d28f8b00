package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
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

// A log that is too large or too old is put aside whole, and read on across its parts.
func TestRotate(t *testing.T) {
	data, now := t.TempDir(), time.Unix(1_700_000_000, 0)
	l, err := Open(data, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const each = 5000 // more than is read at once
	for part := range 3 {
		for i := range each {
			if err := l.Write(Event{What: Joined, Name: fmt.Sprint(part*each + i)}); err != nil {
				t.Fatal(err)
			}
		}
		if path, err := l.Rotate(1<<30, time.Hour); path != "" || err != nil {
			t.Fatalf("put aside too soon: %q %v", path, err)
		}
		now = now.Add(2 * time.Hour)
		if part < 2 {
			if path, err := l.Rotate(0, time.Hour); path == "" || err != nil {
				t.Fatalf("not put aside: %q %v", path, err)
			}
		}
	}
	if n := len(Parts(data)); n != 2 {
		t.Fatalf("%d parts", n)
	}
	all, err := Last(data, 4*each, func(Event) bool { return true })
	if err != nil || len(all) != 3*each {
		t.Fatalf("%d events, %v", len(all), err)
	}
	for i, e := range all {
		if e.Name != fmt.Sprint(3*each-1-i) {
			t.Fatalf("event %d is %s", i, e.Name)
		}
	}
	few, err := Last(data, 2, func(e Event) bool { return strings.HasSuffix(e.Name, "77") })
	if err != nil || len(few) != 2 || few[0].Name != "14977" || few[1].Name != "14877" {
		t.Errorf("%+v %v", few, err)
	}
	if path, err := l.Rotate(100, 0); path == "" || err != nil {
		t.Errorf("too large, and not put aside: %v", err)
	}
}
