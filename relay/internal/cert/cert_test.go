package cert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// write makes a certificate of a name and writes it and its key.
func write(t *testing.T, dir, name string, at time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// served is the certificate that a new connection gets.
func served(t *testing.T, config *tls.Config, name string) *x509.Certificate {
	t.Helper()
	near, far := net.Pipe()
	var done sync.WaitGroup
	done.Go(func() { _ = tls.Server(far, config).Handshake(); _ = far.Close() })
	defer done.Wait()
	defer near.Close()
	c := tls.Client(near, &tls.Config{InsecureSkipVerify: true, ServerName: name})
	if err := c.Handshake(); err != nil {
		return nil
	}
	return c.ConnectionState().PeerCertificates[0]
}

// Files that change are served to new connections; files that are wrong leave the old certificate, and one word in the
// log.
func TestFilesAreReadAnew(t *testing.T) {
	dir, at := t.TempDir(), time.Now().Add(-time.Hour)
	certFile, keyFile := write(t, dir, "first", at)
	var logged strings.Builder
	f, err := OpenFiles(certFile, keyFile, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	config := f.Config()
	is := func(want string) {
		t.Helper()
		f.Renew()
		if got := served(t, config, "x").Subject.CommonName; got != want {
			t.Errorf("served %s, want %s", got, want)
		}
	}
	is("first")
	write(t, dir, "second", at.Add(time.Minute))
	is("second")
	if err := os.WriteFile(keyFile, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	is("second")
	is("second")
	if n := strings.Count(logged.String(), "cannot be used"); n != 1 {
		t.Errorf("told %d times:\n%s", n, logged.String())
	}
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	is("second")
	write(t, dir, "third", at.Add(2*time.Minute))
	is("third")
	if _, err := OpenFiles(certFile, filepath.Join(dir, "none"), slog.Default()); err == nil {
		t.Error("opened what is not there")
	}
}

// pebble runs Let's Encrypt's test authority, which looks at a port for TLS-ALPN-01. It returns its directory, a file
// with the root of its own certificate, and the root that it signs with.
func pebble(t *testing.T, port int) (directory, rootFile string, root *x509.CertPool) {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	authority := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "d"}})
	front := wfe.New(quiet, store, va.New(quiet, 1, port, false, "", store), authority, []string{"pebble.letsencrypt.org"}, false, false, 1, 1)
	server := httptest.NewTLSServer(front.Handler())
	t.Cleanup(server.Close)
	rootFile = filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(rootFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	root = x509.NewCertPool()
	root.AppendCertsFromPEM(authority.GetRootCert(0).PEM())
	return server.URL + wfe.DirectoryPath, rootFile, root
}

// A certificate is got from a real authority that looks at the port that is served, and is kept for the next start.
func TestACME(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	directory, rootFile, root := pebble(t, port)
	c := ACMEConfig{Domain: "localhost", CA: directory, Root: rootFile, Dir: t.TempDir(), Port: port, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	a, err := OpenACME(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	config := a.Config()
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() {
				_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
				_ = tls.Server(conn, config).Handshake()
				_ = conn.Close()
			})
		}
	})
	defer done.Wait()
	defer l.Close()
	var got *x509.Certificate
	verified := func(config *tls.Config) bool {
		got = served(t, config, "localhost")
		if got == nil {
			return false
		}
		_, err := got.Verify(x509.VerifyOptions{Roots: root, DNSName: "localhost", Intermediates: intermediates(config)})
		return err == nil
	}
	for end := time.Now().Add(30 * time.Second); !verified(config); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("after 30 s still no certificate")
		}
	}
	a.Close()
	again, err := OpenACME(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	var kept *x509.Certificate
	for end := time.Now().Add(30 * time.Second); kept == nil && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		kept = served(t, again.Config(), "localhost")
	}
	if kept == nil || kept.SerialNumber.Cmp(got.SerialNumber) != 0 {
		t.Errorf("the certificate was not kept: %v", kept)
	}
}

// intermediates are those that a certificate is served with.
func intermediates(config *tls.Config) *x509.CertPool {
	pool := x509.NewCertPool()
	c, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: "localhost"})
	if err != nil {
		return pool
	}
	for _, der := range c.Certificate[1:] {
		if parsed, err := x509.ParseCertificate(der); err == nil {
			pool.AddCert(parsed)
		}
	}
	return pool
}
