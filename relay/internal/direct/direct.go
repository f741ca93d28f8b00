// Package direct carries RTP and RTCP between the relay's sockets and sfu, past pion's queues. pion hands a packet
// that comes from goroutine to goroutine, five in all, and one that goes through six layers; here a packet is opened
// where it was read and sealed where it is written. pion keeps ICE, DTLS and the data channels, writes the relay's own
// RTCP, and sees the first packets of each stream, from which it makes a track.
package direct

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/pion/ice/v4"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/udp"
)

// Ports are what all connections of a relay share.
type Ports struct {
	UDP     ice.UDPMux
	TCP     ice.TCPMux  // may be nil
	Sockets []*udp.Conn // that UDP reads from
}

// Verdict is what becomes of a datagram.
type Verdict int

const (
	Foreign Verdict = iota // it is not from this far end, as far as can be told: for pion
	Known                  // it is, and is for pion too
	Taken                  // it is, and pion needs not see it
	Forged                 // it says that it is, and is not, or comes twice: it is let go
)

// done says that pion is not to see the datagram.
func (v Verdict) done() bool { return v == Taken || v == Forged }

// Tap lies between one PeerConnection and the sockets. Its methods may be called from any goroutine.
type Tap struct {
	ports   Ports
	take    func(datagram []byte) Verdict
	secrets secrets
	path    atomic.Pointer[path] // the one that pion has chosen
	open    atomic.Bool

	opening sync.Mutex
	in      *srtp.Context
	header  rtp.Header // reused
	control []byte     // reused

	sealing sync.Mutex
	out     *srtp.Context
	again   rtp.Header // reused
	buffer  [maxPacket]byte

	mu     sync.Mutex
	routes map[netip.AddrPort]*udp.Conn // along which packets come straight from the socket
	ended  bool
}

// maxPacket is the size of the largest packet, sealed.
const maxPacket = 1600

// path is where packets go.
type path struct {
	conn net.PacketConn
	udp  ice.AddrPortReaderWriter // nil over TCP
	addr net.Addr
	to   netip.AddrPort
}

// New puts a tap under a connection that is made with these settings. take is called with each datagram of RTP or RTCP
// once the tap is open, on the goroutine that has read it.
func New(settings *webrtc.SettingEngine, ports Ports, take func([]byte) Verdict) *Tap {
	t := &Tap{ports: ports, take: take, routes: map[netip.AddrPort]*udp.Conn{}}
	if ports.UDP != nil {
		settings.SetICEUDPMux(&udpMux{ports.UDP, t})
	}
	if ports.TCP != nil {
		settings.SetICETCPMux(&tcpMux{ports.TCP, t})
	}
	settings.BufferFactory = buffers
	settings.SetDTLSKeyLogWriter(&t.secrets)
	return t
}

// Open begins to take packets: the handshake is over, and the far end is who it says.
func (t *Tap) Open() error {
	in, out, err := t.secrets.contexts()
	if err != nil {
		return err
	}
	t.opening.Lock()
	t.in = in
	t.opening.Unlock()
	t.sealing.Lock()
	t.out = out
	t.sealing.Unlock()
	t.open.Store(true)
	return nil
}

// Close ends taking packets straight from the sockets.
func (t *Tap) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	for from, conn := range t.routes {
		conn.Unroute(from, t)
	}
	clear(t.routes)
}

// Take is called by the sockets with each datagram that comes along a route, and says whether that was all.
func (t *Tap) Take(datagram []byte) (done bool) {
	return t.open.Load() && IsMedia(datagram) && t.take(datagram).done()
}

// route lets packets from an address come straight from the socket. What came from there was of the far end.
func (t *Tap) route(from netip.AddrPort, conn *udp.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended && t.routes[from] == nil && len(t.routes) < maxRoutes {
		t.routes[from] = conn
		conn.Route(from, t)
	}
}

// maxRoutes bounds the addresses that one far end moves through; from others it comes through pion.
const maxRoutes = 64

var (
	errClosed = errors.New("the connection is not open")
	errLarge  = errors.New("packet is too large")
)

// OpenRTP opens a packet into a buffer, which is large enough for it, and returns its length.
func (t *Tap) OpenRTP(to, datagram []byte) (int, error) {
	if len(datagram) > cap(to) {
		return 0, errLarge
	}
	t.opening.Lock()
	defer t.opening.Unlock()
	plain, err := t.in.DecryptRTP(to, datagram, &t.header)
	return len(plain), err
}

// OpenRTCP opens a compound packet. Data in it that RTCP leaves to applications hold until the next call only.
func (t *Tap) OpenRTCP(datagram []byte) ([]rtcp.Packet, error) {
	t.opening.Lock()
	defer t.opening.Unlock()
	plain, err := t.in.DecryptRTCP(t.control[:0], datagram, nil)
	if err != nil {
		return nil, err
	}
	t.control = plain
	return rtcp.Unmarshal(plain)
}

// WriteRTP seals a packet and sends it. It does not block.
func (t *Tap) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	p := t.path.Load()
	if p == nil {
		return 0, errClosed
	}
	t.sealing.Lock()
	defer t.sealing.Unlock()
	if t.out == nil {
		return 0, errClosed
	}
	if h.MarshalSize()+len(payload) > maxPacket-64 {
		return 0, errLarge
	}
	n, err := h.MarshalTo(t.buffer[:])
	if err != nil {
		return 0, err
	}
	n += copy(t.buffer[n:], payload)
	sealed, err := t.out.EncryptRTP(t.buffer[:n], t.buffer[:n], &t.again)
	if err != nil {
		return 0, err
	}
	return p.write(sealed)
}

func (p *path) write(b []byte) (int, error) {
	if p.udp != nil {
		return p.udp.WriteToAddrPort(b, p.to)
	}
	return p.conn.WriteTo(b, p.addr)
}

// wrote learns the path from what pion writes: all but its checks goes along the one it has chosen.
func (t *Tap) wrote(b []byte, p path) {
	if len(b) == 0 || b[0] < 20 {
		return // STUN (RFC 7983)
	}
	if !t.open.Load() {
		t.secrets.see(b, true)
	}
	if now := t.path.Load(); now == nil || now.conn != p.conn || now.to != p.to || p.udp == nil && now.addr.String() != p.addr.String() {
		t.path.Store(&p)
	}
}

// IsMedia tells RTP and RTCP from STUN and DTLS (RFC 7983).
func IsMedia(b []byte) bool { return len(b) >= 12 && b[0]>>6 == 2 }

// IsRTCP tells RTCP from RTP (RFC 5761).
func IsRTCP(b []byte) bool { return len(b) > 1 && b[1] >= 192 && b[1] <= 223 }

// SSRC returns the source of an RTP packet.
func SSRC(b []byte) uint32 { return binary.BigEndian.Uint32(b[8:]) }
