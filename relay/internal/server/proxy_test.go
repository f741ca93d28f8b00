package server

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// Who does not come through the proxy is not let in, and is not believed.
func TestThroughProxy(t *testing.T) {
	s := &Server{cfg: Config{Proxy: netip.MustParsePrefix("192.0.2.0/24")}}
	seen := ""
	h := s.throughProxy(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = address(r) }))
	for remote, want := range map[string]string{"192.0.2.7:1": "198.51.100.9", "127.0.0.1:1": "198.51.100.9", "203.0.113.5:1": "", "[2001:db8::1]:1": ""} {
		seen = ""
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", "198.51.100.9")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if seen != want || (want == "") != (w.Code == http.StatusForbidden) {
			t.Errorf("%s: %d, seen as %q, want %q", remote, w.Code, seen, want)
		}
	}
}
