// Package plant brings machines to rooms: a broker where the plant has none of its own, and what
// machines say to the rooms that watch them.
package plant

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"sightline/devices/mqtt"
	"sightline/relay/internal/port"
)

// Broker is the embedded MQTT broker (3.1.1 and 5). Where it has users, it lets in nobody else, and each only to his
// topics; without, it lets everybody in, and is for this machine only.
type Broker struct {
	server *mochi.Server
	keeper *keeper
	addr   string
	secure bool
	inside string // the address for the relay itself, with its password
}

// NewBroker listens on an address, with TLS where config is not nil; the relay itself then reads it over a port of its
// own on loopback, which asks for its password too.
func NewBroker(listen string, users []User, config *tls.Config) (*Broker, error) {
	if _, _, err := net.SplitHostPort(listen); err != nil {
		return nil, fmt.Errorf("address for MQTT %q: %w", listen, err)
	}
	if len(users) == 0 && !IsLocal(listen) {
		return nil, fmt.Errorf("%s is reached from outside of this machine, and the broker would ask for no password: name its users in the "+
			"section mqtt-users, listen on 127.0.0.1, or give the address of a broker of your own with mqtt", listen)
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("listen for MQTT: %w; give another address with --mqtt-listen", err)
	}
	b := &Broker{addr: listener.Addr().String(), secure: config != nil,
		server: mochi.New(&mochi.Options{Capabilities: capabilities(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})}
	b.keeper = newKeeper(b.server)
	own := listener
	if config != nil {
		if own, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			_ = listener.Close()
			return nil, fmt.Errorf("listen for MQTT: %w", err)
		}
		listener = tls.NewListener(listener, config)
	}
	hook, err := b.hook(users, own.Addr().String())
	if err == nil {
		err = errors.Join(b.server.AddHook(hook, nil), b.server.AddHook(b.keeper, nil))
	}
	if err == nil {
		err = b.listen("machines", listener)
	}
	if err == nil && config != nil {
		err = b.listen("relay", own)
	}
	if err != nil {
		_ = errors.Join(listener.Close(), own.Close())
		return nil, err
	}
	if err := b.server.Serve(); err != nil {
		return nil, fmt.Errorf("start the MQTT broker: %w", err)
	}
	return b, nil
}

// entrance is one of the broker's listeners.
type entrance struct {
	*listeners.Net
	held *port.Held
	bye  func(entrance string)
}

func (b *Broker) listen(name string, l net.Listener) error {
	held := port.Hold(l)
	return b.server.AddListener(&entrance{listeners.NewNet(name, newDoor(held)), held, b.bye})
}

// byeTime is how long clients may take to hear that the broker ends: some do not read.
const byeTime = time.Second

// Close ends the listener and everybody who came over it. The library's own way, which it would use, waits for itself
// where somebody leaves at the same moment (its Clients.GetByListener takes a lock for reading twice), and for ever for
// whom it does not count among its clients yet.
func (e *entrance) Close(listeners.CloseFn) {
	late := time.AfterFunc(byeTime, func() { _ = e.held.Close() })
	defer late.Stop()
	e.Net.Close(e.bye)
	_ = e.held.Close()
}

// bye tells the clients of an entrance that the broker ends.
func (b *Broker) bye(entrance string) {
	for _, c := range b.server.Clients.GetAll() {
		if c.Net.Listener == entrance && !c.Closed() {
			_ = b.server.DisconnectClient(c, packets.ErrServerShuttingDown)
		}
	}
}

// hook decides who is let in: the users, and the relay itself, which reads everything.
func (b *Broker) hook(users []User, own string) (mochi.Hook, error) {
	b.inside = "tcp://" + own
	if len(users) == 0 {
		return new(allow), nil
	}
	relay := User{Name: "relay-" + rand.Text(), Password: rand.Text(), Subscribe: []string{"plant/#"}}
	b.inside = "tcp://" + url.UserPassword(relay.Name, relay.Password).String() + "@" + own
	return newGuard(b.server, append(slices.Clone(users), relay))
}

// allow lets everybody connect, publish and subscribe.
type allow struct{ mochi.HookBase }

func (*allow) ID() string { return "allow" }

func (*allow) Provides(b byte) bool { return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck }

func (*allow) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

func (*allow) OnACLCheck(*mochi.Client, string, bool) bool { return true }

// Inside is the address at which the relay itself reads the broker. It holds a password: it is not to be told.
func (b *Broker) Inside() string { return b.inside }

// URL is where machines reach the broker.
func (b *Broker) URL() string {
	if b.secure {
		return "ssl://" + b.addr
	}
	return "tcp://" + b.addr
}

// IsLocal says whether only this machine reaches an address.
func IsLocal(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// Close ends the broker.
func (b *Broker) Close() { _ = b.server.Close() }

// Hub hands what machines say to the rooms that watch them. Its methods may be called from any goroutine.
type Hub struct {
	reader *mqtt.Reader

	mu       sync.Mutex
	watchers map[string]map[string]func(mqtt.Message) // by machine, then by room
}

// NewHub reads a broker.
func NewHub(url string, log *slog.Logger) (*Hub, error) {
	h := &Hub{watchers: map[string]map[string]func(mqtt.Message){}}
	var err error
	if h.reader, err = mqtt.NewReader(mqtt.ReaderConfig{URL: url, Logger: log, OnMessage: h.heard}); err != nil {
		return nil, err
	}
	return h, nil
}

// Close ends reading.
func (h *Hub) Close() { h.reader.Close() }

// Bad returns how many messages of machines could not be read.
func (h *Hub) Bad() int { return h.reader.Bad() }

// Watch hands a machine's messages to a room: first all that is known of it, then what comes. to must
// not block.
func (h *Hub) Watch(room, machine string, to func(mqtt.Message)) {
	h.reader.Snapshot(machine, func(known []mqtt.Message) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.watchers[machine] == nil {
			h.watchers[machine] = map[string]func(mqtt.Message){}
		}
		h.watchers[machine][room] = to
		for _, m := range known {
			to(m)
		}
	})
}

// Unwatch ends that.
func (h *Hub) Unwatch(room, machine string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers[machine], room)
	if len(h.watchers[machine]) == 0 {
		delete(h.watchers, machine)
	}
}

// heard is called by the reader, in order.
func (h *Hub) heard(m mqtt.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, to := range h.watchers[m.Machine] {
		to(m)
	}
}
