package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Bucket keeps small values under keys of letters, digits, -, _, / and dots. Its methods may be called from any
// goroutine.
type Bucket struct {
	kv   jetstream.KeyValue
	name string
}

// ErrTaken says that a key has another revision than the caller knows.
var ErrTaken = errors.New("somebody else was faster")

// OpenBucket opens a bucket, or makes it. Values go after keep; 0 keeps them.
func (b *Bus) OpenBucket(ctx context.Context, name string, keep time.Duration) (*Bucket, error) {
	kv, err := b.bucket(ctx, jetstream.KeyValueConfig{Bucket: name, Storage: jetstream.FileStorage, TTL: keep})
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	return &Bucket{kv, name}, nil
}

func (b *Bucket) wrap(err error) error {
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyExists), errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence:
		return ErrTaken
	}
	return fmt.Errorf("bucket %s: %w", b.name, err)
}

// Get returns a key's value and its revision, which is 0 where it has none.
func (b *Bucket) Get(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout/2)
	defer cancel()
	e, err := b.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, b.wrap(err)
	}
	return e.Value(), e.Revision(), nil
}

// Set writes a key's value where it has the revision still; 0 is for a key without a value. It fails with ErrTaken.
func (b *Bucket) Set(ctx context.Context, key string, value []byte, revision uint64) error {
	ctx, cancel := context.WithTimeout(ctx, timeout/2)
	defer cancel()
	var err error
	if revision == 0 {
		_, err = b.kv.Create(ctx, key, value)
	} else {
		_, err = b.kv.Update(ctx, key, value, revision)
	}
	return b.wrap(err)
}

// Put writes a key's value, whatever it was.
func (b *Bucket) Put(ctx context.Context, key string, value []byte) error {
	ctx, cancel := context.WithTimeout(ctx, timeout/2)
	defer cancel()
	_, err := b.kv.Put(ctx, key, value)
	return b.wrap(err)
}

// Delete takes a key's value away where it has the revision still. It fails with ErrTaken.
func (b *Bucket) Delete(ctx context.Context, key string, revision uint64) error {
	ctx, cancel := context.WithTimeout(ctx, timeout/2)
	defer cancel()
	return b.wrap(b.kv.Delete(ctx, key, jetstream.LastRevision(revision)))
}

// All calls fn with every key and its value.
func (b *Bucket) All(ctx context.Context, fn func(key string, value []byte)) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	w, err := b.kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return b.wrap(err)
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok || e == nil {
				return b.wrap(ctx.Err())
			}
			fn(e.Key(), e.Value())
		case <-ctx.Done():
			return b.wrap(ctx.Err())
		}
	}
}

// watchAgain is the pause after a watch that failed.
const watchAgain = time.Second

// Watch calls fn with every key and its value, then with each that changes, nil for one that is taken away, until ctx
// ends. After a failure it begins again.
func (b *Bucket) Watch(ctx context.Context, fn func(key string, value []byte)) {
	for ctx.Err() == nil {
		w, err := b.kv.WatchAll(ctx)
		for err == nil {
			e, ok := <-w.Updates()
			if !ok {
				break
			}
			switch {
			case e == nil: // all that was there has come
			case e.Operation() == jetstream.KeyValuePut:
				fn(e.Key(), e.Value())
			default:
				fn(e.Key(), nil)
			}
		}
		select {
		case <-time.After(watchAgain):
		case <-ctx.Done():
		}
	}
}

// Say tells everybody who hears the subject now. Nobody keeps it.
func (b *Bus) Say(subject string, data []byte) error { return b.conn.Publish(subject, data) }

// Hear calls fn with what is said on a subject, also by this relay, until stop.
func (b *Bus) Hear(subject string, fn func([]byte)) (stop func(), err error) {
	s, err := b.conn.Subscribe(subject, func(m *nats.Msg) { fn(m.Data) })
	if err != nil {
		return nil, fmt.Errorf("hear %s: %w", subject, err)
	}
	return func() { _ = s.Unsubscribe() }, nil
}
