//go:build !linux

package udp

import (
	"errors"
	"net"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

func newWriter(conn *net.UDPConn) (writer, error) {
	if conn.LocalAddr().(*net.UDPAddr).IP.To4() != nil {
		return outbox{conn, ipv4.NewPacketConn(conn)}, nil
	}
	return outbox{conn, ipv6.NewPacketConn(conn)}, nil
}

// outbox has what ipv4 and ipv6 have in common.
type outbox struct {
	*net.UDPConn
	batches interface {
		WriteBatch(ms []ipv4.Message, flags int) (int, error)
	}
}

func (o outbox) WriteBatch(ms []ipv4.Message, flags int) (int, error) {
	return o.batches.WriteBatch(ms, flags)
}

// receive gives c each datagram that comes, until it wants no more or the socket is closed.
func receive(s *net.UDPConn, c *Conn) {
	for b := make([]byte, 64<<10); ; {
		n, from, err := s.ReadFromUDPAddrPort(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err == nil && !c.take(b[:n], from):
			return
		}
	}
}
