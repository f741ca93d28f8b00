// Package standby is the session's second recorder, on the technician's side: it writes what this client sends, the
// room's log as it came and its own poses into a case with a chain and a key of its own, goes on while the link is
// gone, and gives the case to the relay later. Under its directory:
//
//	seal/           key and transparency log, as relay/evidence/seal has them
//	ID/             a case: see relay/evidence/FORMAT.md
//	ID.lock         held while the case is written
//	ID.uploaded     the relay has the case, and says that it is proven
package standby

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
)

// Store is the cases that this device keeps. Its methods may be called from any goroutine.
type Store struct {
	dir    string
	limits Limits
	seal   *seal.Seal
	log    *slog.Logger
	now    func() time.Time
	mu     sync.Mutex // held while files come and go
}

// Limits bound what is kept.
type Limits struct {
	Bytes int64         // of all cases
	Age   time.Duration // of a case since it was closed
}

// Kept is a case that is kept.
type Kept struct {
	evidence.About
	Dir      string
	Bytes    int64
	Changed  time.Time
	Uploaded bool
	Open     bool // it is being written
}

// Open opens the store, closes the cases that a crash has left open, and lets go what the limits do not bear.
func Open(dir string, limits Limits, log *slog.Logger, now func() time.Time) (*Store, error) {
	s := &Store{dir: dir, limits: limits, log: log, now: now}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("second recorder: %w", err)
	}
	var err error
	if s.seal, err = seal.Open(dir, seal.Field); err != nil {
		return nil, fmt.Errorf("second recorder: %w", err)
	}
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		s.recover(k)
	}
	s.Prune()
	return s, nil
}

// Key is the line that verifies the cases of this device.
func (s *Store) Key() string { return s.seal.Key() }

// List returns the cases, the oldest first.
func (s *Store) List() ([]Kept, error) {
	chains, err := filepath.Glob(filepath.Join(s.dir, "*", evidence.ChainFile))
	if err != nil {
		return nil, fmt.Errorf("second recorder: %w", err)
	}
	var all []Kept
	for _, chain := range chains {
		k := Kept{Dir: filepath.Dir(chain)}
		if k.About, err = evidence.Begin(k.Dir); err != nil {
			s.log.Warn("the second recorder cannot read a case that it has kept", "dir", k.Dir, "err", err)
			continue
		}
		k.Bytes, k.Changed = measure(k.Dir)
		_, err := os.Stat(k.Dir + ".uploaded")
		k.Uploaded = err == nil
		lock, err := s.lock(k.Dir)
		k.Open = err != nil
		if err == nil {
			_ = lock.Close()
		}
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b Kept) int { return a.Changed.Compare(b.Changed) })
	return all, nil
}

// measure returns how large a folder is, and when it changed last.
func measure(dir string) (size int64, changed time.Time) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // it is going away
		}
		if info, err := e.Info(); err == nil && !e.IsDir() {
			size += info.Size()
			if info.ModTime().After(changed) {
				changed = info.ModTime()
			}
		}
		return nil
	})
	return size, changed
}

// lock marks a case as written by this process. Closing the file, or the process's end, takes the mark away.
func (s *Store) lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// recover closes a case that was left open.
func (s *Store) recover(k Kept) {
	if ended, err := evidence.Ended(k.Dir); k.Open || err == nil && ended {
		return
	}
	lock, err := s.lock(k.Dir)
	if err != nil {
		return // another process writes it
	}
	defer lock.Close()
	err = evidence.Recover(k.Dir, s.config(), nil)
	switch {
	case errors.Is(err, evidence.ErrClosed):
	case err != nil:
		s.log.Error("a case of the second recorder that was left open cannot be closed", "case", k.ID, "err", err)
	default:
		s.log.Warn("a case of the second recorder that was left open is closed", "case", k.ID)
	}
}

func (s *Store) config() evidence.WriterConfig {
	return evidence.WriterConfig{Seal: s.seal, Clock: func() (int64, time.Time) { return 0, s.now() }}
}

// Prune deletes what is too old, and, where the cases are too large, those that the relay has, then the oldest. It
// returns how many bytes are left free.
func (s *Store) Prune() (free int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.List()
	if err != nil {
		s.log.Error("second recorder", "err", err)
		return 0
	}
	total := int64(0)
	for _, k := range all {
		total += k.Bytes
	}
	order := slices.Clone(all)
	slices.SortStableFunc(order, func(a, b Kept) int { return cmp.Compare(rank(a), rank(b)) })
	for _, k := range order {
		old := s.limits.Age > 0 && s.now().Sub(k.Changed) > s.limits.Age
		if k.Open || !old && total <= s.limits.Bytes {
			continue
		}
		if !k.Uploaded {
			s.log.Warn("the second recorder lets a case go that the relay does not have", "case", k.ID, "room", k.Room, "too old", old)
		}
		if err := s.remove(k.Dir); err != nil {
			s.log.Error("second recorder", "err", err)
			continue
		}
		total -= k.Bytes
	}
	return s.limits.Bytes - total
}

// rank puts what the relay has before what it has not.
func rank(k Kept) int {
	if k.Uploaded {
		return 0
	}
	return 1
}

func (s *Store) remove(dir string) error {
	return errors.Join(os.RemoveAll(dir), remove(dir+".uploaded"), remove(dir+".lock"))
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// uploaded notes that the relay has a case.
func (s *Store) uploaded(k Kept) error {
	return os.WriteFile(k.Dir+".uploaded", []byte(s.now().UTC().Format(time.RFC3339)+"\n"), 0o600)
}
