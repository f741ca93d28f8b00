package plant

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// The broker ends at once, whoever is there: who has said nothing yet, who does not read what he asked for, and those who
// leave just then.
func TestBrokerEnds(t *testing.T) {
	for range 5 {
		b, err := NewBroker("127.0.0.1:0", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		silent, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		deaf, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := deaf.Write(append(connects[0], "\x82\x0c\x00\x01\x00\x07plant/#\x00"...)); err != nil {
			t.Fatal(err)
		}
		var clients []paho.Client
		for i := range 8 {
			c := paho.NewClient(paho.NewClientOptions().AddBroker(b.URL()).SetClientID(fmt.Sprint("m-", i)).SetAutoReconnect(false))
			if done := c.Connect(); !done.WaitTimeout(10*time.Second) || done.Error() != nil {
				t.Fatal(done.Error())
			}
			clients = append(clients, c)
		}
		for range 256 {
			clients[0].Publish("plant/a", 0, false, make([]byte, 64<<10))
		}
		var left sync.WaitGroup
		for _, c := range clients {
			left.Go(func() { c.Disconnect(0) })
		}
		ended := make(chan bool)
		go func() { b.Close(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			t.Fatal("the broker does not end")
		}
		left.Wait()
		for _, c := range []net.Conn{silent, deaf} {
			_ = c.Close()
		}
	}
}
