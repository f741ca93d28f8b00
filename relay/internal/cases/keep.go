package cases

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
)

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
	data, err := json.Marshal(Hold{who, why, s.now().UTC()})
	if err == nil {
		err = os.MkdirAll(filepath.Dir(s.holdFile(id)), 0o755)
	}
	if err == nil {
		err = os.WriteFile(s.holdFile(id), append(data, '\n'), 0o644)
	}
	return err
}

// Release ends a hold.
func (s *Store) Release(id string) error {
	if _, err := s.Find(id); err != nil {
		return err
	}
	if err := os.Remove(s.holdFile(id)); err != nil {
		return fmt.Errorf("there is no hold on case %s", id)
	}
	return nil
}

// Delete deletes the contents of a case and leaves its tombstone.
func (s *Store) Delete(id, who, why string) error {
	c, err := s.Find(id)
	if err != nil {
		return err
	}
	if c.Hold != nil {
		return fmt.Errorf("case %s must be kept: %s (%s, %s); release it first", id, c.Hold.Why, c.Hold.Who, c.Hold.UTC.Format(time.DateOnly))
	}
	return evidence.Delete(c.Dir, s.config(), who, why)
}

func (s *Store) config() evidence.WriterConfig {
	return evidence.WriterConfig{Seal: s.seal, Clock: func() (int64, time.Time) { return 0, s.now() }}
}

// Expire deletes the closed cases that are older than keep says of their rooms, where 0 is for ever, and are not held. It
// returns those that it deleted.
func (s *Store) Expire(keep func(room string) time.Duration) (gone []Case, err error) {
	all, err := s.List()
	for _, c := range all {
		limit := keep(c.Room)
		if c.State != Closed || c.Hold != nil || limit <= 0 || s.now().Sub(c.Began.Add(c.Length)) < limit {
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
