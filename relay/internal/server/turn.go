package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"

	"sightline/relay/internal/port"
)

// turnRelay is the embedded TURN server: for clients whose network lets only TCP through, to the number that
// HTTP has. It leads to the relay's own media port and nowhere else.
type turnRelay struct {
	server *turn.Server
	secret string
	host   string // where clients reach it
	scheme string // turn or turns
}

// turnGood is how long the credentials of a participant are good.
const turnGood = 12 * time.Hour

func openTURN(l net.Listener, m *mediaPort, secure bool, public string) (*turnRelay, error) {
	only := newMediaOnly(m)
	t := &turnRelay{secret: rand.Text(), host: public, scheme: "turn"}
	if secure {
		t.scheme = "turns"
	}
	quiet := logging.NewDefaultLoggerFactory()
	var err error
	t.server, err = turn.NewServer(turn.ServerConfig{Realm: "sightline", LoggerFactory: quiet,
		AuthHandler: turn.LongTermTURNRESTAuthHandler(t.secret, quiet.NewLogger("turn")),
		ListenerConfigs: []turn.ListenerConfig{{Listener: port.Hold(hurried{l}),
			RelayAddressGenerator: only, PermissionHandler: only.permits}}})
	if err != nil {
		return nil, fmt.Errorf("TURN: %w", err)
	}
	return t, nil
}

// mediaOnly lets what TURN relays go to the media port alone: pion asks of addresses, and other programs of this machine
// listen on other ports of the same ones. It gives out no TCP (RFC 6062).
type mediaOnly struct {
	own   []netip.Addr // from which it sends
	ports map[netip.AddrPort]bool
	hosts map[netip.Addr]bool
}

func newMediaOnly(m *mediaPort) *mediaOnly {
	o := &mediaOnly{ports: map[netip.AddrPort]bool{}, hosts: map[netip.Addr]bool{}}
	var all []netip.AddrPort
	for _, c := range m.conns {
		all = append(all, unmapped(c.LocalAddr().(*net.UDPAddr).AddrPort()))
	}
	inside := func(a netip.AddrPort) bool { return a.Addr().IsLoopback() }
	if outside := slices.DeleteFunc(slices.Clone(all), inside); len(outside) > 0 {
		all = outside // nobody who comes from elsewhere needs loopback
	}
	for _, a := range all {
		o.own = append(o.own, a.Addr())
	}
	if a, err := netip.ParseAddrPort(m.advertise); err == nil {
		all = append(all, unmapped(a))
	}
	for _, a := range all {
		o.ports[a], o.hosts[a.Addr()] = true, true
	}
	return o
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// permits is asked of an address before anything is sent there.
func (o *mediaOnly) permits(_ net.Addr, peer net.IP) bool {
	a, ok := netip.AddrFromSlice(peer)
	return ok && o.hosts[a.Unmap()]
}

// Validate is turn.RelayAddressGenerator's, as are the following.
func (o *mediaOnly) Validate() error { return nil }

// AllocatePacketConn opens a socket on an address of the wanted family.
func (o *mediaOnly) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	i := slices.IndexFunc(o.own, func(a netip.Addr) bool { return a.Is4() == (c.Network == "udp4") })
	if i < 0 {
		return nil, nil, fmt.Errorf("the relay has no address for %s", c.Network)
	}
	conn, err := net.ListenUDP(c.Network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(o.own[i], uint16(c.RequestedPort))))
	if err != nil {
		return nil, nil, err
	}
	return mediaConn{conn, o}, conn.LocalAddr(), nil
}

var errNoTCP = errors.New("TURN relays UDP only")

// AllocateListener fails.
func (o *mediaOnly) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errNoTCP
}

// AllocateConn fails.
func (o *mediaOnly) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) { return nil, errNoTCP }

// mediaConn lets go what is not for the media port.
type mediaConn struct {
	net.PacketConn
	only *mediaOnly
}

func (c mediaConn) WriteTo(b []byte, to net.Addr) (int, error) {
	if u, ok := to.(*net.UDPAddr); !ok || !c.only.ports[unmapped(u.AddrPort())] {
		return len(b), nil
	}
	return c.PacketConn.WriteTo(b, to)
}

// credentials are a participant's address, name and password at the TURN server.
func (t *turnRelay) credentials(participant string) (url, name, password string, err error) {
	name, password, err = turn.GenerateLongTermTURNRESTCredentials(t.secret, participant, turnGood)
	return fmt.Sprintf("%s:%s?transport=tcp", t.scheme, t.host), name, password, err
}

// linkICE tells a client of the TURN server (RFC 9725, section 4.6).
func (s *Server) linkICE(w http.ResponseWriter, participant string) {
	url, name, password, err := s.turn.credentials(participant)
	if err != nil {
		s.log.Error("no TURN credentials", "error", err)
		return
	}
	w.Header().Add("Link", fmt.Sprintf(`<%s>; rel="ice-server"; username="%s"; credential="%s"; credential-type="password"`, url, name, password))
}

// How long a TURN client may say nothing: before it can have proved who it is, and after that. An allocation is renewed within
// turnIdle.
const (
	turnHaste  = 10 * time.Second
	turnIdle   = 10 * time.Minute
	turnProven = 256 // bytes
)

// hurried gives out connections that end when they stall.
type hurried struct{ net.Listener }

func (h hurried) Accept() (net.Conn, error) {
	c, err := h.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &hurriedConn{Conn: c}, nil
}

type hurriedConn struct {
	net.Conn
	came int // bytes; one goroutine reads
}

func (c *hurriedConn) Read(b []byte) (int, error) {
	patience := turnHaste
	if c.came >= turnProven {
		patience = turnIdle
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	n, err := c.Conn.Read(b)
	c.came += n
	return n, err
}
