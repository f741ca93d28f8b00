package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sightline/relay/evidence/seal"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/bus"
	"sightline/relay/internal/cases"
	"sightline/relay/internal/cert"
	"sightline/relay/internal/cluster"
	"sightline/relay/internal/config"
	"sightline/relay/internal/invitation"
	"sightline/relay/internal/limit"
	"sightline/relay/internal/plant"
	"sightline/relay/internal/policy"
	"sightline/relay/internal/port"
	"sightline/relay/internal/record"
	"sightline/relay/internal/sfu"
	"sightline/relay/internal/staff"
	"sightline/relay/internal/webhook"
)

// Config is what a relay needs. Listen and Data must be set.
type Config struct {
	Listen    string       // host:port of HTTP; port 0 takes a free one
	Data      string       // the data directory
	MQTT      string       // the plant's broker, tcp://host:port; empty: the embedded one
	MQTTAddr  string       // where the embedded broker listens
	MQTTUsers []plant.User // of the embedded broker; none: everybody, from this machine
	MediaPort int          // UDP; 0: the same number as HTTP's, or a free one where that is taken
	Advertise string       // host:port where media reaches the relay from outside; empty: its own addresses
	NATS      bus.Options  // a NATS elsewhere; without URL: the embedded one
	TLSCert   string       // PEM files; both or none
	TLSKey    string
	ACME      cert.ACMEConfig // no Domain: not used
	// Proxy is where a proxy stands that speaks TLS to the outside, and through which everybody comes. With it the
	// relay may listen with plain HTTP on more than this machine.
	Proxy     netip.Prefix
	Limits    Limits
	Recording Recording
	Rooms     policy.Rooms // what holds in which room
	Webhooks  []webhook.Target
	Staff     staff.Config // how staff sign in; no Issuer: only with tokens
	RelayURL  string       // with many relays: where this very one is reached; empty: PublicURL, or where it listens
	PublicURL string       // where people reach the relay, https://host; empty: as they have asked
	// AuditBytes is the size past which the audit log is put aside and begun anew; 0: never.
	AuditBytes int64

	Log       *slog.Logger
	Now       func() time.Time
	Linger    time.Duration // how long an empty room stays open; 0: 20 s
	GhostTime time.Duration // see room.Config; 0: 10 s
	KeepTime  time.Duration // how long a session is kept whose socket was lost; 0: keepTime; below a second: not at all
}

// Server is a running relay.
type Server struct {
	cfg      Config
	log      *slog.Logger
	auth     *auth.Authority
	audit    *audit.Log
	seal     *seal.Seal
	lock     func() ([]byte, func([]byte) ([]byte, error), error) // of a case; nil: cases are not encrypted
	cases    *cases.Store
	proving  chan struct{}
	inbox    *cases.Inbox                 // of second recorders
	objects  cases.Objects                // where finished cases are put; nil: nowhere
	maps     *bus.Objects                 // of machines
	keeping  sync.Mutex                   // a map
	store    atomic.Pointer[record.Fault] // what the rooms were told of it
	nudge    chan struct{}                // there is a case to put away
	bus      *bus.Bus
	broker   *plant.Broker
	hub      *plant.Hub
	media    *mediaPort
	pool     *sfu.Pool
	rooms    rooms
	guests   guests
	lobby    lobby
	sessions sessions
	dir      *cluster.Directory // nil: this is the only relay
	book     *invitation.Book
	staff    *staff.Door     // nil: staff sign in with tokens only
	hooks    *webhook.Sender // nil: nobody is told
	joins    *limit.Limiter  // by address
	requests *limit.Limiter  // that want a token and are no joins, by address
	refusals *limit.Limiter  // that are noted, by address

	listener net.Listener
	port     *port.Port
	tls      *tls.Config // nil: plain HTTP
	cert     certificate // nil: plain HTTP
	turn     *turnRelay
	http     *http.Server
	served   chan error

	ctx   context.Context // ends when the relay closes
	stop  context.CancelFunc
	conns sync.WaitGroup

	closed sync.Once
}

var errClosing = errors.New("the relay is closing; come back in a moment")

// Start starts a relay. It returns when the relay is ready.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Log, pool: sfu.NewPool(), served: make(chan error, 1), proving: make(chan struct{}, verdicts)}
	s.joins = limit.New(cfg.Limits.JoinsPerMinute, time.Minute, cfg.Now)
	s.requests = limit.New(cfg.Limits.RequestsPerMinute, time.Minute, cfg.Now)
	s.refusals = limit.New(refusalsNoted, refusalsNoted*time.Minute, cfg.Now)
	s.guests.byID = map[string]*guest{}
	s.lobby.waiting = map[string]*knock{}
	s.rooms = rooms{s: s, open: map[string]*openRoom{}}
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.start(ctx); err != nil {
		s.stop()
		s.conns.Wait()
		s.shut()
		return nil, err
	}
	return s, nil
}

// check fills in what is left out, and refuses what cannot be.
func (c *Config) check() error {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Linger == 0 {
		c.Linger = 20 * time.Second
	}
	if c.KeepTime == 0 {
		c.KeepTime = keepTime
	}
	if c.GhostTime == 0 {
		c.GhostTime = 10 * time.Second
	}
	if err := c.checkStaff(); err != nil {
		return err
	}
	if err := c.checkMany(); err != nil {
		return err
	}
	c.NATS.Log = c.Log
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return config.Bad("listen", fmt.Errorf("%q: want host:port", c.Listen))
	}
	switch {
	case c.TLSCert == "" && c.TLSKey != "":
		return config.Bad("tls-key", errors.New("TLS needs both the key and tls-cert"))
	case c.TLSCert != "" && c.TLSKey == "":
		return config.Bad("tls-cert", errors.New("TLS needs both the certificate and tls-key"))
	}
	if c.PublicURL == "" && c.ACME.Domain != "" {
		c.PublicURL = "https://" + c.ACME.Domain
	}
	if c.TLSCert != "" && c.ACME.Domain != "" {
		return config.Bad("acme-domain", errors.New("a certificate comes from tls-cert or from an authority: give one of both"))
	}
	if ip := net.ParseIP(host); c.TLSCert == "" && c.ACME.Domain == "" && !c.Proxy.IsValid() && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return config.Bad("listen", fmt.Errorf("plain HTTP is for this machine only, and %s is reached from outside: give tls-cert and tls-key, or acme-domain, "+
			"or say with proxy where one stands that speaks TLS, or listen on 127.0.0.1", c.Listen))
	}
	return nil
}

func (s *Server) start(ctx context.Context) error {
	if err := os.MkdirAll(s.cfg.Data, 0o755); err != nil {
		return config.Bad("data", fmt.Errorf("data directory: %w", err))
	}
	var err error
	if s.audit, err = audit.Open(s.cfg.Data, s.cfg.Now); err != nil {
		return config.Bad("data", err)
	}
	if s.auth, err = auth.Open(s.cfg.Data, s.cfg.Now); err != nil {
		return err
	}
	s.book = invitation.Open(s.cfg.Data, s.cfg.Now)
	if err = s.openSeal(); err != nil {
		return err
	}
	if s.bus, err = bus.Open(ctx, filepath.Join(s.cfg.Data, "nats"), s.cfg.NATS); err != nil {
		return config.Bad(either(s.cfg.NATS.URL != "", "nats", "data"), err)
	}
	if err := s.openMaps(ctx); err != nil {
		return err
	}
	if err := s.openStore(ctx); err != nil {
		return err
	}
	if err := s.openHooks(ctx); err != nil {
		return config.Bad(either(s.cfg.NATS.URL != "", "nats", "data"), err)
	}
	if err := s.openDoor(ctx); err != nil {
		return config.Bad(either(s.cfg.NATS.URL != "", "nats", "data"), err)
	}
	if s.listener, err = s.listen(); err != nil {
		return err
	}
	if err := s.startPlant(); err != nil {
		return err
	}
	if s.media, err = openMedia(s.listener.Addr().(*net.TCPAddr), s.cfg.MediaPort, s.cfg.Advertise); err != nil {
		return err
	}
	connections := s.cfg.Limits.Connections
	if s.tls == nil {
		connections = 0
	}
	s.port = port.Split(s.listener, s.tls, connections)
	s.media.overTCP(s.port.ICE)
	if s.turn, err = openTURN(s.port.TURN, s.media, s.tls != nil, s.public()); err != nil {
		return err
	}
	if err := s.openCluster(ctx); err != nil {
		return config.Bad("nats", err)
	}
	s.http = &http.Server{Handler: s.throughProxy(s.limitRequests(s.handler())), ReadHeaderTimeout: headerTime, ReadTimeout: bodyTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	go func() { s.served <- s.http.Serve(s.port.HTTP) }()
	s.conns.Go(s.tend)
	s.conns.Go(s.keepCases)
	s.note(audit.Event{What: audit.Started, Address: s.listener.Addr().String()})
	return nil
}

func (s *Server) startPlant() error {
	broker := s.cfg.MQTT
	if broker == "" {
		var err error
		var secure *tls.Config
		if s.tls != nil && !plant.IsLocal(s.cfg.MQTTAddr) { // on loopback there is nobody to hide from
			secure = s.tls.Clone()
			secure.NextProtos = nil // those are HTTP's
		}
		if s.broker, err = plant.NewBroker(s.cfg.MQTTAddr, s.cfg.MQTTUsers, secure); err != nil {
			return config.Bad("mqtt-listen", err)
		}
		broker = s.broker.Inside()
	}
	var err error
	s.hub, err = plant.NewHub(broker, s.log)
	return config.Bad("mqtt", err)
}

func (s *Server) listen() (net.Listener, error) {
	l, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return nil, config.Bad("listen", fmt.Errorf("%w; give another address, or end the program that has it", err))
	}
	if err := s.certify(l.Addr().(*net.TCPAddr).Port); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

func either(so bool, yes, no string) string {
	if so {
		return yes
	}
	return no
}

// public is the host:port at which TCP reaches the relay from outside, as far as it knows.
func (s *Server) public() string {
	if u, err := url.Parse(s.cfg.PublicURL); err == nil && u.Host != "" {
		port := u.Port()
		if port == "" {
			port = either(u.Scheme == "https", "443", "80")
		}
		return net.JoinHostPort(u.Hostname(), port)
	}
	if s.media.advertise != "" {
		return s.media.advertise
	}
	return s.listener.Addr().String()
}

// URL is where participants reach the relay.
func (s *Server) URL() string {
	scheme := "http"
	if s.tls != nil {
		scheme = "https"
	}
	return scheme + "://" + s.listener.Addr().String()
}

// MQTT is where machines reach the relay's broker, or the broker that it reads.
func (s *Server) MQTT() string {
	if s.broker != nil {
		return s.broker.URL()
	}
	return s.cfg.MQTT
}

// MediaPort is the UDP port of all media.
func (s *Server) MediaPort() int { return s.media.port }

// Authority signs tokens for the relay's rooms.
func (s *Server) Authority() *auth.Authority { return s.auth }

// Close sends everybody away, closes the recordings and ends the relay. It returns when all has ended.
func (s *Server) Close() {
	s.closed.Do(func() {
		s.stop()
		s.conns.Wait()
		s.rooms.close()
		s.note(audit.Event{What: audit.Ended})
		s.shut()
	})
}

// shut ends what start has started, as far as it came.
func (s *Server) shut() {
	if s.http != nil {
		_ = s.http.Close()
		<-s.served
	} else if s.listener != nil {
		_ = s.listener.Close()
	}
	if s.turn != nil {
		_ = s.turn.server.Close()
	}
	if s.media != nil {
		s.media.close()
	}
	if s.port != nil {
		_ = s.port.Close()
	}
	if a, ok := s.cert.(*cert.ACME); ok {
		a.Close()
	}
	if s.hub != nil {
		s.hub.Close()
	}
	if s.broker != nil {
		s.broker.Close()
	}
	if s.hooks != nil {
		s.hooks.Close()
	}
	if s.dir != nil {
		s.dir.Close()
	}
	if s.bus != nil {
		s.bus.Close()
	}
	if s.audit != nil {
		_ = s.audit.Close()
	}
}
