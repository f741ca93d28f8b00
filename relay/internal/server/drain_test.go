package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/relaytest"
	"sightline/relay/wire"
)

// get returns the status and the text of an address.
func get(t *testing.T, url, token string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func tokenFor(t *testing.T, a *auth.Authority, room string) string {
	t.Helper()
	token, err := a.Sign(auth.Grant{Room: room, Role: auth.Expert, Name: "Eva"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// A relay that is told to end lets its running room go on, and more people into it, but opens no other; it
// ends by itself when the last has left.
func TestDrain(t *testing.T) {
	p := relaytest.StartProcess(t, t.TempDir(), "127.0.0.1:0", "--drain", "2m")
	if status, text := get(t, p.URL+"/readyz", ""); status != 200 {
		t.Fatalf("before: %d %s", status, text)
	}
	a := p.Authority(t)
	here := relaytest.Join(t, client.Config{URL: p.URL, Token: tokenFor(t, a, "hall"), Instance: "a"})
	p.Terminate()
	relaytest.Eventually(t, "the relay is not ready", func() bool { s, _ := get(t, p.URL+"/readyz", ""); return s == 503 })
	if status, _ := get(t, p.URL+"/healthz", ""); status != 200 {
		t.Errorf("healthz: %d", status)
	}
	if status, text := get(t, p.URL+"/ws", tokenFor(t, a, "other")); status != 503 || !strings.Contains(text, "opens no new rooms") {
		t.Errorf("another room: %d %q", status, text)
	}
	var heard relaytest.Replica
	late := relaytest.Join(t, client.Config{URL: p.URL, Token: tokenFor(t, a, "hall"), Instance: "b", OnLog: heard.Take})
	if _, err := here.Publish(wire.KindMark, "m-1", 0, "drawn while draining"); err != nil {
		t.Fatal(err)
	}
	relaytest.Eventually(t, "marks pass", func() bool { _, ok := heard.Get(wire.KindMark, "m-1"); return ok })
	here.Close()
	select {
	case <-p.Exited():
		t.Fatal("the relay has ended with somebody in the room")
	case <-time.After(500 * time.Millisecond):
	}
	late.Close()
	ends(t, p)
}

// The time to drain is bounded, and a second SIGTERM ends it.
func TestDrainEnds(t *testing.T) {
	for name, c := range map[string]struct {
		most  time.Duration
		again bool
	}{"time is over": {time.Second, false}, "twice": {time.Hour, true}} {
		t.Run(name, func(t *testing.T) {
			p := relaytest.StartProcess(t, t.TempDir(), "127.0.0.1:0", "--drain", fmt.Sprint(c.most))
			relaytest.Join(t, client.Config{URL: p.URL, Token: tokenFor(t, p.Authority(t), "hall")})
			p.Terminate()
			if c.again {
				relaytest.Eventually(t, "the relay is not ready", func() bool { s, _ := get(t, p.URL+"/readyz", ""); return s == 503 })
				p.Terminate()
			}
			ends(t, p)
		})
	}
}

// ends waits until a relay has ended in order.
func ends(t *testing.T, p *relaytest.Process) {
	t.Helper()
	select {
	case <-p.Exited():
	case <-time.After(20 * time.Second):
		t.Fatal("after 20 s the relay has not ended")
	}
	if code := p.ExitCode(); code != 0 {
		t.Errorf("exit %d", code)
	}
}
