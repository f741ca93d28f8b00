// Package cases looks after the cases of a relay once they are recorded: which there are and which are missing, which
// must be kept, and which are deleted, by somebody or because their time is over.
package cases

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
)

// The states of a case.
const (
	Recording = "recording" // or left open by a crash, which the next start closes
	Closed    = "closed"
	Deleted   = "deleted"
	Missing   = "missing" // the transparency log knows it, and it is not there
	// Unreadable is a case that is there, and of which something that has to be known cannot be read: Fault says what.
	Unreadable = "unreadable"
)

// Case is one case.
type Case struct {
	ID, Room, Dir string
	State         string
	Fault         string // why it is unreadable, and what to do
	Began         time.Time
	Length        time.Duration
	Size          int64 // bytes
	Hold          *Hold // nil: it may be deleted
	// Standby is the participant whose second recorder wrote it; empty for the relay's own.
	Standby string
	Session int64 // when the session began, µs since the Unix epoch
	// Local says that its contents are on the relay's disk, and Stored that it is in the object store; nil: it is not.
	Local  bool
	Stored *Stored
}

// Store is the cases under a relay's data directory.
type Store struct {
	data string
	seal *seal.Seal
	now  func() time.Time
}

// Open opens the cases under a data directory.
func Open(data string, s *seal.Seal, now func() time.Time) *Store { return &Store{data, s, now} }

// Local returns the cases whose chain is on the relay's disk, by when they began. One that cannot be read is among them,
// and says so.
func (s *Store) Local() ([]Case, error) {
	chains, err := filepath.Glob(filepath.Join(s.data, "recordings", "*", "*", evidence.ChainFile))
	if err != nil {
		return nil, err
	}
	var all []Case
	for _, chain := range chains {
		c, err := s.read(filepath.Dir(chain))
		if err != nil {
			c.State, c.Local, c.Fault = Unreadable, false, err.Error()
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Case) int { return a.Began.Compare(b.Began) })
	return all, nil
}

// List returns all cases: those that are there, and those that the transparency log knows and are not. Sorted by when
// they began; missing ones last.
func (s *Store) List() ([]Case, error) {
	all, err := s.Local()
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, c := range all {
		known[c.ID] = true
	}
	err = s.seal.Entries(func(_ int64, signed string) error {
		text, _, _ := strings.Cut(signed, "\n\n")
		head, err := evidence.ParseHead(text + "\n")
		if err == nil && !known[head.Case] {
			known[head.Case] = true
			all = append(all, Case{ID: head.Case, State: Missing})
		}
		return nil
	})
	return all, err
}

// read looks at a case without reading all of it. Errors are for people, and say what to do.
func (s *Store) read(dir string) (Case, error) {
	// Of a case without a beginning the folder is all that is known.
	c := Case{Dir: dir, State: Recording, ID: filepath.Base(dir), Room: filepath.Base(filepath.Dir(dir))}
	place := "recordings/" + c.Room + "/" + c.ID
	first, err := begin(dir)
	if err != nil {
		return c, fmt.Errorf("the beginning of its chain cannot be read (%w): look at %s in the relay's directory, and move away what is no case", bare(err), place)
	}
	c.ID, c.Room, c.Standby, c.Began = first.ID, first.Room, first.Standby, time.UnixMicro(first.SessionBegan+first.Start).UTC()
	c.Session = first.SessionBegan
	if c.Hold, err = s.hold(c.ID); err != nil {
		return c, fmt.Errorf("its legal hold cannot be read (%w): hold it again, or release it", bare(err))
	}
	if c.Stored, err = s.readStored(c.ID); err != nil {
		return c, fmt.Errorf("stored/%s.json in the relay's directory, which says where it is in the store, cannot be read (%w): bring it back from a backup; "+
			"or, where the case's files are still in %s, remove it, and the case is stored again", c.ID, bare(err), place)
	}
	if err := c.look(); err != nil {
		return c, fmt.Errorf("it cannot be read (%w): relay verify %s, in the relay's directory, says what is wrong with it", bare(err), place)
	}
	return c, nil
}

// bare is an error of the file system without the path, which is nobody's business outside.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// look sees how far a case is, how large, and where its contents are.
func (c *Case) look() error {
	ended, deleted, err := evidence.State(c.Dir)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(c.Dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			c.Size += info.Size()
		}
	}
	if !ended || err != nil {
		return err
	}
	if deleted {
		c.State, c.Local = Deleted, true // all that there is of it
		return nil
	}
	data, err := os.ReadFile(filepath.Join(c.Dir, evidence.ManifestFile))
	if errors.Is(err, fs.ErrNotExist) && c.Stored != nil {
		c.State, c.Length, c.Size = Closed, c.Stored.Length, c.Stored.Size
		return nil
	}
	var m evidence.Manifest
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	c.State, c.Local, c.Length = Closed, true, time.Duration(m.To-m.Case.Start)*time.Microsecond
	return err
}

// begin reads the first record of a chain.
func begin(dir string) (*evidence.About, error) {
	f, err := os.Open(filepath.Join(dir, evidence.ChainFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	line, err := bufio.NewReader(f).ReadBytes('\n')
	if err != nil {
		return nil, errors.New("there is no whole line")
	}
	r, err := evidence.ParseRecord(line[:len(line)-1])
	if err == nil && r.Case == nil {
		err = errors.New("it begins no case")
	}
	return r.Case, err
}

// Find returns a case that is there.
func (s *Store) Find(id string) (Case, error) {
	all, err := s.Local()
	if err != nil {
		return Case{}, err
	}
	i := slices.IndexFunc(all, func(c Case) bool { return c.ID == id })
	if i < 0 {
		return Case{}, fmt.Errorf("there is no case %q; relay cases list prints them", id)
	}
	return all[i], nil
}
