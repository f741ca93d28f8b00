package congestion

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// Numbers numbers everything that is sent over one link (transport-wide congestion control,
// draft-holmer-rmcat-transport-wide-cc-extensions-01) and remembers when it left.
type Numbers struct {
	mu   sync.Mutex
	next uint16
	from time.Time // when the first left
	ring [2048]departure
	acks []Ack // of the feedback that is read, reused
}

type departure struct {
	at   time.Duration // since the first
	seq  uint16
	size uint16 // 0: none yet
}

// Ack is what the receiver said of one packet.
type Ack struct {
	Sent    time.Time
	Arrived time.Duration // on the receiver's clock; that of the one before where it is lost
	Size    int           // bytes
	Lost    bool
}

// Next gives the next number to a packet that leaves now.
func (n *Numbers) Next(size int, at time.Time) uint16 {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.from.IsZero() {
		n.from = at
	}
	seq := n.next
	n.next++
	n.ring[int(seq)%len(n.ring)] = departure{at.Sub(n.from), seq, uint16(size)}
	return seq
}

// Read makes acks of a feedback message, in the order of departure. They hold until the next call; one
// goroutine calls it.
func (n *Numbers) Read(f *rtcp.TransportLayerCC) []Ack {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.acks = n.acks[:0]
	arrived := time.Duration(f.ReferenceTime) * 64 * time.Millisecond
	seq, left, delta := f.BaseSequenceNumber, int(f.PacketStatusCount), 0
	status := func(symbol uint16) {
		if left == 0 {
			return
		}
		left--
		d := n.ring[int(seq)%len(n.ring)]
		known := d.seq == seq && d.size > 0
		seq++
		came := symbol == rtcp.TypeTCCPacketReceivedSmallDelta || symbol == rtcp.TypeTCCPacketReceivedLargeDelta
		if came && delta < len(f.RecvDeltas) {
			arrived += time.Duration(f.RecvDeltas[delta].Delta) * time.Microsecond
			delta++
		}
		if known {
			n.acks = append(n.acks, Ack{Sent: n.from.Add(d.at), Arrived: arrived, Size: int(d.size), Lost: !came})
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
	return n.acks
}
