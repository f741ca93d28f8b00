package cases

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
)

// StateError says what the state of a case does not allow.
type StateError struct{ text string }

func (e *StateError) Error() string { return e.text }

func conflict(format string, args ...any) error { return &StateError{fmt.Sprintf(format, args...)} }

// Hold is why a case must not be deleted.
type Hold struct {
	Who string    `json:"who"`
	Why string    `json:"why"`
	UTC time.Time `json:"utc"`
}

func (s *Store) holdFile(id string) string {
	return filepath.Join(seal.Dir(s.data), "holds", id+".json")
}

func (s *Store) hold(id string) (*Hold, error) {
	data, err := os.ReadFile(s.holdFile(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var h Hold
	if err == nil {
		err = json.Unmarshal(data, &h)
	}
	return &h, err
}

// Keep puts a legal hold on a case: until Release it is not deleted, whatever its age and whoever wants it.
func (s *Store) Keep(id, who, why string) error {
	if _, err := s.Find(id); err != nil {
		return err
	}
	return write(s.holdFile(id), Hold{who, why, s.now().UTC()})
}

// write writes a value as JSON, so that a crash leaves the old file or the new one.
func write(path string, v any) error {
	data, err := json.Marshal(v)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Release ends a hold.
func (s *Store) Release(id string) error {
	if _, err := s.Find(id); err != nil {
		return err
	}
	err := os.Remove(s.holdFile(id))
	if errors.Is(err, fs.ErrNotExist) {
		return conflict("there is no hold on case %s", id)
	}
	return err
}

// Delete deletes the contents of a case and leaves its tombstone.
func (s *Store) Delete(id, who, why string) error {
	c, err := s.Find(id)
	if err != nil {
		return err
	}
	switch {
	case c.State == Unreadable:
		return conflict("case %s is not deleted: %s", id, c.Fault)
	case c.State == Recording:
		return conflict("case %s is not closed: it is still recorded, or the next start of the relay closes it", id)
	case c.Hold != nil:
		return conflict("case %s must be kept: %s (%s, %s); release it first", id, c.Hold.Why, c.Hold.Who, c.Hold.UTC.Format(time.DateOnly))
	}
	seconds, err := s.seconds(c)
	if err != nil {
		return err
	}
	for _, o := range append(seconds, c) {
		if err := evidence.Delete(o.Dir, s.config(), who, why); err != nil {
			return fmt.Errorf("case %s: %w", o.ID, err)
		}
	}
	return nil
}

// Together returns a case, and those of second recorders that are to be compared with it.
func (s *Store) Together(id string) ([]Case, error) {
	c, err := s.Find(id)
	if err != nil || c.State != Closed {
		return []Case{c}, err
	}
	others, err := s.overlapping(c)
	return append([]Case{c}, others...), err
}

// seconds returns the second recorders' cases that tell of what a case of the relay tells of. They go with it; one that
// must be kept holds it.
func (s *Store) seconds(c Case) ([]Case, error) {
	found, err := s.overlapping(c)
	for _, o := range found {
		if o.Hold != nil {
			return nil, conflict("case %s of a second recorder, of the same time, must be kept: %s (%s); release it first", o.ID, o.Hold.Why, o.Hold.Who)
		}
	}
	return found, err
}

// overlapping returns the closed cases of second recorders that share some time with a case of the relay.
func (s *Store) overlapping(c Case) ([]Case, error) {
	if c.Standby != "" {
		return nil, nil
	}
	all, err := s.Local()
	return slices.DeleteFunc(all, func(o Case) bool {
		overlap := o.Began.Before(c.Began.Add(c.Length)) && c.Began.Before(o.Began.Add(o.Length))
		return o.Standby == "" || o.State != Closed || o.Room != c.Room || o.Session != c.Session || !overlap
	}), err
}

// held says whether a case of the same session must be kept: then its second recorders' cases must be, too.
func held(c Case, all []Case) bool {
	return slices.ContainsFunc(all, func(o Case) bool {
		return o.Hold != nil && (o.ID == c.ID || o.Room == c.Room && o.Session == c.Session && (c.Standby != "" || o.Standby != ""))
	})
}

func (s *Store) config() evidence.WriterConfig {
	return evidence.WriterConfig{Seal: s.seal, Clock: func() (int64, time.Time) { return 0, s.now() }}
}

// Expire deletes the closed cases that are older than keep says of their rooms, where 0 is for ever, and are not held. It
// returns those that it deleted; an error tells of those that it could not delete, or not even read.
func (s *Store) Expire(keep func(room string) time.Duration) (gone []Case, err error) {
	all, err := s.Local()
	for _, c := range all {
		limit := keep(c.Room)
		if c.State == Unreadable && limit > 0 {
			err = errors.Join(err, fmt.Errorf("case %s of room %s: %s", c.ID, c.Room, c.Fault))
		}
		if c.State != Closed || held(c, all) || limit <= 0 || s.now().Sub(c.Began.Add(c.Length)) < limit {
			continue
		}
		if e := evidence.Delete(c.Dir, s.config(), "relay", fmt.Sprintf("recordings of this room are kept for %s", limit)); e != nil {
			err = errors.Join(err, e)
			continue
		}
		gone = append(gone, c)
	}
	return gone, err
}
