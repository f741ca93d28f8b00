package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Parts are the parts of the log that were put aside, the oldest first: DATA/audit-2026-03-01T08-15-02.123456789Z.jsonl.
func Parts(data string) []string {
	all, _ := filepath.Glob(filepath.Join(data, "audit-*.jsonl"))
	slices.Sort(all) // by time
	return all
}

// Rotate puts the log aside where it is larger than max bytes, or its first line older than age, and begins a new one;
// 0 is no bound. Nothing is deleted: what is put aside is the operator's to keep. It returns the part's path, or
// nothing. Another process that appends at this moment writes to the part.
func (l *Log) Rotate(max int64, age time.Duration) (part string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return "", errors.New("audit log is closed")
	}
	info, err := l.file.Stat()
	if err != nil || info.Size() == 0 || (max == 0 || info.Size() <= max) && (age == 0 || l.now().Sub(l.began) <= age) {
		return "", err
	}
	path := l.file.Name()
	part = filepath.Join(filepath.Dir(path), "audit-"+l.now().UTC().Format("2006-01-02T15-04-05.000000000Z")+".jsonl")
	if err := errors.Join(l.file.Sync(), os.Rename(path, part)); err != nil {
		return "", fmt.Errorf("audit log: put aside: %w", err)
	}
	fresh, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		_ = os.Rename(part, path) // the file that is open goes on
		return "", fmt.Errorf("audit log: %w", err)
	}
	_ = l.file.Close()
	l.file, l.began = fresh, l.now()
	return part, nil
}

// firstTime is when the first event of a log was; now, where there is none.
func firstTime(path string, now time.Time) time.Time {
	f, err := os.Open(path)
	if err != nil {
		return now
	}
	defer f.Close()
	var e Event
	if json.NewDecoder(f).Decode(&e) != nil || e.Time.IsZero() {
		return now
	}
	return e.Time
}
