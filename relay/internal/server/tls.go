package server

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"

	"sightline/relay/internal/cert"
	"sightline/relay/internal/config"
)

// certificate is where the relay's certificate comes from.
type certificate interface {
	Config() *tls.Config
	Renew() // looks whether there is a newer one
}

// certify opens the certificate, where the relay has one. port is the one that TLS is served on.
func (s *Server) certify(port int) error {
	switch {
	case s.cfg.TLSCert != "":
		files, err := cert.OpenFiles(s.cfg.TLSCert, s.cfg.TLSKey, s.log)
		if err != nil {
			return config.Bad("tls-cert", err)
		}
		s.cert = files
	case s.cfg.ACME.Domain != "":
		c := s.cfg.ACME
		c.Dir, c.Port, c.Log = filepath.Join(s.cfg.Data, "acme"), port, s.log
		authority, err := cert.OpenACME(s.ctx, c)
		if err != nil {
			return config.Bad(either(c.Root != "", "acme-root", "acme-domain"), err)
		}
		s.cert = authority
	default:
		return nil
	}
	s.tls = s.cert.Config()
	return nil
}

// throughProxy lets only the proxy in, where there is one, and this machine itself.
func (s *Server) throughProxy(next http.Handler) http.Handler {
	if !s.cfg.Proxy.IsValid() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		ip, err := netip.ParseAddr(host)
		if err != nil || !ip.IsLoopback() && !s.cfg.Proxy.Contains(ip.Unmap()) {
			http.Error(w, "come through the proxy, over HTTPS", http.StatusForbidden)
			return
		}
		if s.cfg.Proxy.Contains(ip.Unmap()) && !ip.IsLoopback() {
			r = r.WithContext(withProxy(r.Context()))
		}
		next.ServeHTTP(w, r)
	})
}
