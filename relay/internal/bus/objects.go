package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Objects keeps large things under names. Its methods may be called from any goroutine; nothing is held whole in
// memory.
type Objects struct {
	store jetstream.ObjectStore
	name  string
}

// OpenObjects opens a store of objects, or makes it.
func (b *Bus) OpenObjects(ctx context.Context, name string) (*Objects, error) {
	cfg := jetstream.ObjectStoreConfig{Bucket: name, Storage: jetstream.FileStorage}
	o := &Objects{name: name}
	err := b.made(ctx, "OBJ_"+name, &cfg.Replicas, func(ctx context.Context) (err error) {
		o.store, err = b.js.CreateOrUpdateObjectStore(ctx, cfg)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("object store %s: %w", name, err)
	}
	return o, nil
}

// transfer is how long one object may be on its way. Without a time of our own, NATS takes its five seconds.
const transfer = 6 * time.Hour

func (o *Objects) wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrObjectNotFound):
		return fmt.Errorf("object store %s: %w", o.name, fs.ErrNotExist)
	}
	return fmt.Errorf("object store %s: %w", o.name, err)
}

// Put keeps what is read under a name, in the place of what was there.
func (o *Objects) Put(ctx context.Context, name string, from io.Reader, _ int64) error {
	ctx, cancel := context.WithTimeout(ctx, transfer)
	defer cancel()
	_, err := o.store.Put(ctx, jetstream.ObjectMeta{Name: name}, from)
	return o.wrap(err)
}

// Get reads an object from a byte on, and says how large it is. The error is fs.ErrNotExist where there is none. What
// was changed on the disk is found when all of it has been read from its beginning.
func (o *Objects) Get(ctx context.Context, name string, offset int64) (io.ReadCloser, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, transfer)
	r, err := o.store.Get(ctx, name)
	if err != nil {
		cancel()
		return nil, 0, o.wrap(err)
	}
	info, err := r.Info()
	if err == nil {
		_, err = io.CopyN(io.Discard, r, min(offset, int64(info.Size)))
	}
	if err != nil {
		err = errors.Join(o.wrap(err), r.Close())
		cancel()
		return nil, 0, err
	}
	return &reading{r, cancel}, int64(info.Size), nil
}

// reading is an object that is read.
type reading struct {
	io.ReadCloser
	done context.CancelFunc
}

func (r *reading) Close() error {
	defer r.done()
	return r.ReadCloser.Close()
}

// Stat says how large an object is, when it was put, and the base64url of its SHA-256. The error is fs.ErrNotExist where
// there is none.
func (o *Objects) Stat(ctx context.Context, name string) (size int64, at time.Time, sum string, err error) {
	info, err := o.store.GetInfo(ctx, name)
	if err != nil {
		return 0, at, "", o.wrap(err)
	}
	return int64(info.Size), info.ModTime, strings.TrimPrefix(info.Digest, "SHA-256="), nil
}

// Delete takes an object away. One that is not there is no error.
func (o *Objects) Delete(ctx context.Context, name string) error {
	err := o.store.Delete(ctx, name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil
	}
	return o.wrap(err)
}

// Each calls fn with every object.
func (o *Objects) Each(ctx context.Context, fn func(name string, size int64, at time.Time)) error {
	all, err := o.store.List(ctx)
	if errors.Is(err, jetstream.ErrNoObjectsFound) {
		return nil
	}
	if err != nil {
		return o.wrap(err)
	}
	for _, info := range all {
		fn(info.Name, int64(info.Size), info.ModTime)
	}
	return nil
}
