package server

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/config"
	"sightline/relay/internal/direct"
	"sightline/relay/internal/udp"
)

// mediaPort is the one UDP port that all media pass through.
type mediaPort struct {
	port      int
	mux       ice.UDPMux
	tcp       ice.TCPMux
	conns     []*udp.Conn
	advertise string // host:port
}

// How fast a media path that has died is noticed.
const (
	iceLost   = 2 * time.Second
	iceFailed = 2 * time.Second
	iceKeep   = 500 * time.Millisecond
	udpBuffer = 4 << 20
)

// openMedia opens the port on the address that HTTP listens on: port, or HTTP's number where it is 0, or
// a free one where that is taken.
func openMedia(http *net.TCPAddr, port int, advertise string) (*mediaPort, error) {
	wanted := port
	if wanted == 0 {
		wanted = http.Port
	}
	m, err := listenMedia(http.IP, wanted)
	if port == 0 && errors.Is(err, syscall.EADDRINUSE) {
		m, err = listenMedia(http.IP, 0)
	}
	if err != nil {
		return nil, config.Bad("media-port", fmt.Errorf("open UDP port %d for media: %w; give another", wanted, err))
	}
	if advertise != "" {
		if _, _, err := net.SplitHostPort(advertise); err != nil {
			m.close()
			return nil, config.Bad("advertise", fmt.Errorf("%q: want host:port", advertise))
		}
	}
	m.advertise = advertise
	return m, nil
}

// listenMedia opens a socket on an address, or, where that is unspecified, on each address of this machine.
func listenMedia(ip net.IP, port int) (*mediaPort, error) {
	ips := []net.IP{ip}
	if ip.IsUnspecified() {
		var err error
		if ips, err = localAddresses(); err != nil {
			return nil, err
		}
		if port == 0 {
			if port, err = freePort(); err != nil {
				return nil, err
			}
		}
	}
	m := &mediaPort{port: port}
	var muxes []ice.UDPMux
	for _, ip := range ips {
		conn, err := udp.Listen(&net.UDPAddr{IP: ip, Port: port}, udp.Readers())
		if err != nil {
			m.close()
			return nil, err
		}
		_ = conn.SetReadBuffer(udpBuffer)
		_ = conn.SetWriteBuffer(udpBuffer)
		m.conns = append(m.conns, conn)
		muxes = append(muxes, ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn}))
		m.port = conn.LocalAddr().(*net.UDPAddr).Port
	}
	m.mux = muxes[0]
	if len(muxes) > 1 {
		m.mux = ice.NewMultiUDPMuxDefault(muxes...)
	}
	return m, nil
}

// localAddresses lists the addresses of this machine that others can reach, and its loopback.
func localAddresses() ([]net.IP, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("addresses of this machine: %w", err)
	}
	var ips []net.IP
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() && !n.IP.IsMulticast() {
			ips = append(ips, n.IP)
		}
	}
	if len(ips) == 0 {
		return nil, errors.New("this machine has no address")
	}
	return ips, nil
}

func freePort() (int, error) {
	conn, err := net.ListenUDP("udp", nil)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).Port, nil
}

// overTCP takes media over TCP too (RFC 6544), from where UDP is blocked.
func (m *mediaPort) overTCP(l net.Listener) {
	const waiting, sending = 64, 1 << 20 // packets, bytes: what is more is let go
	m.tcp = ice.NewTCPMuxDefault(ice.TCPMuxParams{Listener: l, Logger: logging.NewDefaultLoggerFactory().NewLogger("ice"),
		ReadBufferSize: waiting, WriteBufferSize: sending, FirstStunBindTimeout: 5 * time.Second})
}

func (m *mediaPort) close() {
	if m.tcp != nil {
		_ = m.tcp.Close()
	}
	if m.mux != nil {
		_ = m.mux.Close()
	}
	for _, c := range m.conns {
		_ = c.Close()
	}
}

// stats adds up what the sockets have sent.
func (m *mediaPort) stats() (all udp.Stats) {
	for _, c := range m.conns {
		s := c.Stats()
		all.Packets, all.Calls, all.Dropped = all.Packets+s.Packets, all.Calls+s.Calls, all.Dropped+s.Dropped
	}
	return all
}

// flush sends what was written since.
func (m *mediaPort) flush() {
	for _, c := range m.conns {
		c.Flush()
	}
}

// settings set pion up for the port. The relay is an ICE-lite agent (RFC 8445, section 2.5): it is
// reached at its own address, and answers; clients choose the path.
func (m *mediaPort) settings() webrtc.SettingEngine {
	var s webrtc.SettingEngine
	s.SetLite(true)
	s.SetIncludeLoopbackCandidate(true)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6,
		webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6})
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetICETimeouts(iceLost, iceFailed, iceKeep)
	return s
}

// ports are what the connections share.
func (m *mediaPort) ports() direct.Ports {
	p := direct.Ports{UDP: m.mux, Sockets: m.conns}
	if m.tcp != nil {
		p.TCP = m.tcp
	}
	return p
}

// rewrite puts the advertised address in the place of the relay's own in an offer.
func (m *mediaPort) rewrite(sdp string) string {
	if m.advertise == "" {
		return sdp
	}
	host, port, _ := net.SplitHostPort(m.advertise)
	var out []string
	done := map[string]bool{} // one candidate a component and protocol
	media := 0
	for line := range strings.SplitSeq(sdp, "\r\n") {
		if strings.HasPrefix(line, "m=") {
			media++
		}
		if f := strings.Fields(line); strings.HasPrefix(line, "a=candidate:") && len(f) >= 8 {
			component := strconv.Itoa(media) + "/" + f[1] + "/" + f[2]
			if done[component] {
				continue
			}
			done[component] = true
			f[4], f[5] = host, port
			line = strings.Join(f, " ")
		}
		out = append(out, line)
	}
	return strings.Join(out, "\r\n")
}
