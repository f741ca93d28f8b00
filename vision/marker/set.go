package marker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Set is the boards of a plant, as a boards file has them:
//
//	{"version": 1, "boards": [
//	  {"name": "pump-7", "machine": "hall1/pump-7", "upright": true, "tags": [
//	    {"family": "36h11", "id": 0, "corners": [[-0.088,0.088,0], [-0.008,0.088,0], [-0.008,0.008,0], [-0.088,0.008,0]]}]}]}
//
// Corners are metres on the sheet, x right, y up, z 0, clockwise from the tag's own top left. A tag stands
// on one board only.
type Set struct {
	Boards []Board
}

// version is that of the boards file.
const version = 1

// maxFile bounds what is read of a boards file, in bytes.
const maxFile = 16 << 20

type file struct {
	Version int     `json:"version"`
	Boards  []Board `json:"boards"`
}

// Valid returns an error that names what is wrong with the boards, or nil.
func (s Set) Valid() error {
	type name struct {
		family Family
		id     int
	}
	boards, tags := map[string]bool{}, map[name]string{}
	for _, b := range s.Boards {
		if err := b.Valid(); err != nil {
			return err
		}
		if boards[b.Name] {
			return fmt.Errorf("two boards have the name %q", b.Name)
		}
		boards[b.Name] = true
		for _, t := range b.Tags {
			n := name{t.Family, t.ID}
			if other, taken := tags[n]; taken {
				return fmt.Errorf("board %q: tag %s/%d is on board %q already", b.Name, t.Family, t.ID, other)
			}
			tags[n] = b.Name
		}
	}
	return nil
}

// Board returns the board of a name.
func (s Set) Board(name string) (Board, bool) {
	for _, b := range s.Boards {
		if b.Name == name {
			return b, true
		}
	}
	return Board{}, false
}

// Find returns the board that a tag is on, and the tag there.
func (s Set) Find(f Family, id int) (Board, Tag, bool) {
	for _, b := range s.Boards {
		for _, t := range b.Tags {
			if t.Family == f && t.ID == id {
				return b, t, true
			}
		}
	}
	return Board{}, Tag{}, false
}

// Free returns n tags of a family that are on no board, the first ones, or an error where fewer are left.
func (s Set) Free(f Family, n int) ([]int, error) {
	var free []int
	for id := 0; id < f.Tags() && len(free) < n; id++ {
		if _, _, taken := s.Find(f, id); !taken {
			free = append(free, id)
		}
	}
	if len(free) < n {
		return nil, fmt.Errorf("%d tags of family %s are left, %d are wanted: use the other family, or fewer tags on a board", len(free), f, n)
	}
	return free, nil
}

// Read reads a boards file. The error says what is wrong with it.
func Read(r io.Reader) (Set, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return Set{}, err
	}
	if len(data) > maxFile {
		return Set{}, fmt.Errorf("more than %d MB is no boards file", maxFile>>20)
	}
	var f file
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields() // a misspelt word must not silently mean nothing
	if err := d.Decode(&f); err != nil {
		return Set{}, err
	}
	if d.More() {
		return Set{}, errors.New("something follows after the boards")
	}
	if f.Version != version {
		return Set{}, fmt.Errorf("version %d, this program reads version %d", f.Version, version)
	}
	s := Set{Boards: f.Boards}
	return s, s.Valid()
}

// Load reads a boards file by its path.
func Load(path string) (Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return Set{}, fmt.Errorf("boards: %w", err)
	}
	defer f.Close()
	s, err := Read(f)
	if err != nil {
		return Set{}, fmt.Errorf("boards file %s: %w", path, err)
	}
	return s, nil
}

// LoadOrNew is Load, or an empty set where there is no such file yet.
func LoadOrNew(path string) (Set, error) {
	s, err := Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Set{}, nil
	}
	return s, err
}

// Write writes a boards file, one tag a line.
func (s Set) Write(w io.Writer) error {
	if err := s.Valid(); err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"version\": %d,\n  \"boards\": [", version)
	for i, board := range s.Boards {
		fmt.Fprintf(&b, "%s\n    {\"name\": %s, \"machine\": %s, \"upright\": %t, \"tags\": [", comma(i), quote(board.Name), quote(board.Machine), board.Upright)
		for k, t := range board.Tags {
			line, err := json.Marshal(t)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%s\n      %s", comma(k), line)
		}
		b.WriteString("]}")
	}
	b.WriteString("\n  ]\n}\n")
	_, err := w.Write(b.Bytes())
	return err
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

func quote(s string) string {
	q, _ := json.Marshal(s) // a string always can be
	return string(q)
}

// Save writes a boards file by its path: whole, or not at all.
func (s Set) Save(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("boards: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := errors.Join(s.Write(f), f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("boards file %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}
