package media

import (
	"context"
	"sync"

	"sightline/devices"
)

// mailbox holds the newest frame of a live source: a reader who is late finds the newest one, as with
// a camera, and the numbers of the frames he missed are missing. One writer, one reader.
type mailbox struct {
	mu    sync.Mutex
	frame devices.Frame
	full  bool
	err   error         // why no more will come
	news  chan struct{} // of capacity 1
}

func newMailbox() *mailbox { return &mailbox{news: make(chan struct{}, 1)} }

// put replaces the frame that was not read.
func (b *mailbox) put(f devices.Frame) {
	b.mu.Lock()
	old, had := b.frame, b.full
	b.frame, b.full = f, true
	b.mu.Unlock()
	if had {
		old.Release()
	}
	b.ring()
}

// end says that no more frames will come. The last frame stays to be read.
func (b *mailbox) end(err error) {
	b.mu.Lock()
	if b.err == nil {
		b.err = err
	}
	b.mu.Unlock()
	b.ring()
}

func (b *mailbox) ring() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// get waits for a frame, the end, or ctx.
func (b *mailbox) get(ctx context.Context) (devices.Frame, error) {
	for {
		b.mu.Lock()
		f, full, err := b.frame, b.full, b.err
		b.frame, b.full = devices.Frame{}, false
		b.mu.Unlock()
		switch {
		case full:
			return f, nil
		case err != nil:
			b.ring() // for the next call
			return devices.Frame{}, err
		}
		select {
		case <-b.news:
		case <-ctx.Done():
			return devices.Frame{}, ctx.Err()
		}
	}
}

// drain releases the frame that nobody read.
func (b *mailbox) drain() {
	b.mu.Lock()
	f, full := b.frame, b.full
	b.frame, b.full = devices.Frame{}, false
	b.mu.Unlock()
	if full {
		f.Release()
	}
}
