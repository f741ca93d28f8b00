package server_test

import (
	"net/http"
	"net/netip"
	"testing"

	"sightline/relay/internal/audit"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
)

// Behind a proxy the relay listens with plain HTTP; what the proxy says of the client is believed of the proxy alone.
func TestProxy(t *testing.T) {
	data := t.TempDir()
	s := relaytest.Start(t, func(c *server.Config) { c.Data, c.Proxy = data, netip.MustParsePrefix("192.0.2.0/24") })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Forwarded-For", "198.51.100.7")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	noted(t, data, audit.Event{What: audit.Refused, Address: "198.51.100.7"})
}
