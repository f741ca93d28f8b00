package latest

import (
	"context"
	"slices"
	"sync"
	"testing"
)

func TestNewestWins(t *testing.T) {
	var dropped []int
	b := New(func(v int) { dropped = append(dropped, v) })
	b.Put(1)
	b.Put(2)
	if b.Offer(3) {
		t.Error("a full box took an offer")
	}
	if v, ok := b.Get(t.Context()); v != 2 || !ok {
		t.Errorf("got %d, %v; want the newest, 2", v, ok)
	}
	b.End()
	b.Put(4)
	if _, ok := b.Get(t.Context()); ok {
		t.Error("there was something after the end")
	}
	if want := []int{1, 4}; !slices.Equal(dropped, want) || b.Dropped() != 3 {
		t.Errorf("dropped %v, counted %d; want %v and 3", dropped, b.Dropped(), want)
	}
}

func TestLastIsTakenAfterTheEnd(t *testing.T) {
	b := New[int](nil)
	b.Offer(7)
	b.End()
	if v, ok := b.Get(t.Context()); v != 7 || !ok {
		t.Errorf("got %d, %v; want 7", v, ok)
	}
}

func TestGetEndsWithItsContext(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	b := New[int](nil)
	var done sync.WaitGroup
	done.Go(func() {
		if _, ok := b.Get(ctx); ok {
			t.Error("got something from an empty box")
		}
	})
	stop()
	done.Wait()
}
