package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pion/turn/v5"

	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
)

// certificate writes a certificate for 127.0.0.1 and its key, and returns who believes it.
func certificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key, roots = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots.AppendCertsFromPEM(public)
	for path, data := range map[string][]byte{cert: public, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, roots
}

var secretLink = regexp.MustCompile(`^<turns:([^?>]+)\?transport=tcp>; rel="ice-server"; username="([^"]+)"; credential="([^"]+)"`)

// Where only TLS is let through, TURN inside of it, on the number of HTTPS, leads to the relay's own media and to
// nowhere else.
func TestTURNOverTLS(t *testing.T) {
	cert, key, roots := certificate(t)
	s := relaytest.Start(t, func(c *server.Config) { c.TLSCert, c.TLSKey = cert, key })
	if !strings.HasPrefix(s.URL(), "https://") {
		t.Fatal(s.URL())
	}
	trust := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	transport := &http.Transport{TLSClientConfig: trust}
	defer transport.CloseIdleConnections()
	g := relaytest.NewGuest(t, relaytest.Token(t, s.Authority(), "viewer", "Wall"))
	g.Client = &http.Client{Transport: transport}
	if _, err := g.PC.AddTransceiverFromKind(1); err != nil {
		t.Fatal(err)
	}
	g.Open(s.URL() + "/whep/hall")
	m := secretLink.FindStringSubmatch(g.Link)
	if m == nil || "https://"+m[1] != s.URL() {
		t.Fatalf("Link %q at %s", g.Link, s.URL())
	}
	conn, err := tls.Dial("tcp", m[1], trust)
	if err != nil {
		t.Fatal(err)
	}
	c, err := turn.NewClient(&turn.ClientConfig{Conn: turn.NewSTUNConn(conn), TURNServerAddr: m[1], Username: m[2], Password: m[3], Realm: "sightline"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
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
}
