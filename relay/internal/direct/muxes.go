package direct

import (
	"net"
	"net/netip"

	"github.com/pion/ice/v4"

	"sightline/relay/internal/udp"
)

// udpMux and tcpMux give pion the connections of the shared ports, with the tap in between.
type udpMux struct {
	ice.UDPMux
	tap *Tap
}

func (m *udpMux) GetConn(ufrag string, local net.Addr) (net.PacketConn, error) {
	c, err := m.UDPMux.GetConn(ufrag, local)
	if err != nil {
		return nil, err
	}
	rw, ok := c.(ice.AddrPortReaderWriter)
	if !ok {
		return &tapped{c, m.tap}, nil
	}
	u := &tappedUDP{PacketConn: c, rw: rw, tap: m.tap}
	for _, s := range m.tap.ports.Sockets {
		if s.LocalAddr().String() == local.String() {
			u.socket = s
		}
	}
	return u, nil
}

type tcpMux struct {
	ice.TCPMux
	tap *Tap
}

func (m *tcpMux) GetConnByUfrag(ufrag string, v6 bool, local net.IP) (net.PacketConn, error) {
	c, err := m.TCPMux.GetConnByUfrag(ufrag, v6, local)
	if err != nil {
		return nil, err
	}
	return &tapped{c, m.tap}, nil
}

// LocalAddr is asked for by pion where a mux has it.
func (m *tcpMux) LocalAddr() net.Addr {
	if a, ok := m.TCPMux.(interface{ LocalAddr() net.Addr }); ok {
		return a.LocalAddr()
	}
	return nil
}

// tapped is a connection that pion reads and writes packet by packet.
type tapped struct {
	net.PacketConn
	tap *Tap
}

func (c *tapped) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(b)
		if err != nil || !c.tap.open.Load() {
			c.tap.secrets.see(b[:n], false)
			return n, from, err
		}
		if !c.tap.Take(b[:n]) {
			return n, from, nil
		}
	}
}

func (c *tapped) WriteTo(b []byte, to net.Addr) (int, error) {
	c.tap.wrote(b, path{conn: c.PacketConn, addr: to})
	return c.PacketConn.WriteTo(b, to)
}

// tappedUDP is the same for UDP, where addresses are numbers.
type tappedUDP struct {
	net.PacketConn
	rw     ice.AddrPortReaderWriter
	tap    *Tap
	socket *udp.Conn // nil: packets come through pion only
}

func (c *tappedUDP) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromAddrPort(b)
	return n, net.UDPAddrFromAddrPort(from), err
}

func (c *tappedUDP) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := c.rw.ReadFromAddrPort(b)
		if err != nil || !c.tap.open.Load() {
			c.tap.secrets.see(b[:n], false)
			return n, from, err
		}
		if !IsMedia(b[:n]) {
			return n, from, nil
		}
		v := c.tap.take(b[:n])
		if (v == Known || v == Taken) && c.socket != nil {
			c.tap.route(from, c.socket)
		}
		if !v.done() {
			return n, from, nil
		}
	}
}

func (c *tappedUDP) WriteTo(b []byte, to net.Addr) (int, error) {
	if a, ok := to.(*net.UDPAddr); ok {
		return c.WriteToAddrPort(b, a.AddrPort())
	}
	return c.PacketConn.WriteTo(b, to)
}

func (c *tappedUDP) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	p := path{conn: c.PacketConn, udp: c.rw, to: to}
	if c.socket != nil {
		p.udp = c.socket
	}
	c.tap.wrote(b, p)
	return c.rw.WriteToAddrPort(b, to)
}
