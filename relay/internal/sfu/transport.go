package sfu

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// transport numbers everything that is sent to one receiver (transport-wide congestion control,
// draft-holmer-rmcat-transport-wide-cc-extensions-01) and remembers when it left.
type transport struct {
	mu   sync.Mutex
	next uint16
	ring [2048]departure
	acks []ack // of the feedback that is read, reused
}

type departure struct {
	seq  uint16
	size int32
	at   time.Time
}

// ack is what the receiver said of one packet.
type ack struct {
	sent    time.Time
	arrived time.Duration // on the receiver's clock; 0 where it is lost
	size    int
	lost    bool
}

// number gives the next number to a packet that leaves now.
func (t *transport) number(size int, at time.Time) uint16 {
	t.mu.Lock()
	defer t.mu.Unlock()
	seq := t.next
	t.next++
	t.ring[int(seq)%len(t.ring)] = departure{seq, int32(size), at}
	return seq
}

// read makes acks of a feedback message, in the order of departure. They hold until the next call; one
// goroutine calls it.
func (t *transport) read(f *rtcp.TransportLayerCC) []ack {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.acks = t.acks[:0]
	arrived := time.Duration(f.ReferenceTime) * 64 * time.Millisecond
	seq, left, delta := f.BaseSequenceNumber, int(f.PacketStatusCount), 0
	status := func(symbol uint16) {
		if left == 0 {
			return
		}
		left--
		d := t.ring[int(seq)%len(t.ring)]
		known := d.seq == seq && !d.at.IsZero()
		seq++
		came := symbol == rtcp.TypeTCCPacketReceivedSmallDelta || symbol == rtcp.TypeTCCPacketReceivedLargeDelta
		if came && delta < len(f.RecvDeltas) {
			arrived += time.Duration(f.RecvDeltas[delta].Delta) * time.Microsecond
			delta++
		}
		if known {
			t.acks = append(t.acks, ack{sent: d.at, arrived: arrived, size: int(d.size), lost: !came})
		}
	}
	for _, chunk := range f.PacketChunks {
		switch c := chunk.(type) {
		case *rtcp.RunLengthChunk:
			for range min(int(c.RunLength), left) {
				status(c.PacketStatusSymbol)
			}
		case *rtcp.StatusVectorChunk:
			for _, s := range c.SymbolList {
				status(s)
			}
		}
	}
	return t.acks
}
