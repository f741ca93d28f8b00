// Package udp is the socket that media pass through: what is to be sent is gathered, and handed to the
// kernel with one system call for all receivers (sendmmsg), and with one datagram for all packets of a frame
// to one receiver, which the kernel cuts (UDP_SEGMENT), where it can.
package udp

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
)

// hold is how long a packet may wait for Flush.
const hold = time.Millisecond

// flushAt is how many packets are sent without waiting for Flush.
const flushAt = 256

// writer writes to a socket.
type writer interface {
	// WriteBatch sends messages, and returns how many the kernel took before an error. One goroutine at a time calls it.
	WriteBatch(ms []ipv4.Message, flags int) (int, error)
	// WriteToUDPAddrPort sends one datagram. Any goroutine calls it.
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
}

// Conn is a UDP socket, or several on one address, among which the kernel divides the far ends. Each is read by a goroutine
// of its own. Its methods may be called from any goroutine.
type Conn struct {
	*net.UDPConn // the first, which writes for all
	sockets      []*net.UDPConn
	readers      sync.WaitGroup
	rest         chan datagram // what nobody takes, for ReadFromAddrPort
	ended        chan struct{}

	out   writer
	timer *time.Timer // flushes what nobody else has flushed in time
	armed atomic.Bool
	busy  atomic.Int32 // readers that have not yet read all that has come: they look after what waits, when they have

	mu      sync.Mutex
	filling *batch
	began   time.Time // when the first packet was put into it
	closed  bool
	closing sync.Once

	// Who holds sending owns what follows.
	sending sync.Mutex
	spare   *batch
	known   map[netip.AddrPort]*net.UDPAddr
	refused int // messages of several packets one after another that the kernel would not cut

	routing sync.RWMutex
	routes  map[netip.AddrPort]Taker

	wanted  atomic.Bool // somebody has more to send, and left it to who is sending
	segment atomic.Bool
	stats   counters
}

// Taker takes what comes from one far end.
type Taker interface {
	// Take is called with each datagram on the goroutine that reads, and says whether that was all. It must not block,
	// nor keep the datagram.
	Take(datagram []byte) (done bool)
}

type counters struct{ packets, calls, dropped atomic.Int64 }

// Stats counts what was sent.
type Stats struct {
	Packets int64 // RTP packets handed over
	Calls   int64 // system calls that took
	Dropped int64 // packets let go: the socket did not take them in time, or the receiver is not there
}

// waiting is how many datagrams wait for ReadFromAddrPort.
const waiting = 256

// datagram is one that nobody takes.
type datagram struct {
	data []byte
	from netip.AddrPort
}

// Readers is how many sockets share an address: one for two cores, which leaves as many to everything else.
func Readers() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// Listen opens so many sockets on an address.
func Listen(addr *net.UDPAddr, readers int) (*Conn, error) {
	sockets, err := open(addr, readers)
	if err != nil {
		return nil, err
	}
	c := &Conn{UDPConn: sockets[0], sockets: sockets, rest: make(chan datagram, waiting), ended: make(chan struct{}),
		filling: newBatch(), spare: newBatch(), known: map[netip.AddrPort]*net.UDPAddr{}, routes: map[netip.AddrPort]Taker{}}
	if c.out, err = newWriter(c.UDPConn); err != nil {
		for _, s := range sockets {
			_ = s.Close()
		}
		return nil, err
	}
	c.segment.Store(segments(c.UDPConn))
	c.timer = time.AfterFunc(time.Hour, func() {
		c.armed.Store(false)
		c.Flush()
	})
	c.timer.Stop()
	for _, s := range sockets {
		c.readers.Go(func() { receive(s, c) })
	}
	return c, nil
}

// open opens the sockets. The first is opened alone before: of an address that another program has, it hears so.
func open(addr *net.UDPAddr, n int) (all []*net.UDPConn, err error) {
	alone, err := net.ListenUDP("udp", addr)
	if err != nil || n < 2 {
		return []*net.UDPConn{alone}, err
	}
	local := alone.LocalAddr().String()
	_ = alone.Close()
	shared := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		if err := c.Control(func(fd uintptr) { failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1) }); err != nil {
			return err
		}
		return failed
	}}
	for range n {
		s, err := shared.ListenPacket(context.Background(), "udp", local)
		if err != nil {
			for _, s := range all {
				_ = s.Close()
			}
			return nil, err
		}
		all = append(all, s.(*net.UDPConn))
	}
	return all, nil
}

// SetReadBuffer sets the size of the kernel's buffer of each socket.
func (c *Conn) SetReadBuffer(bytes int) (err error) {
	for _, s := range c.sockets {
		err = errors.Join(err, s.SetReadBuffer(bytes))
	}
	return err
}

// segments says whether the kernel knows UDP_SEGMENT.
func segments(conn *net.UDPConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	known := false
	return raw.Control(func(fd uintptr) {
		_, err := syscall.GetsockoptInt(int(fd), solUDP, udpSegment)
		known = err == nil
	}) == nil && known
}

// Stats returns what was sent so far.
func (c *Conn) Stats() Stats {
	return Stats{c.stats.packets.Load(), c.stats.calls.Load(), c.stats.dropped.Load()}
}

// Close ends the socket. What was not flushed is not sent.
func (c *Conn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.timer.Stop()
	c.closing.Do(func() { close(c.ended) }) // first: a socket closes when its reader has let go of it
	var err error
	for _, s := range c.sockets {
		err = errors.Join(err, s.Close())
	}
	c.readers.Wait()
	return err
}

// Route gives what comes from an address to its taker first.
func (c *Conn) Route(from netip.AddrPort, to Taker) {
	c.routing.Lock()
	defer c.routing.Unlock()
	c.routes[unmapped(from)] = to
}

// Unroute ends that, unless somebody else has come to the address meanwhile.
func (c *Conn) Unroute(from netip.AddrPort, to Taker) {
	c.routing.Lock()
	defer c.routing.Unlock()
	if from = unmapped(from); c.routes[from] == to {
		delete(c.routes, from)
	}
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// begin is called by who reads a socket when something has come.
func (c *Conn) begin() { c.busy.Add(1) }

// end is called by him when all that had come is read.
func (c *Conn) end() {
	c.busy.Add(-1)
	if _, waiting := c.patience(); waiting {
		c.arm()
	}
}

// patience says whether packets wait, and for how long they may wait on.
func (c *Conn) patience() (left time.Duration, waiting bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.filling.used == 0 {
		return 0, false
	}
	return max(hold-time.Since(c.began), 0), true
}

// arm sees that what waits is flushed after hold. The timer is not stopped when it is flushed before: to set it anew for
// each frame costs more than to find nothing.
func (c *Conn) arm() {
	if c.armed.CompareAndSwap(false, true) {
		c.timer.Reset(hold)
	}
}

// take gives a datagram to its taker, or keeps it for ReadFromAddrPort; more is false when the Conn is closed.
func (c *Conn) take(b []byte, from netip.AddrPort) (more bool) {
	c.routing.RLock()
	to := c.routes[unmapped(from)]
	c.routing.RUnlock()
	if to != nil && to.Take(b) {
		return true
	}
	select {
	case c.rest <- datagram{bytes.Clone(b), from}:
		return true
	case <-c.ended:
		return false
	}
}

// ReadFromAddrPort reads the next datagram that has no taker, or that its taker leaves.
func (c *Conn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case d := <-c.rest:
		return copy(b, d.data), d.from, nil
	case <-c.ended:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

// SetReadDeadline and SetDeadline are not there: what reads are goroutines of the Conn's own.
func (c *Conn) SetReadDeadline(time.Time) error { return errors.ErrUnsupported }
func (c *Conn) SetDeadline(time.Time) error     { return errors.ErrUnsupported }

// ReadFrom is ReadFromAddrPort for who wants a net.Addr.
func (c *Conn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteToAddrPort sends a datagram: an RTP packet with the next Flush, or after hold; others at once. It does
// not block for RTP.
func (c *Conn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if !isRTP(b) || len(b) > maxPacket {
		return c.out.WriteToUDPAddrPort(b, to)
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return 0, net.ErrClosed
	}
	ok := c.filling.add(b, to)
	waiting := c.filling.used
	if waiting == 1 {
		c.began = time.Now()
	}
	c.mu.Unlock()
	if !ok {
		c.stats.dropped.Add(1)
		return len(b), nil
	}
	if waiting == 1 && c.busy.Load() == 0 {
		c.arm()
	}
	if waiting >= flushAt {
		c.Flush()
	}
	return len(b), nil
}

// isRTP tells RTP from STUN, DTLS and RTCP (RFC 7983, RFC 5761).
func isRTP(b []byte) bool {
	return len(b) > 2 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223)
}

// Flush sends what was gathered. Where somebody is sending, it leaves it to him.
func (c *Conn) Flush() {
	for {
		if !c.sending.TryLock() {
			c.wanted.Store(true)
			if !c.sending.TryLock() {
				return
			}
		}
		c.wanted.Store(false)
		c.swap()
		c.sending.Unlock()
		if !c.wanted.Load() {
			return
		}
	}
}

// swap sends the batch that was filled while another is filled.
func (c *Conn) swap() {
	c.mu.Lock()
	b := c.filling
	if b.used == 0 || c.closed {
		c.mu.Unlock()
		return
	}
	c.filling = c.spare
	c.mu.Unlock()
	c.send(b)
	b.reset()
	c.spare = b
}

// tooOften is how many messages in a row the kernel refuses to cut before it is not asked any more. One alone may be
// only its receiver's: the way there takes no packet so large, or is encrypted.
const tooOften = 32

func (c *Conn) send(b *batch) {
	messages := b.pack(c.segment.Load(), c.address)
	for len(messages) > 0 {
		n, err := c.out.WriteBatch(messages, 0)
		c.stats.calls.Add(1)
		n = max(n, 0)
		for _, m := range messages[:n] {
			c.stats.packets.Add(int64(len(m.Buffers)))
			if len(m.Buffers) > 1 {
				c.refused = 0
			}
		}
		messages = messages[n:]
		switch {
		case err == nil || len(messages) == 0:
			continue
		case errors.Is(err, net.ErrClosed):
			return
		case len(messages[0].Buffers) > 1 && unsegmented(err):
			if c.refused++; c.refused == tooOften {
				c.segment.Store(false)
			}
			c.single(messages[0])
		default:
			c.stats.dropped.Add(int64(len(messages[0].Buffers)))
		}
		messages = messages[1:]
	}
}

// unsegmented says whether an error means that a message cannot be cut, of which nothing was sent then.
func unsegmented(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EMSGSIZE)
}

// single sends the packets of a message one by one.
func (c *Conn) single(m ipv4.Message) {
	for _, data := range m.Buffers {
		c.stats.calls.Add(1)
		if _, err := c.UDPConn.WriteTo(data, m.Addr); err != nil {
			c.stats.dropped.Add(1)
		} else {
			c.stats.packets.Add(1)
		}
	}
}

// address returns an address as the kernel's edge wants it, from memory.
func (c *Conn) address(to netip.AddrPort) *net.UDPAddr {
	a := c.known[to]
	if a == nil {
		if len(c.known) >= 4096 {
			clear(c.known)
		}
		a = net.UDPAddrFromAddrPort(to)
		c.known[to] = a
	}
	return a
}
