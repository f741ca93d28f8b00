// Package cert has the relay's certificates: from PEM files, which are read anew when they change, or from an authority
// that speaks ACME (RFC 8555), which are renewed by themselves. No connection is ended for a new certificate.
package cert

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Files is a certificate from two PEM files. Its methods may be called from any goroutine.
type Files struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	stamp   [2]time.Time // of the files, when they were read
	refused [2]time.Time // of the files that could not be
}

// OpenFiles reads the certificate and its key.
func OpenFiles(cert, key string, log *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, log: log}
	stamp, err := f.stamps()
	if err == nil {
		err = f.load(stamp)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Config is what TLS is served with.
func (f *Files) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.loaded, nil
	}}
}

// Renew reads the files anew where they have changed. What cannot be used is told once, and the old certificate holds:
// of two files that are replaced one after the other, the second is perhaps not there yet.
func (f *Files) Renew() {
	f.mu.Lock()
	defer f.mu.Unlock()
	stamp, err := f.stamps()
	if err == nil && (stamp == f.stamp || stamp == f.refused) {
		return
	}
	if err == nil {
		err = f.load(stamp)
	}
	if err != nil {
		if stamp != f.refused {
			f.log.Error("the new certificate cannot be used; the old one holds", "error", err)
		}
		f.refused = stamp
		return
	}
	f.log.Info("the certificate was read anew", "until", f.loaded.Leaf.NotAfter.UTC())
}

func (f *Files) stamps() (out [2]time.Time, err error) {
	for i, name := range []string{f.cert, f.key} {
		info, err := os.Stat(name)
		if err != nil {
			return out, fmt.Errorf("TLS: %w", err)
		}
		out[i] = info.ModTime()
	}
	return out, nil
}

// load reads the files. The caller holds mu, or is alone.
func (f *Files) load(stamp [2]time.Time) error {
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	f.loaded, f.stamp = &pair, stamp
	return nil
}
