package server_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sightline/relay/client"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

// A thousand joins from one address within a minute: it is told to wait, and another address joins as ever.
func TestAThousandJoins(t *testing.T) {
	p := relaytest.StartProcess(t, t.TempDir(), "127.0.0.1:0", "--joins-per-minute", "60")
	a := p.Authority(t)
	token := tokenFor(t, a, "flood")
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.2")}}
	transport := &http.Transport{DialContext: dialer.DialContext, MaxConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	opts := &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	began := time.Now()
	var mu sync.Mutex
	var in []*websocket.Conn
	refused := 0
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 125 {
				ws, resp, err := websocket.Dial(ctx, p.URL+"/ws", opts)
				mu.Lock()
				switch {
				case err == nil:
					in = append(in, ws)
				case resp != nil && resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("Retry-After") != "":
					refused++
				default:
					t.Errorf("%v", err)
				}
				mu.Unlock()
				if err == nil {
					_ = ws.CloseNow()
				}
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	if most := 60 + int(took.Seconds()) + 1; len(in) > most || len(in) < 60 || len(in)+refused != 1000 {
		t.Errorf("%d joined and %d were refused in %v, want 60 to %d joined", len(in), refused, took, most)
	}
	relaytest.Join(t, client.Config{URL: p.URL, Token: tokenFor(t, a, "hall")})
	lines := 0
	for _, e := range events(t, p.Data) {
		if e.What == audit.Refused && e.Address == "127.0.0.2" {
			lines++
		}
	}
	if lines < 1 || lines > 2 {
		t.Errorf("%d lines in the audit log for %d refusals", lines, refused)
	}
	row(t, fmt.Sprintf("1,000 joins in %.1f s, from one address with a limit of 60 a minute", took.Seconds()),
		fmt.Sprintf("%d get in, %d are told to wait; another address joins as ever", len(in), refused), "429, Retry-After")
}

// Whatever an address asks for without a token, and however often: it is told to wait, and the audit log stays short.
func TestAThousandRefusals(t *testing.T) {
	var data string
	s := relaytest.Start(t, func(c *server.Config) { c.Limits.RequestsPerMinute, data = 500, c.Data })
	var limited, refused int
	for n := range 800 {
		method, path := http.MethodGet, "/where/hall"
		switch n % 4 {
		case 1:
			method, path = http.MethodPatch, "/whip/hall/x"
		case 2:
			method, path = http.MethodDelete, "/whep/hall/x"
		case 3:
			method, path = http.MethodPost, "/whip/hall/x/consent"
		}
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusUnauthorized:
			refused++
		case http.StatusTooManyRequests:
			limited++
		default:
			t.Fatalf("%s %s: %s", method, path, resp.Status)
		}
	}
	if refused < 500 || limited == 0 {
		t.Errorf("%d are refused and %d told to wait", refused, limited)
	}
	lines := 0
	for _, e := range events(t, data) {
		if e.What == audit.Refused {
			lines++
		}
	}
	if lines < 30 || lines > 40 {
		t.Errorf("%d lines in the audit log for %d refusals", lines, refused)
	}
}

// Who sends too many messages is told so; others' pass.
func TestTooManyMessages(t *testing.T) {
	s := relaytest.Start(t, func(c *server.Config) { c.Limits.MessagesPerSecond = 20 })
	var told atomic.Int32
	loud := relaytest.Join(t, client.Config{URL: s.URL(), Token: tokenFor(t, s.Authority(), "hall"), Instance: "loud", OnRefused: func(_ wire.Envelope, err error) {
		if strings.Contains(err.Error(), "at most 20 a second") {
			told.Add(1)
		}
	}})
	quiet := relaytest.Join(t, client.Config{URL: s.URL(), Token: tokenFor(t, s.Authority(), "hall"), Instance: "quiet"})
	for i := range int64(200) {
		if _, err := loud.Publish(wire.KindChat, "c", i, "loud"); err != nil {
			t.Fatal(err)
		}
	}
	relaytest.Eventually(t, "the loud one is told", func() bool { return told.Load() > 100 })
	var heard relaytest.Replica
	relaytest.Join(t, client.Config{URL: s.URL(), Token: tokenFor(t, s.Authority(), "hall"), Instance: "ear", OnLog: heard.Take})
	if _, err := quiet.Publish(wire.KindChat, "q", 0, "quiet"); err != nil {
		t.Fatal(err)
	}
	relaytest.Eventually(t, "the quiet one is heard", func() bool { _, ok := heard.Get(wire.KindChat, "q"); return ok })
}

// A body that never comes ends its connection, a header that is too long is refused, and so is a body.
func TestSizesAndSlowness(t *testing.T) {
	s := relaytest.Start(t, nil)
	token := tokenFor(t, s.Authority(), "hall")
	if status, text := get(t, s.URL()+"/api/v1/rooms?x="+strings.Repeat("x", 64<<10), ""); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("long header: %d %s", status, text)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/whep/hall", strings.NewReader(strings.Repeat("x", wire.MaxSignal+1)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/sdp")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("large body: %s", resp.Status)
	}
	for name, says := range map[string]string{
		"nothing":    "",
		"the header": "GET /healthz HTTP/1.1\r\nHost: x\r\nX: ",
		"the body":   "POST /whep/hall HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\nContent-Type: application/sdp\r\nContent-Length: 100\r\n\r\nv=0",
	} {
		t.Run("slow in "+name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, _ = conn.Write([]byte(says))
			_ = conn.SetReadDeadline(time.Now().Add(40 * time.Second))
			for buf := make([]byte, 1024); err == nil; {
				_, err = conn.Read(buf)
			}
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Error("still open after 40 s")
			}
		})
	}
}
