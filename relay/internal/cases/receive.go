package cases

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/movie"
	"sightline/relay/internal/auth"
)

// Inbox takes the cases of second recorders, in pieces, and puts each that is whole and proven beside the relay's own.
// Its methods may be called from any goroutine.
//
//	DATA/inbox/ID.zip   what has come of a case's archive
//	DATA/inbox/ID       the case while it is unpacked
type Inbox struct {
	store *Store
	max   int64 // bytes of a case
	mu    sync.Mutex
	busy  map[string]bool
}

// The reasons why a piece of a case is not taken.
var (
	ErrBusy     = errors.New("the case is being uploaded by somebody else at this moment")
	ErrTooLarge = errors.New("the case is larger than this relay takes")
	ErrNoRoom   = errors.New("the relay's disk has no room for the case")
	ErrRefused  = errors.New("the case is not proven, and is not taken")
	ErrName     = errors.New("this cannot be")
)

// OffsetError says where the relay wants to go on.
type OffsetError struct{ At int64 }

func (e *OffsetError) Error() string { return fmt.Sprintf("the relay has %d bytes of it", e.At) }

// Offset is where the relay wants to go on.
func (e *OffsetError) Offset() int64 { return e.At }

// NewInbox opens the inbox of a store. max bounds a case's archive, bytes.
func NewInbox(s *Store, max int64) *Inbox { return &Inbox{store: s, max: max, busy: map[string]bool{}} }

func (i *Inbox) dir() string           { return filepath.Join(i.store.data, "inbox") }
func (i *Inbox) file(id string) string { return filepath.Join(i.dir(), id+".zip") }

// IsID says whether a text can be the ID of a case.
func IsID(id string) bool {
	return len(id) >= 10 && len(id) <= 64 && strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// Has says how much of a case has come, and whether all of it is taken.
func (i *Inbox) Has(room, id string) (offset int64, complete bool, err error) {
	switch { // both are part of a path
	case !IsID(id):
		return 0, false, fmt.Errorf("%w: %.70q is no case's ID", ErrName, id)
	case !auth.RoomName(room):
		return 0, false, fmt.Errorf("%w: %.70q is no room's name", ErrName, room)
	}
	if i.taken(room, id) {
		return 0, true, nil
	}
	info, err := os.Stat(i.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	return info.Size(), false, nil
}

// taken says whether a second recorder's case is in its place.
func (i *Inbox) taken(room, id string) bool {
	chains, _ := filepath.Glob(filepath.Join(i.store.data, "recordings", room, "*", evidence.ChainFile))
	for _, chain := range chains {
		if about, err := evidence.Begin(filepath.Dir(chain)); err == nil && about.ID == id {
			return true
		}
	}
	return false
}

// Take takes a piece of a case's archive from offset on; length is of the whole. When all has come it is proven, and
// who brought it is written into its chain. dir is where it is then; empty while more is to come.
func (i *Inbox) Take(ctx context.Context, room, id string, offset, length int64, body io.Reader, who string) (dir string, err error) {
	i.mu.Lock()
	busy := i.busy[id]
	i.busy[id] = true
	i.mu.Unlock()
	if busy {
		return "", ErrBusy
	}
	defer func() {
		i.mu.Lock()
		delete(i.busy, id)
		i.mu.Unlock()
	}()
	has, complete, err := i.Has(room, id)
	switch {
	case err != nil || complete:
		return "", err
	case offset != has:
		return "", &OffsetError{has}
	case length > i.max || length <= 0 || offset > length:
		return "", fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, length, i.max)
	}
	if err := i.fits(2*length - offset); err != nil {
		return "", err
	}
	n, err := i.add(id, offset, io.LimitReader(body, length-offset))
	if err != nil {
		return "", err
	}
	if offset+n < length {
		return "", nil
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return i.complete(room, id, who)
}

// fits says whether the disk has room for so many bytes, and something for the recordings.
func (i *Inbox) fits(size int64) error {
	const spare = 512 << 20
	if err := os.MkdirAll(i.dir(), 0o755); err != nil {
		return err
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(i.dir(), &s); err != nil {
		return err
	}
	if free := int64(s.Bavail) * s.Bsize; free < size+spare {
		return fmt.Errorf("%w: %d MB are free", ErrNoRoom, free>>20)
	}
	return nil
}

// add puts bytes at the end of what has come. What came before a break stays.
func (i *Inbox) add(id string, offset int64, from io.Reader) (int64, error) {
	f, err := os.OpenFile(i.file(id), os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	_, err = f.Seek(offset, io.SeekStart)
	n := int64(0)
	if err == nil {
		n, err = io.Copy(f, from)
	}
	return n, errors.Join(err, f.Sync(), f.Close())
}

// complete proves a case and puts it in its place. One that is not proven is let go.
func (i *Inbox) complete(room, id, who string) (string, error) {
	about, err := i.prove(room, id)
	if err != nil {
		return "", errors.Join(err, os.Remove(i.file(id)))
	}
	staged := filepath.Join(i.dir(), id)
	if err := os.RemoveAll(staged); err != nil {
		return "", err
	}
	if err := evidence.Unpack(i.file(id), staged); err != nil {
		return "", err
	}
	if err := evidence.Receive(staged, i.store.config(), i.store.seal.Key(), who); err != nil {
		return "", err
	}
	began := time.UnixMicro(about.SessionBegan + about.Start).UTC().Format("2006-01-02T15-04-05Z")
	dir := filepath.Join(i.store.data, "recordings", room, began+"-second-"+movie.FileName(about.ID))
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(staged, dir); err != nil {
		return "", err
	}
	return dir, os.Remove(i.file(id))
}

// prove sees that a case is whole, of that room, and what its second recorder has signed.
func (i *Inbox) prove(room, id string) (evidence.About, error) {
	about, err := evidence.Begin(i.file(id))
	switch {
	case err != nil:
		return about, fmt.Errorf("%w: %w", ErrRefused, err)
	case about.ID != id || about.Room != room || about.Standby == "":
		return about, fmt.Errorf("%w: it is case %s of room %s", ErrRefused, about.ID, about.Room)
	}
	report, err := evidence.Verify(i.file(id), evidence.VerifyConfig{Key: about.Key})
	if err == nil && !report.Proven {
		f := report.Faults[0]
		err = fmt.Errorf("%s: %s: %s", f.Kind, f.Place, f.Text)
	}
	if err != nil {
		return about, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return about, nil
}

// abandoned is how long the relay waits for the rest of a case.
const abandoned = 14 * 24 * time.Hour

// Clean lets go what nobody goes on with.
func (i *Inbox) Clean() error {
	entries, err := os.ReadDir(i.dir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		info, e2 := e.Info()
		if e2 == nil && i.store.now().Sub(info.ModTime()) > abandoned {
			err = errors.Join(err, os.RemoveAll(filepath.Join(i.dir(), e.Name())))
		}
	}
	return err
}
