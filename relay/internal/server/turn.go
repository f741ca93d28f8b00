package server

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
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
	own := map[string]bool{}
	for _, c := range m.conns {
		own[c.LocalAddr().(*net.UDPAddr).IP.String()] = true
	}
	if host, _, err := net.SplitHostPort(m.advertise); err == nil {
		own[host] = true
	}
	ip := m.conns[0].LocalAddr().(*net.UDPAddr).IP
	t := &turnRelay{secret: rand.Text(), host: public, scheme: "turn"}
	if secure {
		t.scheme = "turns"
	}
	quiet := logging.NewDefaultLoggerFactory()
	var err error
	t.server, err = turn.NewServer(turn.ServerConfig{Realm: "sightline", LoggerFactory: quiet,
		AuthHandler: turn.LongTermTURNRESTAuthHandler(t.secret, quiet.NewLogger("turn")),
		ListenerConfigs: []turn.ListenerConfig{{Listener: port.Hold(hurried{l}),
			RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{RelayAddress: ip, Address: ip.String()},
			PermissionHandler:     func(_ net.Addr, peer net.IP) bool { return own[peer.String()] }}}})
	if err != nil {
		return nil, fmt.Errorf("TURN: %w", err)
	}
	return t, nil
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
