package plant

import (
	"net"
	"strings"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// What the embedded broker takes. Without these the library reads a first packet of 256 MB from anybody, before it asks for
// a password, and waits for it for ever.
const (
	// maxPacket is the largest packet, bytes: the 64 KiB of a payload that the relay reads, with as much for its topic and
	// its properties. Who sends a larger one is disconnected.
	maxPacket = 128 << 10
	// maxClients is how many may be connected: more than a plant has, and half of the files that a relay may have open.
	maxClients = 10_000
	// maxOpening is how many may be at the door, of whom the broker does not know yet who they are; further ones are closed.
	// With maxPacket it is what strangers can make the broker remember.
	maxOpening = 512
	// firstPacket is how long somebody may take to say who he is, and TLS before it.
	firstPacket = 10 * time.Second
	// maxSession is how long a client's session is kept for it after it left, seconds.
	maxSession = 24 * 60 * 60
	// maxInflight is how many messages are kept for a client that does not acknowledge them.
	maxInflight = 1024
	// maxRetained and maxRetainedBytes bound the messages that are kept for who comes later: as many as the relay reads
	// tags, and what a small machine can spare. What is beyond is delivered, and not kept.
	maxRetained      = 100_000
	maxRetainedBytes = 256 << 20
	// maxExpiry is how long a retained message stays, seconds: ten years. The library's day would take the births of machines
	// away, which are told once. None at all would end its own acknowledgements at once.
	maxExpiry = 10 * 365 * 24 * 60 * 60
)

func capabilities() *mochi.Capabilities {
	c := mochi.NewDefaultServerCapabilities()
	c.MaximumPacketSize, c.MaximumClients = maxPacket, maxClients
	c.MaximumMessageExpiryInterval = maxExpiry
	c.MaximumSessionExpiryInterval, c.MaximumInflight = maxSession, maxInflight
	return c
}

// door is a listener that bounds who has not said yet who he is, in number and in time.
type door struct {
	net.Listener
	opening chan struct{} // one for each
	patient time.Duration
}

func newDoor(l net.Listener) *door {
	return &door{l, make(chan struct{}, maxOpening), firstPacket}
}

// Accept waits for the next connection.
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case d.opening <- struct{}{}:
			_ = c.SetDeadline(time.Now().Add(d.patient)) // the broker sets another with the first packet
			return &visitor{c, sync.OnceFunc(func() { <-d.opening })}, nil
		default:
			_ = c.Close()
		}
	}
}

// visitor is a connection that counts as opening until it is let in, or closed.
type visitor struct {
	net.Conn
	known func()
}

// Close closes the connection.
func (v *visitor) Close() error {
	v.known()
	return v.Conn.Close()
}

// keeper lets visitors in who have said who they are, and bounds what is retained.
type keeper struct {
	mochi.HookBase
	server *mochi.Server

	mu    sync.Mutex
	sizes map[string]int // by topic
	bytes int
	// most of both
	count, size int
}

func newKeeper(server *mochi.Server) *keeper {
	return &keeper{server: server, sizes: map[string]int{}, count: maxRetained, size: maxRetainedBytes}
}

// ID names the hook.
func (*keeper) ID() string { return "keeper" }

// Provides says what the hook is called for.
func (*keeper) Provides(b byte) bool {
	return b == mochi.OnSessionEstablish || b == mochi.OnRetainMessage || b == mochi.OnRetainedExpired
}

// OnSessionEstablish is called after the password was right.
func (*keeper) OnSessionEstablish(c *mochi.Client, _ packets.Packet) {
	if v, ok := c.Net.Conn.(*visitor); ok {
		v.known()
	}
}

// OnRetainMessage is called when a topic's message was kept, or let go. What is too much is let go again.
func (k *keeper) OnRetainMessage(_ *mochi.Client, p packets.Packet, _ int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.weigh(p.TopicName)
	if len(k.sizes) > k.count || k.bytes > k.size {
		k.server.Topics.RetainMessage(packets.Packet{TopicName: p.TopicName}) // one without a payload takes it away
		k.weigh(p.TopicName)
	}
}

// OnRetainedExpired is called when a topic's message became too old.
func (k *keeper) OnRetainedExpired(topic string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.weigh(topic)
}

// weigh looks at what is kept of a topic now; it needs the lock.
func (k *keeper) weigh(topic string) {
	k.bytes -= k.sizes[topic]
	delete(k.sizes, topic)
	if p, ok := k.server.Topics.Retained.Get(topic); ok {
		k.sizes[topic] = weight(p)
		k.bytes += k.sizes[topic]
	}
}

// perLevel is about what a level of a topic takes in the broker's tables, bytes.
const perLevel = 512

// weight is about how many bytes a retained message takes.
func weight(p packets.Packet) int {
	n := len(p.TopicName) + perLevel*(1+strings.Count(p.TopicName, "/")) + len(p.Payload)
	n += len(p.Properties.ContentType) + len(p.Properties.ResponseTopic) + len(p.Properties.CorrelationData)
	for _, u := range p.Properties.User {
		n += len(u.Key) + len(u.Val)
	}
	return n
}
