// Package port lets one TCP port serve everything that a firewall may leave open: HTTP (plain or TLS), media
// over ICE-TCP (RFC 6544), and TURN (RFC 8656), plain or inside TLS. What a connection is shows in its first
// bytes.
package port

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"sightline/relay/internal/limit"
)

// Port splits the connections of a listener.
type Port struct {
	HTTP, ICE, TURN net.Listener // to be served, each by its own

	in    net.Listener
	tls   *tls.Config // nil: plain
	outs  []*lane
	tasks sync.WaitGroup
	stop  chan struct{}
	once  sync.Once

	mu      sync.Mutex
	opening map[net.Conn]bool // of which nothing is known yet

	counting sync.Mutex
	open     map[string]int // connections of a network
	most     int            // of these, for each; 0: any number
}

// Bounds of what an unknown connection may do.
const (
	firstBytes = 5 * time.Second // to say what it is
	maxOpening = 1024
)

// Split begins to split in. With a TLS configuration, HTTP is served over TLS only. most is how many
// connections one network (see limit.Network) may have at once, or 0 for any number; more are closed.
func Split(in net.Listener, config *tls.Config, most int) *Port {
	p := &Port{in: in, tls: config, stop: make(chan struct{}), opening: map[net.Conn]bool{}, open: map[string]int{}, most: most}
	lanes := [3]*lane{}
	for i := range lanes {
		lanes[i] = &lane{conns: make(chan net.Conn), stop: make(chan struct{}), all: p.stop, addr: in.Addr()}
	}
	p.HTTP, p.ICE, p.TURN, p.outs = lanes[0], lanes[1], lanes[2], lanes[:]
	p.tasks.Go(p.accept)
	return p
}

// Close ends the port, and the listeners that it serves.
func (p *Port) Close() error {
	err := p.in.Close()
	p.once.Do(func() {
		close(p.stop)
		p.mu.Lock()
		for c := range p.opening {
			_ = c.Close()
		}
		p.mu.Unlock()
	})
	p.tasks.Wait()
	return err
}

func (p *Port) accept() {
	for {
		c, err := p.in.Accept()
		var temporary interface{ Temporary() bool }
		switch {
		case err == nil:
		case errors.As(err, &temporary) && temporary.Temporary(): // no file descriptor is free, for one
			select {
			case <-time.After(50 * time.Millisecond):
				continue
			case <-p.stop:
				return
			}
		default:
			return
		}
		if c = p.count(c); c == nil {
			continue
		}
		if !p.begin(c) {
			_ = c.Close()
			continue
		}
		p.tasks.Go(func() { p.sort(c) })
	}
}

// count counts a connection to its network until it is closed. It closes what is too much, and returns nil.
func (p *Port) count(c net.Conn) net.Conn {
	if p.most == 0 {
		return c
	}
	host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
	network := limit.Network(host)
	p.counting.Lock()
	defer p.counting.Unlock()
	if p.open[network] >= p.most {
		_ = c.Close()
		return nil
	}
	p.open[network]++
	return &counted{Conn: c, end: sync.OnceFunc(func() {
		p.counting.Lock()
		defer p.counting.Unlock()
		if p.open[network]--; p.open[network] == 0 {
			delete(p.open, network)
		}
	})}
}

// counted is a connection that counts until it is closed.
type counted struct {
	net.Conn
	end func()
}

// Close closes the connection, which counts no longer then.
func (c *counted) Close() error {
	defer c.end()
	return c.Conn.Close()
}

// begin notes a new connection, unless too many say nothing.
func (p *Port) begin(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.stop:
		return false
	default:
	}
	if len(p.opening) >= maxOpening {
		return false
	}
	p.opening[c] = true
	return true
}

// sort finds out what a connection is and hands it over, or closes it.
func (p *Port) sort(raw net.Conn) {
	defer func() {
		p.mu.Lock()
		delete(p.opening, raw)
		p.mu.Unlock()
	}()
	_ = raw.SetDeadline(time.Now().Add(firstBytes))
	c, to := p.look(raw, false)
	_ = raw.SetDeadline(time.Time{})
	if to == nil || !to.hand(c) {
		_ = raw.Close()
	}
}

// look reads the first bytes. secret says that they came through TLS.
func (p *Port) look(c net.Conn, secret bool) (net.Conn, *lane) {
	first := make([]byte, 1)
	if _, err := io.ReadFull(c, first); err != nil {
		return nil, nil
	}
	switch b := first[0]; {
	case b == 0x16 && !secret && p.tls != nil: // a TLS handshake
		return p.look(tls.Server(&replay{Conn: c, first: first}, p.tls), true)
	case b >= 'A' && b <= 'Z' && (secret || p.tls == nil):
		return &replay{Conn: c, first: first}, p.outs[0]
	case b < 4: // STUN by itself, or in a frame (RFC 4571)
		more := make([]byte, 9)
		if _, err := io.ReadFull(c, more); err != nil {
			return nil, nil
		}
		first = append(first, more...)
		cookie := []byte{0x21, 0x12, 0xa4, 0x42}
		switch {
		case bytes.Equal(first[4:8], cookie):
			return &replay{Conn: c, first: first}, p.outs[2]
		case bytes.Equal(first[6:10], cookie) && !secret:
			return &replay{Conn: c, first: first}, p.outs[1]
		}
	}
	return nil, nil
}

// replay is a connection of which the first bytes have been read.
type replay struct {
	net.Conn
	first []byte
}

// Read gives the first bytes back first.
func (r *replay) Read(b []byte) (int, error) {
	if len(r.first) > 0 {
		n := copy(b, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}

// lane is the listener of one kind of connections.
type lane struct {
	conns chan net.Conn
	stop  chan struct{}
	all   chan struct{}
	addr  net.Addr
	once  sync.Once
}

// hand gives a connection to who accepts.
func (l *lane) hand(c net.Conn) bool {
	select {
	case l.conns <- c:
		return true
	case <-l.stop:
	case <-l.all:
	}
	return false
}

// Accept waits for the next connection.
func (l *lane) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.stop:
	case <-l.all:
	}
	return nil, net.ErrClosed
}

// Close ends accepting.
func (l *lane) Close() error {
	l.once.Do(func() { close(l.stop) })
	return nil
}

// Addr is the port's.
func (l *lane) Addr() net.Addr { return l.addr }
