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
//	DATA/inbox/ROOM/ID.zip   what has come of a case's archive
//	DATA/inbox/ROOM/ID       the case while it is unpacked
//
// What waits there for its rest is bounded: in all, and in the number of cases of a room.
type Inbox struct {
	store *Store
	max   int64 // bytes of a case
	mu    sync.Mutex
	busy  map[string]int64 // what is being taken now, by file: how long it will be
}

const (
	// inboxCases is of how many cases of the largest size the inbox has room.
	inboxCases = 4
	// roomCases is how many cases of a room may wait for their rest.
	roomCases = 8
)

// The reasons why a piece of a case is not taken.
var (
	ErrBusy     = errors.New("the case is being uploaded by somebody else at this moment")
	ErrTooLarge = errors.New("the case is larger than this relay takes")
	ErrNoRoom   = errors.New("the relay's disk has no room for the case")
	ErrFull     = errors.New("too much waits already for its rest: finish what was begun, or come again later")
	ErrRefused  = errors.New("the case is not proven, and is not taken")
	ErrName     = errors.New("this cannot be")
)

// OffsetError says where the relay wants to go on.
type OffsetError struct{ At int64 }

func (e *OffsetError) Error() string { return fmt.Sprintf("the relay has %d bytes of it", e.At) }

// Offset is where the relay wants to go on.
func (e *OffsetError) Offset() int64 { return e.At }

// NewInbox opens the inbox of a store. max bounds a case's archive, bytes.
func NewInbox(s *Store, max int64) *Inbox {
	return &Inbox{store: s, max: max, busy: map[string]int64{}}
}

func (i *Inbox) dir() string                 { return filepath.Join(i.store.data, "inbox") }
func (i *Inbox) file(room, id string) string { return filepath.Join(i.dir(), room, id+".zip") }

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
	info, err := os.Stat(i.file(room, id))
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
	_, complete, err := i.Has(room, id)
	switch {
	case err != nil || complete:
		return "", err
	case length > i.max || length <= 0 || offset > length:
		return "", fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, length, i.max)
	}
	file := i.file(room, id)
	if err := i.begin(file, length); err != nil {
		return "", err
	}
	defer func() {
		i.mu.Lock()
		delete(i.busy, file)
		i.mu.Unlock()
	}()
	has, complete, err := i.Has(room, id)
	if err != nil || complete { // now that it is nobody else's
		return "", err
	}
	if offset != has {
		return "", &OffsetError{has}
	}
	if err := i.fits(2*length - offset); err != nil {
		return "", err
	}
	n, err := i.add(file, offset, io.LimitReader(body, length-offset))
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

// begin takes hold of a file that is to become so long, where the inbox has room for it.
func (i *Inbox) begin(file string, length int64) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, busy := i.busy[file]; busy {
		return ErrBusy
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	waiting, err := filepath.Glob(filepath.Join(i.dir(), "*", "*.zip"))
	if err != nil {
		return err
	}
	all, ofRoom := length, 1
	for _, other := range waiting {
		if other == file {
			continue
		}
		if filepath.Dir(other) == filepath.Dir(file) {
			ofRoom++
		}
		if to, busy := i.busy[other]; busy {
			all += to
		} else if info, err := os.Stat(other); err == nil {
			all += info.Size()
		}
	}
	switch {
	case ofRoom > roomCases:
		return fmt.Errorf("%w (%d cases of this room)", ErrFull, ofRoom-1)
	case all > inboxCases*i.max:
		return fmt.Errorf("%w (%d MB of all rooms)", ErrFull, (all-length)>>20)
	}
	i.busy[file] = length
	return nil
}

// fits says whether the disk has room for so many bytes, and something for the recordings.
func (i *Inbox) fits(size int64) error {
	const spare = 512 << 20
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
func (i *Inbox) add(file string, offset int64, from io.Reader) (int64, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o644)
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
		return "", errors.Join(err, os.Remove(i.file(room, id)))
	}
	staged := filepath.Join(i.dir(), room, id)
	if err := os.RemoveAll(staged); err != nil {
		return "", err
	}
	if err := evidence.Unpack(i.file(room, id), staged); err != nil {
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
	return dir, os.Remove(i.file(room, id))
}

// prove sees that a case is whole, of that room, and what its second recorder has signed.
func (i *Inbox) prove(room, id string) (evidence.About, error) {
	about, err := evidence.Begin(i.file(room, id))
	switch {
	case err != nil:
		return about, fmt.Errorf("%w: %w", ErrRefused, err)
	case about.ID != id || about.Room != room || about.Standby == "":
		return about, fmt.Errorf("%w: it is case %s of room %s", ErrRefused, about.ID, about.Room)
	}
	report, err := evidence.Verify(i.file(room, id), evidence.VerifyConfig{Key: about.Key})
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
	i.mu.Lock()
	defer i.mu.Unlock()
	all, err := filepath.Glob(filepath.Join(i.dir(), "*", "*"))
	copies, e := filepath.Glob(filepath.Join(i.dir(), "*.zip")) // that somebody has read a case from
	err = errors.Join(err, e)
	for _, path := range append(all, copies...) {
		info, e := os.Stat(path)
		if _, busy := i.busy[path]; e == nil && !busy && i.store.now().Sub(info.ModTime()) > abandoned {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	return err
}
