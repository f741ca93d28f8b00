package udp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/ipv4"
)

// Bounds of a batch and of what one system call sends to one receiver (Linux, UDP_MAX_SEGMENTS and the
// length of an IP packet).
const (
	maxBatch    = 1024 // packets
	maxPacket   = 1500 // bytes
	maxSegments = 64
	maxBytes    = 60_000
	solUDP      = 17  // SOL_UDP
	udpSegment  = 103 // UDP_SEGMENT
	soReusePort = 15  // SO_REUSEPORT
)

// batch gathers packets, by their receivers.
type batch struct {
	slots  []slot
	used   int
	groups []group
	byAddr map[netip.AddrPort]int

	messages []ipv4.Message // what is given to the kernel; made of the slots
	buffers  [][]byte
	control  [][]byte
}

type slot struct {
	data [maxPacket]byte
	size int
	next int // in the group; -1: the last
}

// group is the packets for one receiver, in their order.
type group struct {
	to          netip.AddrPort
	first, last int
}

func newBatch() *batch { return &batch{byAddr: map[netip.AddrPort]int{}} }

// add copies a packet; ok is false when the batch is full.
func (b *batch) add(data []byte, to netip.AddrPort) (ok bool) {
	if b.used == maxBatch {
		return false
	}
	if b.used == len(b.slots) {
		b.slots = append(b.slots, slot{})
	}
	i := b.used
	b.used++
	s := &b.slots[i]
	s.size, s.next = copy(s.data[:], data), -1
	if g, known := b.byAddr[to]; known {
		b.slots[b.groups[g].last].next = i
		b.groups[g].last = i
		return true
	}
	b.byAddr[to] = len(b.groups)
	b.groups = append(b.groups, group{to, i, i})
	return true
}

func (b *batch) reset() {
	b.used, b.groups = 0, b.groups[:0]
	clear(b.byAddr)
}

// pack makes messages of the groups: each is a run of packets of one size for one receiver, of which the
// last may be shorter, where the kernel segments, and one packet where it does not.
func (b *batch) pack(segment bool, address func(netip.AddrPort) *net.UDPAddr) []ipv4.Message {
	b.messages, b.buffers = b.messages[:0], b.buffers[:0]
	if cap(b.buffers) < b.used {
		b.buffers = make([][]byte, 0, cap(b.slots))
	}
	for _, g := range b.groups {
		to := address(g.to)
		for i := g.first; i >= 0; {
			from, size, total := len(b.buffers), b.slots[i].size, 0
			for i >= 0 {
				s := &b.slots[i]
				b.buffers = append(b.buffers, s.data[:s.size])
				total, i = total+s.size, s.next
				n := len(b.buffers) - from
				if !segment || s.size != size || n == maxSegments || i >= 0 && (b.slots[i].size > size || total+b.slots[i].size > maxBytes) {
					break
				}
			}
			run := b.buffers[from:len(b.buffers):len(b.buffers)]
			m := ipv4.Message{Buffers: run, Addr: to}
			if len(run) > 1 {
				m.OOB = b.oob(len(b.messages), size)
			}
			b.messages = append(b.messages, m)
		}
	}
	return b.messages
}

// oob returns the control message that asks for segments of a size.
func (b *batch) oob(i, size int) []byte {
	for len(b.control) <= i {
		c := make([]byte, syscall.CmsgSpace(2))
		h := syscall.Cmsghdr{Level: solUDP, Type: udpSegment}
		h.SetLen(syscall.CmsgLen(2))
		at := len(c) - syscall.CmsgSpace(2)
		putHeader(c[at:], h)
		b.control = append(b.control, c)
	}
	c := b.control[i]
	binary.NativeEndian.PutUint16(c[syscall.CmsgLen(0):], uint16(size))
	return c
}

func putHeader(c []byte, h syscall.Cmsghdr) {
	n := syscall.SizeofCmsghdr - 8
	if n == 8 {
		binary.NativeEndian.PutUint64(c, uint64(h.Len))
	} else {
		binary.NativeEndian.PutUint32(c, uint32(h.Len))
	}
	binary.NativeEndian.PutUint32(c[n:], uint32(h.Level))
	binary.NativeEndian.PutUint32(c[n+4:], uint32(h.Type))
}
