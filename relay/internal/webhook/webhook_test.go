package webhook

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sightline/relay/internal/bus"
)

const secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDz2Q4mQ=="

// taker is a program that is told, and may be made to fail.
type taker struct {
	t      *testing.T
	target Target

	mu    sync.Mutex
	fail  func(w http.ResponseWriter, r *http.Request) // nil: takes
	tries int
	got   map[string]int // by type
	ids   map[string]bool
}

func (k *taker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	k.mu.Lock()
	k.tries++
	fail := k.fail
	k.mu.Unlock()
	if fail != nil {
		fail(w, r)
		return
	}
	id := r.Header.Get("webhook-id")
	seconds, bad := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
	want, _ := k.target.Sign(id, time.Unix(seconds, 0), body)
	if got := r.Header.Get("webhook-signature"); err != nil || bad != nil || got != want {
		k.t.Errorf("signature %q, want %q; %v %v", got, want, err, bad)
	}
	var m struct {
		Type      string
		Timestamp time.Time
		Data      struct{ Room string }
	}
	if err := json.Unmarshal(body, &m); err != nil || m.Data.Room != "hall" || m.Timestamp.IsZero() {
		k.t.Errorf("%s: %v", body, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.ids[id] {
		k.ids[id] = true
		k.got[m.Type]++
	}
}

func (k *taker) set(fail func(http.ResponseWriter, *http.Request)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fail = fail
}

func (k *taker) count(event string) (got, tries int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.got[event], k.tries
}

func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 30 s still not: %s", what)
		}
	}
}

// A target that fails, hangs and comes back gets every event, also those of before the relay was restarted; and does
// not hold up another.
func TestTold(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := t.TempDir()
	poor, good := &taker{t: t, got: map[string]int{}, ids: map[string]bool{}}, &taker{t: t, got: map[string]int{}, ids: map[string]bool{}}
	var targets []Target
	for _, k := range []*taker{poor, good} {
		server := httptest.NewServer(k)
		defer server.Close()
		k.target = Target{URL: server.URL + "/hook?x=hidden", Secret: secret, Rooms: "h*"}
		targets = append(targets, k.target)
	}
	targets[1].Events = []string{MarkPlaced}
	var logged strings.Builder
	var mu sync.Mutex
	log := slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) { mu.Lock(); defer mu.Unlock(); return logged.Write(p) }), nil))
	open := func() (*bus.Bus, *Sender) {
		b, err := bus.Open(t.Context(), dir, bus.Options{})
		if err != nil {
			t.Fatal(err)
		}
		q, err := b.OpenQueue(t.Context(), "webhooks", time.Hour, 2*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return b, New(Config{Targets: targets, Queue: q, Log: log, Now: time.Now, Pauses: []time.Duration{50 * time.Millisecond}, Timeout: 300 * time.Millisecond})
	}
	b, s := open()
	tell := func(n int) {
		for range n {
			s.Tell(MarkPlaced, "hall", map[string]any{"room": "hall"})
			s.Tell(RoomStarted, "hall", map[string]any{"room": "hall"})
			s.Tell(RoomStarted, "other", map[string]any{"room": "other"})
		}
	}
	poor.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	tell(10)
	eventually(t, "the good target is told", func() bool { n, _ := good.count(MarkPlaced); return n == 10 })
	eventually(t, "the poor target is tried again", func() bool { _, tries := poor.count(""); return tries > 25 })
	poor.set(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }) // hangs
	_, before := poor.count("")
	eventually(t, "it hangs", func() bool { _, tries := poor.count(""); return tries > before+1 })

	s.Close()
	b.Close()
	poor.set(nil)
	b, s = open()
	defer b.Close()
	defer s.Close()
	tell(5)
	eventually(t, "the poor target has all", func() bool {
		marks, _ := poor.count(MarkPlaced)
		rooms, _ := poor.count(RoomStarted)
		return marks == 15 && rooms == 15
	})
	eventually(t, "the good target has all", func() bool { n, _ := good.count(MarkPlaced); return n == 15 })
	if n, _ := good.count(RoomStarted); n != 0 {
		t.Errorf("told %d events that it did not want", n)
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(logged.String(), "502 Bad Gateway") || strings.Contains(logged.String(), "hidden") || strings.Contains(logged.String(), secret) {
		t.Errorf("the log names no reason, or a secret:\n%s", logged.String())
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// No webhook reaches an address that it should not, by name, by redirection or by setting.
func TestReach(t *testing.T) {
	for address, want := range map[string][3]bool{ // local, private, else
		"127.0.0.1":       {true, false, false},
		"10.1.2.3":        {false, true, false},
		"fd00::1":         {false, true, false},
		"169.254.169.254": {false, false, false},
		"0.0.0.0":         {false, false, false},
		"224.0.0.1":       {false, false, false},
		"198.51.100.7":    {true, true, true},
	} {
		ip := netip.MustParseAddr(address)
		for i, got := range [3]bool{mayReach(ip, true, false) == nil, mayReach(ip, false, true) == nil, mayReach(ip, false, false) == nil} {
			if got != want[i] {
				t.Errorf("%s, case %d: %v", address, i, got)
			}
		}
	}
	hit := false
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit = true }))
	defer inner.Close()
	outer := httptest.NewServer(http.RedirectHandler(inner.URL, http.StatusTemporaryRedirect))
	defer outer.Close()
	target := Target{URL: outer.URL, Secret: secret}
	resp, err := newClient(&target, time.Second).Get(outer.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if hit || resp.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("followed a redirection: %s", resp.Status)
	}
	named := Target{URL: "https://erp.example", Secret: secret}
	if _, err := newClient(&named, time.Second).Get(inner.URL); err == nil || !strings.Contains(err.Error(), "this machine itself") {
		t.Errorf("a name that leads to loopback: %v", err)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		target Target
		want   string
	}{
		{Target{URL: "https://a.example/x", Secret: secret}, ""},
		{Target{URL: "http://127.0.0.1:1/x", Secret: secret}, ""},
		{Target{URL: "http://a.example/x", Secret: secret}, "want https"},
		{Target{URL: "ftp://a.example/x", Secret: secret}, "want https"},
		{Target{URL: "https://u:p@a.example/x", Secret: secret}, "without a password"},
		{Target{URL: "https://a.example", Secret: "whsec_c2hvcnQ="}, "at least 24"},
		{Target{URL: "https://a.example", Secret: secret, Events: []string{"room.exploded"}}, "room.exploded"},
		{Target{URL: "https://a.example", Secret: secret, Rooms: "["}, "no pattern"},
	} {
		if err := c.target.Check(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.target, err, c.want)
		}
	}
}

// The vector of the Standard Webhooks libraries.
func TestSign(t *testing.T) {
	target := Target{Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
	got, err := target.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("%q %v, want %q", got, err, want)
	}
}
