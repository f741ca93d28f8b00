// Package sfu forwards media: a packet is read once from its publisher, and written once for every
// receiver, through a bounded queue of the receiver's own. A slow receiver loses pictures up to the next
// key frame, is counted, and never slows another.
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
	Key     bool // a key frame begins here

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
	p.Payload = p.buffer[at:n]
	return nil
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
	packet.Key = false
	return packet
}
