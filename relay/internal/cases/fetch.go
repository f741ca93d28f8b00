package cases

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"sightline/relay/evidence"
)

// ErrNoStore says that a case is in the object store only, and this process does not reach that.
var ErrNoStore = errors.New("the case is in the object store; the running relay gives it out: relay cases export --relay, or its REST API")

// Archive is a case's archive, which can be read from any byte on. Close it afterwards.
type Archive struct {
	Size int64

	open func(offset int64) (io.ReadCloser, error)
	from io.ReadCloser
	at   int64
	now  int64 // where from stands
}

// Archive opens the archive of a closed case, from the relay's disk or from the store. objects may be nil. It fails with a
// StateError, ErrNoStore, or what the disk and the store say.
func (s *Store) Archive(ctx context.Context, c Case, objects Objects) (*Archive, error) {
	switch {
	case c.State != Closed && c.State != Deleted:
		return nil, conflict("case %s is %s: only a closed one can be given out", c.ID, c.State)
	case c.Local:
		size, err := evidence.PackedSize(c.Dir)
		if err != nil {
			return nil, err
		}
		return &Archive{Size: size, open: func(offset int64) (io.ReadCloser, error) { return evidence.Packed(c.Dir, offset), nil }}, nil
	case objects == nil:
		return nil, ErrNoStore
	}
	from, size, err := objects.Get(ctx, c.Stored.Name, 0)
	if err != nil {
		return nil, err
	}
	return &Archive{Size: size, from: from, open: func(offset int64) (io.ReadCloser, error) {
		from, _, err := objects.Get(ctx, c.Stored.Name, offset)
		return from, err
	}}, nil
}

// Seek says where to read next.
func (a *Archive) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += a.at
	case io.SeekEnd:
		offset += a.Size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	a.at = offset
	return offset, nil
}

// Read reads on from where Seek has said.
func (a *Archive) Read(p []byte) (int, error) {
	if a.at >= a.Size {
		return 0, io.EOF
	}
	if a.from == nil || a.now != a.at {
		if err := a.Close(); err != nil {
			return 0, err
		}
		var err error
		if a.from, err = a.open(a.at); err != nil {
			return 0, err
		}
		a.now = a.at
	}
	n, err := a.from.Read(p)
	a.at, a.now = a.at+int64(n), a.now+int64(n)
	return n, err
}

// Close ends reading.
func (a *Archive) Close() error {
	if a.from == nil {
		return nil
	}
	err := a.from.Close()
	a.from = nil
	return err
}

// Place returns where a case can be read at any place: its folder, or a copy of its archive, which release takes away.
func (s *Store) Place(ctx context.Context, c Case, objects Objects) (path string, release func() error, err error) {
	if c.Local || c.State == Deleted {
		return c.Dir, func() error { return nil }, nil
	}
	a, err := s.Archive(ctx, c, objects)
	if err != nil {
		return "", nil, err
	}
	dir := filepath.Join(s.data, "inbox")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, errors.Join(err, a.Close())
	}
	f, err := os.CreateTemp(dir, "fetched-*.zip")
	if err != nil {
		return "", nil, errors.Join(err, a.Close())
	}
	_, err = io.Copy(f, a)
	if err = errors.Join(err, a.Close(), f.Close()); err != nil {
		return "", nil, errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), func() error { return os.Remove(f.Name()) }, nil
}
