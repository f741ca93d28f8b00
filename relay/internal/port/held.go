package port

import (
	"maps"
	"net"
	"slices"
	"sync"
)

// Held is a listener that closes with it whatever came over it. Close may be called more than once.
type Held struct {
	net.Listener

	mu    sync.Mutex
	conns map[net.Conn]bool // that are open
	ended bool
}

// Hold takes over in.
func Hold(in net.Listener) *Held { return &Held{Listener: in, conns: map[net.Conn]bool{}} }

// Accept waits for the next connection.
func (h *Held) Accept() (net.Conn, error) {
	c, err := h.Listener.Accept()
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	h.conns[c] = true
	return &heldConn{c, h}, nil
}

// Close ends the listener and its connections.
func (h *Held) Close() error {
	err := h.Listener.Close()
	h.mu.Lock()
	h.ended = true
	open := slices.Collect(maps.Keys(h.conns))
	h.mu.Unlock()
	var all sync.WaitGroup
	for _, c := range open {
		all.Go(func() { _ = c.Close() }) // TLS says goodbye, and waits for who does not read
	}
	all.Wait()
	return err
}

type heldConn struct {
	net.Conn
	by *Held
}

// Close closes the connection, which its listener forgets.
func (c *heldConn) Close() error {
	c.by.mu.Lock()
	delete(c.by.conns, c.Conn)
	c.by.mu.Unlock()
	return c.Conn.Close()
}
