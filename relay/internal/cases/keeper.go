package cases

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sightline/relay/evidence"
)

// Objects is where finished cases are kept: relay/internal/bus's and relay/internal/s3's.
type Objects interface {
	Put(ctx context.Context, name string, from io.Reader, size int64) error
	Get(ctx context.Context, name string, offset int64) (from io.ReadCloser, size int64, err error)
	Delete(ctx context.Context, name string) error
	Each(ctx context.Context, fn func(name string, size int64, at time.Time)) error
}

// Stored says that a case is in the object store. It is DATA/stored/ID.json.
type Stored struct {
	Name    string        `json:"name"` // of the object
	Size    int64         `json:"size"`
	SHA256  string        `json:"sha256"`
	UTC     time.Time     `json:"utc"`
	Length  time.Duration `json:"length"`
	Deleted bool          `json:"deleted,omitempty"` // it is the tombstone
}

// Keeper brings closed cases into the object store as archives, streamed, and takes their contents from the relay's disk
// when they have been there for a while; the chain stays. One goroutine runs it, and owns all writing there.
type Keeper struct {
	Store   *Store
	Objects Objects
	// Local is for how long a case stays on the relay's disk after it is in the store.
	Local time.Duration
	Log   *slog.Logger
	// Tell hears when the store fails, with the reason, and, with none, when it works again.
	Tell func(fault error)

	fault bool
}

// keepEvery is how often what there is to do is looked for.
const keepEvery = 30 * time.Second

// Run works until ctx ends. Something on nudge makes it look at once.
func (k *Keeper) Run(ctx context.Context, nudge <-chan struct{}) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		k.say(k.Round(ctx))
		select {
		case <-tick.C:
		case <-nudge:
		case <-ctx.Done():
			return
		}
	}
}

func (k *Keeper) say(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	switch {
	case err != nil && !k.fault:
		k.Log.Error("finished recordings are not put into the object store; they stay on the relay's disk", "error", err)
		k.Tell(err)
	case err == nil && k.fault:
		k.Log.Info("the object store works again")
		k.Tell(nil)
	}
	k.fault = err != nil
}

// Round does what there is to do, once.
func (k *Keeper) Round(ctx context.Context) error {
	local, err := k.Store.Local()
	if err != nil {
		return err
	}
	if err := k.Objects.Each(ctx, func(string, int64, time.Time) {}); err != nil { // does it answer?
		return err
	}
	for _, c := range local {
		if c.State != Closed && c.State != Deleted || ctx.Err() != nil {
			continue
		}
		var e error
		switch s := c.Stored; {
		case s == nil || s.Deleted != (c.State == Deleted):
			e = k.put(ctx, c)
		case c.State == Closed && c.Local && k.Store.now().Sub(s.UTC) >= k.Local:
			e = k.evict(ctx, c)
		}
		if e != nil { // the others are not to wait for it
			err = errors.Join(err, fmt.Errorf("case %s: %w", c.ID, e))
		}
	}
	return err
}

// object is what a case is called in the store.
func (c Case) object() string {
	return c.Room + "/" + strings.TrimSuffix(filepath.Base(c.Dir), "-"+c.ID) + "-" + c.ID + ".zip"
}

func (k *Keeper) put(ctx context.Context, c Case) error {
	size, err := evidence.PackedSize(c.Dir)
	if err != nil {
		return err
	}
	s := Stored{Name: c.object(), Size: size, UTC: k.Store.now().UTC(), Length: c.Length, Deleted: c.State == Deleted}
	sum := sha256.New()
	from := evidence.Packed(c.Dir, 0)
	err = k.Objects.Put(ctx, s.Name, io.TeeReader(from, sum), s.Size)
	if err = errors.Join(err, from.Close()); err != nil {
		return err
	}
	s.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return k.Store.writeStored(c.ID, s)
}

// evict takes the contents of a case from the relay's disk, after it has read the object and found it right.
func (k *Keeper) evict(ctx context.Context, c Case) error {
	from, size, err := k.Objects.Get(ctx, c.Stored.Name, 0)
	if errors.Is(err, fs.ErrNotExist) {
		k.Log.Error("a case is gone from the object store, and is put there again", "case", c.ID)
		return k.put(ctx, c)
	}
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, from)
	if err = errors.Join(err, from.Close()); err != nil {
		return err
	}
	if size != c.Stored.Size || hex.EncodeToString(sum.Sum(nil)) != c.Stored.SHA256 {
		k.Log.Error("a case was changed in the object store, and is put there again", "case", c.ID)
		return k.put(ctx, c)
	}
	entries, err := os.ReadDir(c.Dir)
	for _, e := range entries {
		if e.Name() != evidence.ChainFile {
			err = errors.Join(err, os.Remove(filepath.Join(c.Dir, e.Name())))
		}
	}
	return err
}

func (s *Store) storedFile(id string) string { return filepath.Join(s.data, "stored", id+".json") }

func (s *Store) writeStored(id string, is Stored) error { return write(s.storedFile(id), is) }

// readStored reads whether a case is in the store; nil where it is not.
func (s *Store) readStored(id string) (*Stored, error) {
	data, err := os.ReadFile(s.storedFile(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var is Stored
	if err == nil {
		err = json.Unmarshal(data, &is)
	}
	return &is, err
}
