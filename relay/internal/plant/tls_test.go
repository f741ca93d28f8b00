package plant

import (
	"crypto/tls"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"sightline/devices/mqtt"
)

// With a certificate machines come over TLS and not without, and the relay itself hears them.
func TestBrokerOverTLS(t *testing.T) {
	borrowed := httptest.NewUnstartedServer(nil)
	borrowed.StartTLS()
	config := borrowed.TLS.Clone()
	borrowed.Close()
	config.NextProtos = nil
	b, err := NewBroker("127.0.0.1:0", []User{{Name: "hall1", Password: "password-of-hall1"}}, config)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if !strings.HasPrefix(b.URL(), "ssl://") {
		t.Errorf("told %s", b.URL())
	}
	if _, err := connect(t, "tcp://hall1:password-of-hall1@"+strings.TrimPrefix(b.URL(), "ssl://"), "plain", ""); err == nil {
		t.Error("let in without TLS")
	}
	inside, err := url.Parse(b.Inside())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, "tcp://"+inside.Host, "beside", ""); err == nil {
		t.Error("the relay's own port asks for no password")
	}
	heard := make(chan mqtt.Message, 100)
	reader, err := mqtt.NewReader(mqtt.ReaderConfig{URL: b.Inside(), OnMessage: func(m mqtt.Message) {
		select {
		case heard <- m:
		default:
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	c := paho.NewClient(paho.NewClientOptions().AddBroker(b.URL()).SetClientID("gateway").SetUsername("hall1").SetPassword("password-of-hall1").
		SetTLSConfig(&tls.Config{InsecureSkipVerify: true}))
	if done := c.Connect(); !done.WaitTimeout(10*time.Second) || done.Error() != nil {
		t.Fatal(done.Error())
	}
	defer c.Disconnect(0)
	end := time.After(20 * time.Second)
	for {
		c.Publish("plant/hall1/pump/pressure", 1, false, "6.2").WaitTimeout(5 * time.Second)
		select {
		case m := <-heard:
			if !strings.HasPrefix(m.ID, "hall1/pump") {
				t.Errorf("heard %+v", m)
			}
			return
		case <-time.After(50 * time.Millisecond):
		case <-end:
			t.Fatal("the relay hears nothing")
		}
	}
}
