package plant

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// A stranger's packet is not read into memory, however long it says it is: the broker closes when it has seen its head.
func TestLargePackets(t *testing.T) {
	b, err := NewBroker("127.0.0.1:0", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for name, data := range map[string]string{"CONNECT": "\x10\xff\xff\xff\x7f\x00\x04MQTT", "PUBLISH": string(connects[0]) + "\x30\xff\xff\xff\x7f\x00\x07plant/a"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(firstPacket / 2)) // before the broker loses its patience
		if _, err := io.WriteString(conn, data); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("%s of 256 MB: the broker waits for the rest: %v", name, err)
		}
		_ = conn.Close()
	}
}

// Who does not say who he is is closed, and keeps out nobody for longer. Who has said it stays, however long he is silent.
func TestTheDoor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{l, make(chan struct{}, 2), 100 * time.Millisecond}
	defer func() { _ = d.Close() }()
	taken := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := d.Accept()
			if err != nil {
				close(taken)
				return
			}
			taken <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		return c
	}
	dial()
	known, silent := <-taken, dial()
	other := <-taken
	if _, err := io.ReadAll(dial()); err != nil {
		t.Errorf("a third at the door is not closed: %v", err)
	}
	newKeeper(nil).OnSessionEstablish(&mochi.Client{Net: mochi.ClientConnection{Conn: known}}, packets.Packet{})
	dial()
	third := <-taken
	if _, err := other.Read(make([]byte, 1)); err == nil {
		t.Error("nothing was read")
	}
	_ = other.Close()
	if _, err := io.ReadAll(silent); err != nil {
		t.Errorf("who says nothing stays: %v", err)
	}
	dial()
	_ = (<-taken).Close()
	_ = third.Close()
	_ = known.Close()
	if n := len(d.opening); n != 0 {
		t.Errorf("%d are at the door of whom all have gone", n)
	}
}

// A silent client that said who it is keeps its connection, through the real broker.
func TestConnectedStays(t *testing.T) {
	b, err := NewBroker("127.0.0.1:0", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for range maxOpening + 10 { // each leaves the door when it is let in
		c, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Write(connects[0]); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 4)
		if _, err := io.ReadFull(c, answer); err != nil || answer[3] != 0 {
			t.Fatalf("not let in: % x, %v", answer, err)
		}
	}
}

// What is retained is bounded in number and in bytes. Which topics are kept may be taken away, and others kept then.
func TestRetainedIsBounded(t *testing.T) {
	b, err := NewBroker("127.0.0.1:0", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	k := newKeeper(b.server)
	k.count, k.size = 10, 64<<10
	retain := func(topic string, payload []byte) {
		p := packets.Packet{TopicName: topic, Payload: payload, FixedHeader: packets.FixedHeader{Retain: true}}
		k.OnRetainMessage(nil, p, b.server.Topics.RetainMessage(p))
	}
	kept := func() int { return len(b.server.Topics.Messages("plant/#")) }
	for i := range 20 {
		retain(fmt.Sprint("plant/", i), []byte("1"))
		retain(fmt.Sprint("plant/", i), []byte("2"))
	}
	if kept() != 10 {
		t.Errorf("%d are kept, at most 10", kept())
	}
	retain("plant/3", nil)
	retain("plant/new", []byte("1"))
	if kept() != 10 || len(b.server.Topics.Messages("plant/new")) != 1 {
		t.Errorf("%d are kept after one made room", kept())
	}
	retain("plant/4", make([]byte, 128<<10))
	retain(strings.Repeat("plant/", 1000), []byte("1"))
	if kept() != 9 {
		t.Errorf("%d are kept with one too large", kept())
	}
	b.server.Topics.Retained.Delete("plant/5")
	k.OnRetainedExpired("plant/5")
	for i := range 20 {
		retain(fmt.Sprint("plant/", i), nil)
	}
	retain("plant/new", nil)
	if kept() != 0 || k.bytes != 0 || len(k.sizes) != 0 {
		t.Errorf("nothing is kept, and %d bytes of %d topics are counted", k.bytes, len(k.sizes))
	}
}

// The broker counts what it retains, of a last will too.
func TestRetainedIsCounted(t *testing.T) {
	b, err := NewBroker("127.0.0.1:0", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	// CONNECT with a will on plant/w, retained; PUBLISH to plant/a, retained; and gone.
	if _, err := io.WriteString(c, "\x10\x19\x00\x04MQTT\x04\x26\x00\x3c\x00\x01a\x00\x07plant/w\x00\x01x"+"\x31\x0a\x00\x07plant/ax"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	counted := func() int {
		b.keeper.mu.Lock()
		defer b.keeper.mu.Unlock()
		return len(b.keeper.sizes)
	}
	for end := time.Now().Add(20 * time.Second); counted() != 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d topics are counted", counted())
		}
	}
}

// told is a log that is written on many goroutines.
type told struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *told) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(p)
}

func (w *told) has(words string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Contains(w.buf.String(), words)
}

// A broker that lets the relay connect and not read is told of, with what to grant.
func TestSubscriptionThatIsRefused(t *testing.T) {
	b, err := NewBroker("127.0.0.1:0", []User{{Name: "relay", Password: "password-of-relay", Subscribe: []string{"plant/hall1/#"}},
		{Name: "reader", Password: "password-of-reader", Subscribe: []string{"plant/#"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for name, want := range map[string]string{"relay": "grant this user the subscription to plant/#", "reader": "broker connected"} {
		log := &told{}
		h, err := NewHub(strings.Replace(b.URL(), "tcp://", "tcp://"+name+":password-of-"+name+"@", 1), slog.New(slog.NewTextHandler(log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(20 * time.Second); !log.has(want); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: the log does not say %q: %s", name, want, log.buf.String())
			}
		}
		h.Close()
		if log.has("password-of") || name == "relay" && log.has("broker connected") {
			t.Errorf("%s: the log says %s", name, log.buf.String())
		}
	}
}
