package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/internal/webhook"
	"sightline/relay/wire"
)

// Another program is told what happens in a call, in order of its kind, from beginning to end.
func TestWebhooks(t *testing.T) {
	var mu sync.Mutex
	var told []string
	taker := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m struct {
			Type string
			Data struct{ Room string }
		}
		if json.Unmarshal(body, &m) != nil || m.Data.Room != "hall" {
			t.Errorf("told %s", body)
		}
		mu.Lock()
		defer mu.Unlock()
		told = append(told, m.Type)
	}))
	defer taker.Close()
	s := relaytest.Start(t, func(c *server.Config) {
		c.Linger = 50 * time.Millisecond
		c.Webhooks = []webhook.Target{{URL: taker.URL, Secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDz2Q4mQ=="}}
	})
	eva := relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "expert", "Eva"), Instance: "eva"})
	for range 2 { // the second changes the mark
		if _, err := eva.Publish(wire.KindMark, "m-1", 7, map[string]int{"x": 1}); err != nil {
			t.Fatal(err)
		}
	}
	relaytest.Eventually(t, "the marks are in the log", func() bool { return eva.Pending() == 0 })
	eva.Close()
	want := []string{webhook.RoomStarted, webhook.ParticipantJoined, webhook.MarkPlaced, webhook.ParticipantLeft, webhook.RecordingSealed, webhook.RoomEnded}
	relaytest.Eventually(t, "all was told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(told) >= len(want)
	})
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}
