package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pion/turn/v5"

	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
)

var secretLink = regexp.MustCompile(`^<turns:([^?>]+)\?transport=tcp>; rel="ice-server"; username="([^"]+)"; credential="([^"]+)"`)

// Where only TLS is let through, TURN inside of it, on the number of HTTPS, leads to the relay's own media and to
// nowhere else.
func TestTURNOverTLS(t *testing.T) {
	cert, key, roots := relaytest.Certificate(t, x509.Certificate{NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true})
	s := relaytest.Start(t, func(c *server.Config) { c.TLSCert, c.TLSKey = cert, key })
	if !strings.HasPrefix(s.URL(), "https://") {
		t.Fatal(s.URL())
	}
	trust := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	transport := &http.Transport{TLSClientConfig: trust}
	defer transport.CloseIdleConnections()
	g := relaytest.NewGuest(t, relaytest.Token(t, s.Authority(), "viewer", `Wall "1"`))
	g.Client = &http.Client{Transport: transport}
	if _, err := g.PC.AddTransceiverFromKind(1); err != nil {
		t.Fatal(err)
	}
	g.Open(s.URL() + "/whep/hall")
	m := secretLink.FindStringSubmatch(g.Link)
	if m == nil || "https://"+m[1] != s.URL() {
		t.Fatalf("Link %q at %s", g.Link, s.URL())
	}
	dial := func() (*turn.Client, net.Conn) {
		conn, err := tls.Dial("tcp", m[1], trust)
		if err != nil {
			t.Fatal(err)
		}
		c, err := turn.NewClient(&turn.ClientConfig{Conn: turn.NewSTUNConn(conn), TURNServerAddr: m[1], Username: m[2], Password: m[3], Realm: "sightline"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		if err := c.Listen(); err != nil {
			t.Fatal(err)
		}
		return c, conn
	}
	first, _ := dial()
	if tcp, err := first.AllocateTCP(); err == nil {
		_ = tcp.Close()
		t.Error("TCP is relayed")
	}
	c, conn := dial()
	allocated, err := c.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer allocated.Close()
	if err := c.CreatePermission(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.MediaPort()}); err != nil {
		t.Errorf("not to the relay: %v", err)
	}
	if err := c.CreatePermission(&net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 53}); err == nil {
		t.Error("to somewhere else")
	}
	other, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := allocated.WriteTo([]byte("hello"), other.LocalAddr()); err != nil {
		t.Error(err)
	}
	_ = other.SetReadDeadline(time.Now().Add(time.Second))
	if n, from, err := other.ReadFrom(make([]byte, 100)); err == nil {
		t.Errorf("%d bytes to another port of the relay's machine, from %v", n, from)
	}
	s.Close()
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the relay has closed, and TURN goes on: %v", err)
	}
}
