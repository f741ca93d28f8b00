package client

import (
	"errors"
	"sync"

	"sightline/relay/wire"
)

// ErrOutboxFull says that too many log messages wait to be confirmed; the last one was not taken.
var ErrOutboxFull = errors.New("outbox is full: the relay has confirmed nothing for too long; wait for the connection")

// outbox holds the log messages that have not come back in the log, oldest first. Its mutex is also the
// order of sending: whoever sends on the log channel holds it.
type outbox struct {
	mu      sync.Mutex
	max     int
	waiting []letter
	session *session // where new letters go at once; nil while offline
}

type letter struct {
	envelope wire.Envelope
	data     []byte
}

// put keeps a message. The caller holds mu.
func (o *outbox) put(e wire.Envelope, data []byte) error {
	if len(o.waiting) >= o.max {
		return ErrOutboxFull
	}
	o.waiting = append(o.waiting, letter{e, data})
	return nil
}

// confirm forgets the message of that name and returns it.
func (o *outbox) confirm(msg string) (wire.Envelope, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, l := range o.waiting {
		if l.envelope.Msg == msg {
			o.waiting = append(o.waiting[:i], o.waiting[i+1:]...)
			return l.envelope, true
		}
	}
	return wire.Envelope{}, false
}

// open sends everything again, in order, on a new session, and what comes later at once.
func (o *outbox) open(s *session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.session = s
	for _, l := range o.waiting {
		s.sendLog(l.data)
	}
}

// again sends everything again, in order, unless the session is another one by now.
func (o *outbox) again(s *session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.session != s {
		return
	}
	for _, l := range o.waiting {
		s.sendLog(l.data)
	}
}

// shut keeps what comes from now on, until the next open.
func (o *outbox) shut(s *session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.session == s {
		o.session = nil
	}
}
