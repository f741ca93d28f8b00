package relaytest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Serve answers HTTP on loopback until the test ends, and returns where.
func Serve(t testing.TB, h http.HandlerFunc) (url string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// FreeAddress returns an address on loopback that nobody has just now.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
