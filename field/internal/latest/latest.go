// Package latest hands things from one goroutine to another through a box that holds one: who is late
// finds the newest, and what was not taken in time is counted.
package latest

import (
	"context"
	"sync"
)

// Box holds one thing. One goroutine puts and one takes; End may be called by any.
type Box[T any] struct {
	drop func(T)
	news chan struct{} // of capacity 1

	mu      sync.Mutex
	value   T
	full    bool
	ended   bool
	dropped int
}

// New makes an empty box. drop is called with everything that is not taken; nil where nothing is to be done.
func New[T any](drop func(T)) *Box[T] {
	if drop == nil {
		drop = func(T) {}
	}
	return &Box[T]{drop: drop, news: make(chan struct{}, 1)}
}

// Put puts v in, over what was not taken.
func (b *Box[T]) Put(v T) {
	b.mu.Lock()
	old, had := b.value, b.full
	if b.ended {
		old, had = v, true
	} else {
		b.value, b.full = v, true
	}
	if had {
		b.dropped++
	}
	b.mu.Unlock()
	if had {
		b.drop(old)
	}
	b.ring()
}

// Offer puts v in where the box is empty. False says that it is not, or has ended, and that v is still
// the caller's.
func (b *Box[T]) Offer(v T) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full || b.ended {
		b.dropped++
		return false
	}
	b.value, b.full = v, true
	b.ring()
	return true
}

// Take returns what is in the box; ended says that nothing is and nothing will be.
func (b *Box[T]) Take() (v T, ok, ended bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full {
		v = b.value
		var none T
		b.value, b.full = none, false
		return v, true, false
	}
	return v, false, b.ended
}

// News rings after Put, Offer and End. A ring may be about what was taken already.
func (b *Box[T]) News() <-chan struct{} { return b.news }

// Get waits for what is put in; false after the end, or when ctx ends.
func (b *Box[T]) Get(ctx context.Context) (T, bool) {
	for {
		v, ok, ended := b.Take()
		if ok || ended {
			return v, ok
		}
		select {
		case <-b.news:
		case <-ctx.Done():
			return v, false
		}
	}
}

// End says that nothing more comes. What is in the box can still be taken.
func (b *Box[T]) End() {
	b.mu.Lock()
	b.ended = true
	b.mu.Unlock()
	b.ring()
}

// Dropped returns how many were not taken.
func (b *Box[T]) Dropped() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

func (b *Box[T]) ring() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}
