package cert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// ACMEConfig says which authority gives which certificate.
type ACMEConfig struct {
	Domain string
	Email  string // where the authority writes to; may be empty
	CA     string // its directory; empty: Let's Encrypt
	Root   string // a PEM file with the root that the authority's own certificate is signed by; empty: the system's
	Dir    string // where keys and certificates are kept
	Port   int    // that TLS is served on: the authority looks there, from port 443 outside
	Log    *slog.Logger
}

// ACME is a certificate from an authority, which is asked for at once, and again in time before it ends. The authority
// looks at the port that TLS is served on (TLS-ALPN-01, RFC 8737); no other need be open.
type ACME struct {
	cache *certmagic.Cache
	magic *certmagic.Config
}

// OpenACME begins to get the certificate. It does not wait for it: the authority looks at the relay, which has to serve.
// ctx ends the asking.
func OpenACME(ctx context.Context, c ACMEConfig) (*ACME, error) {
	var roots *x509.CertPool
	if c.Root != "" {
		pem, err := os.ReadFile(c.Root)
		if err != nil {
			return nil, fmt.Errorf("ACME: %w", err)
		}
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ACME: %s holds no certificate in PEM", c.Root)
		}
	}
	a := &ACME{}
	quiet := zap.NewNop()
	a.cache = certmagic.NewCache(certmagic.CacheOptions{Logger: quiet,
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return a.magic, nil }})
	a.magic = certmagic.New(a.cache, certmagic.Config{Storage: &certmagic.FileStorage{Path: c.Dir}, Logger: quiet, DefaultServerName: c.Domain,
		OnEvent: func(_ context.Context, event string, data map[string]any) error {
			tell(c.Log, c.Domain, event, data)
			return nil
		}})
	if c.CA == "" {
		c.CA = certmagic.LetsEncryptProductionCA
	}
	a.magic.Issuers = []certmagic.Issuer{certmagic.NewACMEIssuer(a.magic, certmagic.ACMEIssuer{CA: c.CA, TestCA: c.CA, Email: c.Email, Agreed: true,
		DisableHTTPChallenge: true, AltTLSALPNPort: c.Port, TrustedRoots: roots, Logger: quiet})}
	if err := a.magic.ManageAsync(ctx, []string{c.Domain}); err != nil {
		a.cache.Stop()
		return nil, fmt.Errorf("ACME: %w", err)
	}
	return a, nil
}

// tell writes what happens to the log.
func tell(log *slog.Logger, domain, event string, data map[string]any) {
	switch event {
	case "cert_obtained":
		log.Info("a certificate was given", "domain", domain, "renewal", data["renewal"])
	case "cert_failed":
		log.Error("no certificate was given; it is tried again", "domain", domain, "error", data["error"])
	}
}

// Config is what TLS is served with.
func (a *ACME) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1", "acme-tls/1"}, GetCertificate: a.magic.GetCertificate}
}

// Renew does nothing: the certificate is renewed by itself.
func (a *ACME) Renew() {}

// Close ends renewing.
func (a *ACME) Close() { a.cache.Stop() }
