package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
)

// While one room ends and waits for an authority that does not answer, others are opened, joined and left, the relay says
// what it does, and who comes to that very room gets it when it has ended.
func TestARoomThatEndsSlowlyHoldsUpNoOther(t *testing.T) {
	var slow, asked, left atomic.Bool
	authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if slow.Load() {
			asked.Store(true)
			<-r.Context().Done() // the relay waits no longer
			left.Store(true)
		}
		http.Error(w, "out of order", http.StatusServiceUnavailable)
	}))
	defer authority.Close()
	s := relaytest.Start(t, func(c *server.Config) {
		c.Recording.Authority, c.Linger = authority.URL, 10*time.Millisecond
	})
	first := relaytest.Join(t, client.Config{URL: s.URL(), Token: tokenFor(t, s.Authority(), "hall")})
	slow.Store(true)
	first.Close()
	relaytest.Eventually(t, "the authority is asked for the case's timestamp", asked.Load)
	relaytest.Join(t, client.Config{URL: s.URL(), Token: tokenFor(t, s.Authority(), "yard")})
	if rooms := s.Rooms(); len(rooms) != 1 || rooms[0].Room != "yard" {
		t.Errorf("rooms are %+v", rooms)
	}
	if status, text := get(t, s.URL()+"/readyz", ""); status != http.StatusOK {
		t.Errorf("ready: %d %s", status, text)
	}
	if left.Load() {
		t.Error("another room waited until the first had ended")
	}
	relaytest.Join(t, client.Config{URL: s.URL(), Token: tokenFor(t, s.Authority(), "hall")})
	if !left.Load() {
		t.Error("the room was opened again before it had ended")
	}
}
