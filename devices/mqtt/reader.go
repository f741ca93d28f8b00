package mqtt

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// ReaderConfig is what a Reader needs. URL must be set.
type ReaderConfig struct {
	URL      string // of the broker: tcp://host:1883, ssl://host:8883, with user:password@ where it wants them
	ClientID string // empty: the broker gives one
	Logger   *slog.Logger
	Now      func() time.Time // nil: time.Now
	// OnMessage hears what machines say, in order, one call at a time. It must not block and must not
	// call the Reader.
	OnMessage func(Message)
}

// Reader hears every machine of a plant. It connects, and comes back, by itself.
type Reader struct {
	cfg    ReaderConfig
	log    *slog.Logger
	client paho.Client
	stop   chan struct{}
	done   chan struct{}

	mu    sync.Mutex
	plant plant
	bad   int             // messages that could not be read
	told  map[string]bool // topics whose fault has been logged
	shut  bool
}

const (
	// tick is how often silent machines are looked for.
	tick = 250 * time.Millisecond
	// maxTold bounds the topics whose faults are logged.
	maxTold = 1000
)

// NewReader begins to read. A broker that cannot be reached is tried again until Close; the log says so.
func NewReader(cfg ReaderConfig) (*Reader, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	r := &Reader{cfg: cfg, log: cfg.Logger, stop: make(chan struct{}), done: make(chan struct{}),
		plant: plant{machines: map[string]*machine{}}, told: map[string]bool{}}
	opts, err := options(cfg.URL, cfg.ClientID, cfg.Logger)
	if err != nil {
		return nil, err
	}
	opts.SetOnConnectHandler(r.subscribe)
	r.client = paho.NewClient(opts)
	r.client.Connect()
	go r.watch()
	return r, nil
}

// everything is the filter of all that machines say.
const everything = root + "/#"

// subscribe asks for what machines say; paho calls it, on a goroutine of its own, whenever the broker is connected.
func (r *Reader) subscribe(c paho.Client) {
	asked := c.Subscribe(everything, 1, r.heard)
	select {
	case <-asked.Done():
	case <-r.stop:
		return
	}
	broker := Redact(r.cfg.URL)
	answer, answered := asked.(*paho.SubscribeToken).Result()[everything]
	switch {
	case asked.Error() != nil || !answered:
		r.log.Warn("broker did not say whether its machines may be read", "broker", broker, "error", asked.Error())
	case answer >= refused:
		r.log.Error("broker refuses to let its machines be read: grant this user the subscription to "+everything+"; it is asked again at the next connection",
			"broker", broker)
	default:
		r.log.Info("broker connected", "broker", broker)
	}
}

// refused is the first of the codes with which a broker refuses a subscription; below are the QoS it grants.
const refused = 0x80

// options are those of the reader and the publisher alike.
func options(address, id string, log *slog.Logger) (*paho.ClientOptions, error) {
	if _, err := Host(address); err != nil {
		return nil, err
	}
	opts := paho.NewClientOptions().AddBroker(address).SetClientID(id).SetCleanSession(true)
	opts.SetConnectRetry(true).SetConnectRetryInterval(time.Second).SetMaxReconnectInterval(3 * time.Second)
	opts.SetAutoReconnect(true).SetKeepAlive(5 * time.Second).SetPingTimeout(3 * time.Second)
	opts.SetConnectTimeout(5 * time.Second).SetWriteTimeout(5 * time.Second)
	opts.SetConnectionLostHandler(func(_ paho.Client, err error) {
		log.Warn("broker lost, connecting again", "broker", Redact(address), "error", err)
	})
	return opts, nil
}

// Redact takes name and password out of a broker's address, however it is written.
func Redact(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	at := strings.LastIndex(address, "@")
	switch {
	case at < 0:
		return address
	case rest == "" || strings.ContainsAny(scheme, ":@"): // it has no scheme
		return address[at+1:]
	}
	return scheme + "://" + address[at+1:]
}

// Host returns the host and the port of a broker's address. The error holds no password.
func Host(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("broker %q: want tcp://host:port, or tcp://user:password@host:port with letters as @ and %% as %%40 and %%25", Redact(address))
	}
	return u.Host, nil
}

// Close ends reading and waits for it.
func (r *Reader) Close() {
	r.mu.Lock()
	shut := r.shut
	r.shut = true
	r.mu.Unlock()
	if shut {
		return
	}
	close(r.stop)
	<-r.done
	r.client.Disconnect(100)
}

// WaitConnected waits until the broker is connected.
func (r *Reader) WaitConnected(ctx context.Context) error { return waitConnected(ctx, r.client) }

func waitConnected(ctx context.Context, c paho.Client) error {
	for !c.IsConnectionOpen() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("broker is not connected: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// Snapshot returns all that is known of a machine: its birth, last readings and active alarms. ready, if
// not nil, is called with it before any message that comes after it.
func (r *Reader) Snapshot(machine string, ready func([]Message)) []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.plant.snapshot(machine)
	if ready != nil {
		ready(known)
	}
	return known
}

// Bad returns how many messages could not be read.
func (r *Reader) Bad() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bad
}

// heard is called by paho, one message at a time.
func (r *Reader) heard(_ paho.Client, m paho.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		return
	}
	out, err := r.plant.handle(m.Topic(), m.Payload(), m.Retained(), r.cfg.Now().UnixMicro())
	if err != nil {
		r.complain(m.Topic(), err)
	}
	r.tell(out)
}

func (r *Reader) complain(topic string, err error) {
	r.bad++
	if !r.told[topic] && len(r.told) < maxTold {
		r.told[topic] = true
		r.log.Warn("machine's message cannot be read; further ones on this topic are only counted", "topic", topic, "error", err)
	}
}

func (r *Reader) tell(out []Message) {
	for _, m := range out {
		if r.cfg.OnMessage != nil {
			r.cfg.OnMessage(m)
		}
	}
}

// watch looks for silent machines until Close.
func (r *Reader) watch() {
	defer close(r.done)
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			r.mu.Lock()
			r.tell(r.plant.tick(r.cfg.Now().UnixMicro()))
			r.mu.Unlock()
		case <-r.stop:
			return
		}
	}
}
