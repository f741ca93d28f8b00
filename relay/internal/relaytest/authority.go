package relaytest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// Authority is a timestamp authority: openssl ts behind HTTP.
type Authority struct {
	URL  string
	Root string // its root certificate, a PEM file
	Down atomic.Bool

	dir string
	mu  sync.Mutex // openssl counts in a file
}

const authorityConfig = `
[tsa]
default_tsa = t
[t]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
certs = root.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[leaf]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
`

// NewAuthority runs an authority until the test ends; the test is skipped where there is no openssl.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed, which plays the timestamp authority")
	}
	a := &Authority{dir: t.TempDir()}
	a.Root = filepath.Join(a.dir, "root.pem")
	for name, text := range map[string]string{"tsa.cnf": authorityConfig, "serial": "01\n"} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-config", "tsa.cnf", "-extensions", "root", "-subj", "/CN=Test root", "-days", "30", "-keyout", "root.key", "-out", "root.pem"},
		{"req", "-newkey", "rsa:2048", "-nodes", "-config", "tsa.cnf", "-subj", "/CN=Test authority", "-keyout", "tsa.key", "-out", "tsa.csr"},
		{"x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "30", "-extfile", "tsa.cnf", "-extensions", "leaf", "-out", "tsa.pem"},
	} {
		if out, err := a.openssl(args...); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	s := httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(s.Close)
	a.URL = s.URL
	return a
}

func (a *Authority) openssl(args ...string) ([]byte, error) {
	cmd := exec.Command("openssl", args...)
	cmd.Dir = a.dir
	return cmd.CombinedOutput()
}

func (a *Authority) serve(w http.ResponseWriter, r *http.Request) {
	if a.Down.Load() {
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	query, err := io.ReadAll(r.Body)
	if err == nil {
		err = os.WriteFile(filepath.Join(a.dir, "query"), query, 0o600)
	}
	if err == nil {
		_, err = a.openssl("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply")
	}
	var reply []byte
	if err == nil {
		reply, err = os.ReadFile(filepath.Join(a.dir, "reply"))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	_, _ = w.Write(reply)
}
