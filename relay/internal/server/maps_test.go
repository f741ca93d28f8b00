package server_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"sightline/relay/internal/api"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
)

// send sends bytes as they are, and holds the answer against the document.
func (c *caller) send(method, path string, body []byte, condition string, want int) (*http.Response, []byte) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+api.Base+path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	if name, value, ok := strings.Cut(condition, ": "); ok {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		c.t.Fatalf("%s %s: %s %.200s %v, want %d", method, path, resp.Status, answer, err, want)
	}
	if len(body) < 1<<20 { // the document's checker reads it all as text
		c.check(req, body, resp, answer)
	}
	return resp, answer
}

// ofMaps keeps the map of a machine, gives it to another client of the room and to nobody else, and deletes it.
func (c *caller) ofMaps(s *server.Server) {
	c.t.Helper()
	tim, ulf := c.as(relaytest.Token(c.t, s.Authority(), "field", "Tim")), c.as(relaytest.Token(c.t, s.Authority(), "field", "Ulf"))
	const at = "/rooms/hall/maps/hall1%2Fpump-7"
	tim.send("GET", at, nil, "", 404)
	rng := rand.New(rand.NewPCG(1, 2))
	content := make([]byte, 300_000)
	for i := range content {
		content[i] = byte(rng.Uint32())
	}
	kept, _ := tim.send("PUT", at, content, "", 200)
	got, back := ulf.send("GET", at, nil, "", 200)
	if !bytes.Equal(back, content) || got.Header.Get("ETag") != kept.Header.Get("ETag") {
		c.t.Errorf("%d bytes of %q came back for %d of %q", len(back), got.Header.Get("ETag"), len(content), kept.Header.Get("ETag"))
	}
	tag := kept.Header.Get("ETag")
	ulf.send("GET", at, nil, "If-None-Match: "+tag, 304)
	ulf.send("GET", at, nil, `If-None-Match: "another"`, 200)
	ulf.send("PUT", at, content[:1000], "If-None-Match: *", 412)
	if _, last := ulf.send("PUT", at, content[:1000], "If-Match: "+tag, 200); !strings.Contains(string(last), `"hall1/pump-7"`) {
		c.t.Errorf("kept as %s", last)
	}
	tim.send("PUT", at, content[:10], "If-Match: "+tag, 412)
	if _, back := tim.send("GET", at, nil, "", 200); !bytes.Equal(back, content[:1000]) {
		c.t.Errorf("%d bytes for the 1000 that were saved last", len(back))
	}
	var list struct{ Maps []api.Map }
	if tim.ask("GET", "/rooms/hall/maps", nil, 200, &list); len(list.Maps) != 1 || list.Maps[0].Machine != "hall1/pump-7" || list.Maps[0].Bytes != 1000 {
		c.t.Errorf("maps %+v", list)
	}
	tim.send("PUT", "/rooms/hall/maps/"+strings.Repeat("x", 201), content[:10], "", 400)
	tim.send("PUT", at, make([]byte, 64<<20+1), "", 413)
	tim.send("GET", "/rooms/yard/maps/hall1%2Fpump-7", nil, "", 403)
	c.as(relaytest.Token(c.t, s.Authority(), "viewer", "Vic")).send("GET", at, nil, "", 403)
	tim.send("DELETE", at, nil, "", 403)
	c.ask("DELETE", at, nil, 204, nil)
	c.ask("DELETE", at, nil, 404, nil)
	var log struct{ Events []audit.Event }
	c.ask("GET", "/audit?last=50", nil, 200, &log)
	found := map[string]bool{}
	for _, e := range log.Events {
		if strings.Contains(e.Detail, `"hall1/pump-7"`) {
			found[e.What+" by "+e.Actor] = true
		}
	}
	for _, want := range []string{"map kept by Tim", "map kept by Ulf", "map deleted by Ann"} {
		if !found[want] {
			c.t.Errorf("the audit log has no %q: %v", want, found)
		}
	}
}

// A map that breaks off on its way leaves the one before.
func TestMapCutShort(t *testing.T) {
	s := relaytest.Start(t, nil)
	c := newCaller(t, s.URL()).as(relaytest.Token(t, s.Authority(), "field", "Tim"))
	const at = "/rooms/hall/maps/press"
	c.send("PUT", at, []byte("the one before"), "", 200)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL()+api.Base+at, io.MultiReader(bytes.NewReader(make([]byte, 400_000)), broken{}))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
		resp.Body.Close()
		t.Fatalf("half a map was answered with %s", resp.Status)
	}
	relaytest.Eventually(t, "the old one is there", func() bool {
		_, back := c.send("GET", at, nil, "", 200)
		return string(back) == "the one before"
	})
}

// Who sends a map slowly holds up nobody else.
func TestSlowMap(t *testing.T) {
	s := relaytest.Start(t, nil)
	c := newCaller(t, s.URL()).as(relaytest.Token(t, s.Authority(), "field", "Tim"))
	from, to := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL()+api.Base+"/rooms/hall/maps/press", from)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	answered := make(chan int)
	go func() {
		status := 0
		if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
			status = resp.StatusCode
			resp.Body.Close()
		}
		answered <- status
	}()
	_, _ = to.Write([]byte("a half"))
	c.send("PUT", "/rooms/hall/maps/pump", []byte("another"), "", 200)
	select {
	case status := <-answered:
		t.Fatalf("half a map was answered with %d", status)
	default:
	}
	_, _ = to.Write([]byte(" and a half"))
	_ = to.Close()
	if status := <-answered; status != http.StatusOK {
		t.Errorf("the slow one was answered with %d", status)
	}
	if _, back := c.send("GET", "/rooms/hall/maps/press", nil, "", 200); string(back) != "a half and a half" {
		t.Errorf("%q came back", back)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }
