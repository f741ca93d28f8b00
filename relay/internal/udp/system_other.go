//go:build !linux

package udp

import (
	"errors"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

func newWriter(conn *net.UDPConn) (writer, error) {
	if conn.LocalAddr().(*net.UDPAddr).IP.To4() != nil {
		return ipv4.NewPacketConn(conn), nil
	}
	return ipv6.NewPacketConn(conn), nil
}

// receive calls take with each datagram that comes, until that says false or the socket is closed.
func receive(s *net.UDPConn, take func(datagram []byte, from netip.AddrPort) bool) {
	for b := make([]byte, 64<<10); ; {
		n, from, err := s.ReadFromUDPAddrPort(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err == nil && !take(b[:n], from):
			return
		}
	}
}
