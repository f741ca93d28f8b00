// Package sfu forwards media: a packet is read once from its publisher, and written once for every receiver,
// on the goroutine that has read it. Writing never waits: it encrypts, and leaves the packet to the socket's
// next batch. What a receiver has lost is sent again from the packets that are kept.
package sfu

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"

	"sightline/relay/wire"
)

// Packet is one RTP packet on its way through. It is shared by all its readers and never written to; it
// goes back to its pool when the last has called Release.
type Packet struct {
	Header  rtp.Header
	Payload []byte
	// Capture is the frame's abs-capture-time, as it goes on the wire.
	Capture [wire.AbsCaptureTimeSize]byte
	Arrived time.Time
	Key     bool  // a key frame begins here
	layer   uint8 // the temporal layer; those below do not need it
	up      bool  // the layer can be gone up to from here on
	afresh  bool  // what is missing before it is not asked for
	from    *Up
	size    int // of what was read

	marks [2]byte // audio level, video orientation, as they go on the wire
	has   [2]bool // whether the publisher sent them

	buffer [1500]byte
	refs   atomic.Int32
}

var errPadding = errors.New("packet has more padding than payload")

// parse reads the first n bytes of the buffer.
func (p *Packet) parse(n int) error {
	at, err := p.Header.Unmarshal(p.buffer[:n])
	if err != nil {
		return err
	}
	if p.Header.Padding {
		pad := int(p.buffer[n-1])
		if pad > n-at {
			return errPadding
		}
		n -= pad
		p.Header.Padding = false
	}
	p.Payload, p.size = p.buffer[at:n], n
	return nil
}

// copy takes over what another packet says.
func (p *Packet) copy(q *Packet) error {
	p.Header.Extensions = p.Header.Extensions[:0]
	copy(p.buffer[:q.size], q.buffer[:q.size])
	err := p.parse(q.size)
	p.Capture, p.Arrived, p.Key, p.layer, p.up, p.marks, p.has = q.Capture, q.Arrived, q.Key, q.layer, q.up, q.marks, q.has
	return err
}

// Retain keeps the packet for one more Release.
func (p *Packet) Retain() { p.refs.Add(1) }

// Release gives the packet up.
func (p *Packet) Release(pool *Pool) {
	if p.refs.Add(-1) == 0 {
		pool.pool.Put(p)
	}
}

// Pool lends packets.
type Pool struct{ pool sync.Pool }

// NewPool returns an empty pool. A relay has one.
func NewPool() *Pool { return &Pool{sync.Pool{New: func() any { return new(Packet) }}} }

func (p *Pool) get() *Packet {
	packet := p.pool.Get().(*Packet)
	packet.refs.Store(1)
	packet.Key, packet.layer, packet.up, packet.afresh, packet.has = false, 0, false, false, [2]bool{}
	return packet
}
