package export

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
)

// stateFile says what of an export is finished.
const stateFile = ".export.json"

// state is what is known of earlier runs into the same folder.
type state struct {
	dir string
	// Of names the case and all that the files depend on; another one begins anew.
	Of   string           `json:"of"`
	Done map[string]print `json:"done"`
	Film *checkpoint      `json:"film,omitempty"`
}

// print is the fingerprint of a finished file.
type print struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// checkpoint is how far an unfinished film is whole.
type checkpoint struct {
	print
	Step      int    `json:"step"` // that comes next
	Fragments uint32 `json:"fragments"`
}

// loadState reads what earlier runs left. A state that cannot be read, or is of something else, is none.
func loadState(dir, of string) *state {
	s := &state{}
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil || json.Unmarshal(data, s) != nil || s.Of != of {
		s = &state{Of: of}
	}
	s.dir = dir
	if s.Done == nil {
		s.Done = map[string]print{}
	}
	return s
}

func (s *state) save() error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(s.dir, stateFile), func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
}

// finished says whether a file is there as an earlier run left it.
func (s *state) finished(name string) bool {
	want, ok := s.Done[name]
	if !ok {
		return false
	}
	got, err := fingerprint(filepath.Join(s.dir, name))
	return err == nil && got == want
}

// finish notes that a file is made.
func (s *state) finish(name string) error {
	p, err := fingerprint(filepath.Join(s.dir, name))
	if err != nil {
		return err
	}
	s.Done[name] = p
	return s.save()
}

func fingerprint(path string) (print, error) {
	f, err := os.Open(path)
	if err != nil {
		return print{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return print{n, hex.EncodeToString(h.Sum(nil))}, err
}

// writeFile writes a file so that it is there whole or not at all.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// tail is the unfinished film: it is appended to, and what was appended is hashed.
type tail struct {
	file *os.File
	hash hash.Hash
	size int64
}

// openTail opens the unfinished film where a checkpoint is right, and cuts off what came after it; ok is false
// where it begins anew.
func openTail(path string, c *checkpoint) (t *tail, ok bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, false, err
	}
	t = &tail{file: f, hash: sha256.New()}
	if c != nil {
		n, err := io.Copy(t.hash, io.LimitReader(f, c.Size))
		ok = err == nil && n == c.Size && hex.EncodeToString(t.hash.Sum(nil)) == c.SHA256
	}
	if ok {
		t.size = c.Size
	} else {
		t.hash.Reset()
	}
	err = f.Truncate(t.size)
	if err == nil {
		_, err = f.Seek(t.size, io.SeekStart)
	}
	if err != nil {
		return nil, false, errors.Join(fmt.Errorf("film: %w", err), f.Close())
	}
	return t, ok, nil
}

func (t *tail) Write(p []byte) (int, error) {
	n, err := t.file.Write(p)
	t.hash.Write(p[:n])
	t.size += int64(n)
	return n, err
}

// mark is the fingerprint of what is written so far, which it brings on the disk.
func (t *tail) mark() (print, error) {
	return print{t.size, hex.EncodeToString(t.hash.Sum(nil))}, t.file.Sync()
}
