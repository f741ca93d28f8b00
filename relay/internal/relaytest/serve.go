package relaytest

import (
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
