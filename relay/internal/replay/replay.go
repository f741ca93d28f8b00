// Package replay lets what is said on a signalling socket outlive the socket: messages are numbered from 1, kept until
// the other end has them, and said again on the next socket from where the other end has heard. Both ends use it.
package replay

import (
	"context"
	"errors"
	"sync"

	"sightline/relay/wire"
)

// ErrFull says that the other end has taken nothing for too long.
var ErrFull = errors.New("the signalling socket is not read")

// Out is what one end has to say. Its methods may be called from any goroutine. At most Max messages wait, which bounds
// its memory.
type Out struct {
	Max int

	mu      sync.Mutex
	last    int64         // number of the latest message
	kept    []wire.Signal // not yet known to have been heard, oldest first
	written int           // how many of them are on the socket
	socket  int           // how many sockets there have been
	more    chan struct{} // closed when there is more to write; nil: nobody waits
}

// Put keeps a message to be said. It fails with ErrFull.
func (o *Out) Put(m wire.Signal) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.kept) >= o.Max {
		return ErrFull
	}
	o.last++
	m.N = o.last
	o.kept = append(o.kept, m)
	o.wake()
	return nil
}

func (o *Out) wake() {
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
}

// Open begins a new socket, after the message that the other end has heard last, and returns its number. What is on the
// sockets before it counts no more. It fails where the message is not known any more, or not yet.
func (o *Out) Open(heard int64) (socket int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if heard > o.last || heard < o.last-int64(len(o.kept)) {
		return 0, errors.New("the sockets do not join: messages are missing between them")
	}
	o.forget(heard)
	o.socket++
	o.written = 0
	o.wake()
	return o.socket, nil
}

// Joins says whether Open would fail.
func (o *Out) Joins(heard int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return heard <= o.last && heard >= o.last-int64(len(o.kept))
}

// forget lets go of the messages up to one. The caller holds mu.
func (o *Out) forget(heard int64) {
	for len(o.kept) > 0 && o.kept[0].N <= heard {
		o.kept, o.written = o.kept[1:], max(0, o.written-1)
	}
}

// Say says what there is to say on a socket, until saying it fails, ctx ends or another socket takes its place.
func (o *Out) Say(ctx context.Context, socket int, say func(wire.Signal) error) error {
	for {
		m, wait, ok := o.next(socket)
		switch {
		case !ok:
			return nil
		case wait != nil:
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if err := say(m); err != nil {
			return err
		}
		o.wrote(socket, m)
	}
}

// next returns the next message for a socket, or a channel that is closed when there may be one. ok is false where
// another socket has taken its place.
func (o *Out) next(socket int) (m wire.Signal, wait <-chan struct{}, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if socket != o.socket {
		return m, nil, false
	}
	if o.written < len(o.kept) {
		return o.kept[o.written], nil, true
	}
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return m, o.more, true
}

// wrote takes note that next's message is on the socket.
func (o *Out) wrote(socket int, m wire.Signal) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if socket == o.socket && o.written < len(o.kept) && o.kept[o.written].N == m.N {
		o.written++
	}
}

// Written is the number of the latest message on the socket. Whatever answers something that was sent after it says that
// the other end has it: see Heard.
func (o *Out) Written() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last - int64(len(o.kept)-o.written)
}

// Heard lets go of what the other end has.
func (o *Out) Heard(socket int, n int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if socket == o.socket {
		o.forget(n)
	}
}

// In is what one end has heard. Its methods may be called from any goroutine.
type In struct {
	mu   sync.Mutex
	last int64
}

// Take calls f with a message that has not been taken before, one after another. Messages of who does not number them
// are always taken. It fails where one is missing.
func (i *In) Take(m wire.Signal, f func(wire.Signal)) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case m.N == 0:
	case m.N <= i.last:
		return nil
	case m.N != i.last+1:
		return errors.New("a message is missing on the signalling socket")
	default:
		i.last = m.N
	}
	f(m)
	return nil
}

// Last is the number of the latest message that was taken; its taking is over.
func (i *In) Last() int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.last
}
