package relaytest

import (
	"bytes"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Network stands between clients and a relay, for HTTP and for media, and can be taken away: while it is
// paused nothing passes, and nobody is told.
type Network struct {
	tcp    net.Listener
	udp    *net.UDPConn
	paused atomic.Bool
	every  atomic.Int64 // one datagram in so many is lost; 0: none
	count  atomic.Int64

	mu     sync.Mutex
	toTCP  string
	toUDP  *net.UDPAddr
	paths  map[string]*path
	shape  *shape // of new paths, down to the client; nil: all passes at once
	up     *shape // of new paths, up to the relay
	closed bool
	conns  []io.Closer
	tasks  sync.WaitGroup
}

// NewNetwork opens a network that leads nowhere yet.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	n := &Network{tcp: tcp, udp: udp, paths: map[string]*path{}}
	n.tasks.Go(n.accept)
	n.tasks.Go(n.pump)
	t.Cleanup(n.close)
	return n
}

// Lead lets the network lead to a relay.
func (n *Network) Lead(tcp string, udpPort int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.toTCP, n.toUDP = tcp, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: udpPort}
}

// URL is where the relay is through the network; Media where its media are.
func (n *Network) URL() string   { return "http://" + n.tcp.Addr().String() }
func (n *Network) Media() string { return n.udp.LocalAddr().String() }

// Pause takes the network away, or brings it back.
func (n *Network) Pause(on bool) { n.paused.Store(on) }

// Cut ends the TCP connections that there are, and lets new ones in.
func (n *Network) Cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns = slices.DeleteFunc(n.conns, func(c io.Closer) bool {
		tcp, ok := c.(*net.TCPConn)
		if ok {
			_ = tcp.Close()
		}
		return ok
	})
}

// Lose loses one datagram in every so many, each way.
func (n *Network) Lose(every int) { n.every.Store(int64(every)) }

// loses says whether the next datagram is lost.
func (n *Network) loses() bool {
	every := n.every.Load()
	return n.paused.Load() || every > 0 && n.count.Add(1)%every == 0
}

func (n *Network) close() {
	n.mu.Lock()
	n.closed = true
	for _, c := range n.conns {
		_ = c.Close()
	}
	n.mu.Unlock()
	_ = n.tcp.Close()
	_ = n.udp.Close()
	n.tasks.Wait()
}

// own takes a connection to be closed at the end.
func (n *Network) own(c io.Closer) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		_ = c.Close()
		return false
	}
	n.conns = append(n.conns, c)
	return true
}

func (n *Network) accept() {
	for {
		in, err := n.tcp.Accept()
		if err != nil {
			return
		}
		n.mu.Lock()
		to := n.toTCP
		n.mu.Unlock()
		if n.paused.Load() || !n.own(in) {
			_ = in.Close()
			continue
		}
		out, err := net.Dial("tcp", to)
		if err != nil || !n.own(out) {
			_ = in.Close()
			continue
		}
		n.tasks.Go(func() { n.copy(out, in) })
		n.tasks.Go(func() { n.copy(in, out) })
	}
}

// copy passes bytes on. What comes while the network is paused is lost, and with it the connection.
func (n *Network) copy(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	lost := false
	for {
		m, err := from.Read(buf)
		if err != nil {
			_ = to.Close()
			return
		}
		if lost = lost || n.paused.Load(); lost {
			continue
		}
		if _, err := to.Write(buf[:m]); err != nil {
			_ = from.Close()
			return
		}
	}
}

// path is one client's way to the relay.
type path struct {
	out     *net.UDPConn
	up      *shape
	parcels chan parcel // nil where all passes at once
}

// pump passes datagrams on to the relay, each sender's from a socket of its own.
func (n *Network) pump() {
	defer func() {
		for _, p := range n.paths { // nobody else adds any
			if p.parcels != nil {
				close(p.parcels)
			}
		}
	}()
	buf := make([]byte, 2000)
	for {
		m, from, err := n.udp.ReadFromUDP(buf)
		if err != nil {
			return
		}
		p := n.path(from)
		switch {
		case p == nil, n.loses():
		case p.parcels == nil:
			_, _ = p.out.Write(buf[:m])
		default:
			if at, ok := p.up.take(m, time.Now()); ok {
				p.parcels <- parcel{at, bytes.Clone(buf[:m])}
			}
		}
	}
}

func (n *Network) path(from *net.UDPAddr) *path {
	n.mu.Lock()
	known, to := n.paths[from.String()], n.toUDP
	n.mu.Unlock()
	if known != nil || to == nil {
		return known
	}
	out, err := net.DialUDP("udp", nil, to)
	if err != nil || !n.own(out) {
		return nil
	}
	n.mu.Lock()
	p := &path{out: out, up: n.up}
	n.paths[from.String()] = p
	shape := n.shape
	n.mu.Unlock()
	if p.up != nil {
		p.parcels = make(chan parcel, 4096)
		n.tasks.Go(func() { deliver(p.parcels, func(data []byte) { _, _ = out.Write(data) }) })
	}
	n.tasks.Go(func() { n.down(out, from, shape) })
	return p
}

// down passes on what the relay sends to a client.
func (n *Network) down(out *net.UDPConn, to *net.UDPAddr, shape *shape) {
	parcels := make(chan parcel, 4096)
	defer close(parcels)
	n.tasks.Go(func() { deliver(parcels, func(data []byte) { _, _ = n.udp.WriteToUDP(data, to) }) })
	buf := make([]byte, 2000)
	for {
		m, err := out.Read(buf)
		if err != nil {
			return
		}
		switch {
		case n.loses():
		case shape == nil:
			_, _ = n.udp.WriteToUDP(buf[:m], to)
		default:
			if at, ok := shape.take(m, time.Now()); ok {
				parcels <- parcel{at, bytes.Clone(buf[:m])}
			}
		}
	}
}
