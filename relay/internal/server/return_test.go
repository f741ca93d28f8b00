package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sightline/relay/client"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

// dialler speaks the protocol of the signalling socket by hand.
type dialler struct {
	t   *testing.T
	ctx context.Context
	url string
	// Of the requests to come.
	token, secret, resume, from string
}

func newDialler(t *testing.T, s *server.Server, token string) *dialler {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return &dialler{t: t, ctx: ctx, url: s.URL() + "/ws", token: token, secret: "a secret", resume: "new", from: "192.0.2.1"}
}

// call opens a socket and returns the first that the relay says.
func (c *dialler) call() (*websocket.Conn, wire.Signal) {
	c.t.Helper()
	for {
		ws, _, err := websocket.Dial(c.ctx, c.url, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + c.token},
			wire.InstanceHeader: {c.secret}, wire.ResumeHeader: {c.resume}, "X-Forwarded-For": {c.from}}})
		if err != nil {
			c.t.Fatal(err)
		}
		ws.SetReadLimit(1 << 20)
		c.t.Cleanup(func() { _ = ws.CloseNow() })
		_, data, err := ws.Read(c.ctx)
		if websocket.CloseStatus(err) == websocket.StatusTryAgainLater {
			continue // the session ended while it was dialled, as a client would hear
		}
		return ws, c.signal(data, err)
	}
}

func (c *dialler) hear(ws *websocket.Conn) wire.Signal {
	c.t.Helper()
	_, data, err := ws.Read(c.ctx)
	return c.signal(data, err)
}

// signal is what was read.
func (c *dialler) signal(data []byte, err error) wire.Signal {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	m, err := wire.DecodeSignal(data)
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

func (c *dialler) say(ws *websocket.Conn, text string) {
	c.t.Helper()
	if err := ws.Write(c.ctx, websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// is says what the room's log says of a participant.
func is(r *relaytest.Replica, id string, online bool, reason string) func() bool {
	return func() bool {
		var p wire.Participant
		e, ok := r.Get(wire.KindParticipant, id)
		return ok && json.Unmarshal(e.Body, &p) == nil && p.Online == online && p.Reason == reason
	}
}

// What was said on a socket that is lost is said again on the next one, from where the client has heard, and nothing
// that the client says twice is taken twice. The older socket may still seem to live.
func TestWhatIsSaidOutlivesTheSocket(t *testing.T) {
	s := relaytest.Start(t, nil)
	c := newDialler(t, s, tokenFor(t, s.Authority(), "hall"))
	first, welcome := c.call()
	if welcome.Type != wire.SignalWelcome || welcome.N != 1 || welcome.Session == "" || welcome.Keep != 15 {
		t.Fatalf("welcome %+v", welcome)
	}
	c.say(first, `{"type":"publish","n":1}`)
	if m := c.hear(first); m.Type != wire.SignalOffer || m.N != 2 {
		t.Fatalf("after publish: %s, number %d", m.Type, m.N)
	}

	c.resume = welcome.Session + " 1"
	second, resumed := c.call() // as if the offer had been lost
	if resumed.Type != wire.SignalResumed || resumed.Heard != 1 || resumed.N != 0 {
		t.Fatalf("resumed %+v", resumed)
	}
	offer := c.hear(second)
	if offer.Type != wire.SignalOffer || offer.N != 2 || strings.Contains(offer.SDP, "a=inactive") {
		t.Fatalf("after resumed: %s, number %d", offer.Type, offer.N)
	}
	if err := readUntilEnd(c.ctx, first); websocket.CloseStatus(err) == websocket.StatusNormalClosure || c.ctx.Err() != nil {
		t.Errorf("the older socket: %v", err)
	}
	c.say(second, `{"type":"publish","n":1}`) // again: not taken
	c.say(second, `{"type":"publish","n":2,"tracks":[{"name":"a/b","kind":"video"}]}`)
	if m := c.hear(second); m.Type != wire.SignalError || m.Code != wire.CodeBadMessage {
		t.Errorf("after a bad message: %+v", m)
	}
	c.say(second, `{"type":"publish","n":4}`)
	if m := c.hear(second); m.Code != wire.CodeBadMessage || !strings.Contains(m.Text, "missing") {
		t.Errorf("after a gap: %+v", m)
	}
	if n := len(s.Rooms()[0].Participants); n != 1 {
		t.Errorf("%d participants", n)
	}
}

func readUntilEnd(ctx context.Context, ws *websocket.Conn) error {
	for {
		if _, _, err := ws.Read(ctx); err != nil {
			return err
		}
	}
}

// Nobody takes the session of somebody else: not without the secret, not with another invitation, not with a number
// that was never said. Each of them joins as himself, and the session goes on.
func TestASessionIsItsOwnersOnly(t *testing.T) {
	s := relaytest.Start(t, nil)
	token := tokenFor(t, s.Authority(), "hall")
	c := newDialler(t, s, token)
	ws, welcome := c.call()
	for name, change := range map[string]func(*dialler){
		"another secret":     func(o *dialler) { o.secret = "another" },
		"no secret":          func(o *dialler) { o.secret = "" },
		"another invitation": func(o *dialler) { o.token, o.secret = tokenFor(t, s.Authority(), "hall"), "another" },
		"another room":       func(o *dialler) { o.token = tokenFor(t, s.Authority(), "yard") },
		"guessed":            func(o *dialler) { o.secret, o.resume = "third", strings.Repeat("A", 26)+" 1" },
		"nonsense":           func(o *dialler) { o.secret, o.resume = "fourth", "\"%s\" 9 9 9" },
	} {
		other := newDialler(t, s, token)
		other.resume = welcome.Session + " 1"
		change(other)
		if _, m := other.call(); m.Type != wire.SignalWelcome || m.Session == welcome.Session || m.Self.ID == welcome.Self.ID {
			t.Errorf("%s: %s of %+v", name, m.Type, m.Self)
		}
	}
	c.say(ws, `{"type":"publish","n":1}`)
	if m := c.hear(ws); m.Type != wire.SignalOffer {
		t.Errorf("the session hears %+v", m)
	}
	for _, resume := range []string{" 99", " -1", " x"} { // its own, but it cannot go on: the newer takes its place
		c.resume = welcome.Session + resume
		if _, m := c.call(); m.Type != wire.SignalWelcome || m.Self.ID != welcome.Self.ID || m.Session == welcome.Session {
			t.Errorf("resume%s: %+v", resume, m)
		}
	}
}

// Who comes back in time was never away, but for the audit log, which says from where; who does not is lost, and so is
// who is removed meanwhile, or does not know how to come back.
func TestWhoComesBackInTimeWasNeverAway(t *testing.T) {
	data := t.TempDir()
	s := relaytest.Start(t, func(c *server.Config) { c.Data, c.KeepTime = data, 5*time.Second })
	var log relaytest.Replica
	relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "expert", "Ann"), OnLog: log.Take})
	c := newDialler(t, s, signed(t, s.Authority(), auth.Grant{Role: auth.Field, Name: "Tom"}))
	ws, welcome := c.call()
	tom := welcome.Self.ID
	relaytest.Eventually(t, "Tom is here", is(&log, tom, true, ""))

	_ = ws.CloseNow()
	c.resume, c.from = welcome.Session+" 1", "198.51.100.9"
	ws, m := c.call()
	if m.Type != wire.SignalResumed {
		t.Fatalf("resumed: %+v", m)
	}
	if e, _ := log.Get(wire.KindParticipant, tom); string(e.Body) == "" || strings.Contains(string(e.Body), "reason") {
		t.Errorf("the room was told %s", e.Body)
	}
	back := audit.Event{What: audit.CameBack, Room: "hall", Participant: tom, Name: "Tom", Role: "field", Address: "198.51.100.9", By: "socket",
		Detail: "from another address, before 192.0.2.1"}
	relaytest.Eventually(t, "the audit log says from where he came back", func() bool {
		return slices.ContainsFunc(events(t, data), func(e audit.Event) bool { return holds(e, back) })
	})
	if all := events(t, data); slices.ContainsFunc(all, func(e audit.Event) bool { return e.What == audit.Left || e.What == audit.Lost }) {
		t.Errorf("somebody has left: %+v", all)
	}

	_ = ws.CloseNow()
	relaytest.Eventually(t, "the room is told that Tom's connection is interrupted", is(&log, tom, true, wire.Interrupted))
	ws, _ = c.call()
	relaytest.Eventually(t, "and that it is there again", is(&log, tom, true, wire.Back))
	_ = ws.CloseNow()
	relaytest.Eventually(t, "Tom is lost", is(&log, tom, false, "lost"))
	if _, m = c.call(); m.Type != wire.SignalWelcome || m.Self.ID != tom {
		t.Errorf("too late: %+v", m)
	}

	c.resume = m.Session + " 1"
	if err := s.Remove("hall", tom, ann); err != nil {
		t.Fatal(err)
	}
	if _, m = c.call(); m.Type != wire.SignalWaiting {
		t.Errorf("after he was removed: %+v", m)
	}

	old := newDialler(t, s, signed(t, s.Authority(), auth.Grant{Role: auth.Field, Name: "Old"}))
	old.resume = ""
	ws, m = old.call()
	if m.Session != "" {
		t.Errorf("who does not know how: %+v", m)
	}
	relaytest.Eventually(t, "Old is here", is(&log, m.Self.ID, true, ""))
	_ = ws.CloseNow()
	relaytest.Eventually(t, "Old is lost", is(&log, m.Self.ID, false, "lost"))
}

// Who comes back too often has to wait, as who joins too often has.
func TestComingBackIsLimited(t *testing.T) {
	s := relaytest.Start(t, func(c *server.Config) { c.Limits.JoinsPerMinute = 3 })
	c := newDialler(t, s, tokenFor(t, s.Authority(), "hall"))
	_, welcome := c.call()
	c.resume = welcome.Session + " 1"
	c.call()
	c.call()
	_, resp, err := websocket.Dial(c.ctx, c.url, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + c.token},
		wire.InstanceHeader: {c.secret}, wire.ResumeHeader: {c.resume}, "X-Forwarded-For": {c.from}}})
	if err == nil || resp == nil || resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the fourth: %v", err)
	}
}

// Those who join only to be lost are not kept beyond a number; those who are kept are let go after a time.
func TestWhatIsKeptIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("joins 510 times")
	}
	s := relaytest.Start(t, func(c *server.Config) { c.KeepTime = time.Hour })
	c := newDialler(t, s, tokenFor(t, s.Authority(), "hall"))
	present := func() int { return len(s.Rooms()[0].Participants) }
	for n := range 510 {
		c.secret = fmt.Sprint(n)
		ws, _ := c.call()
		_ = ws.CloseNow()
	}
	relaytest.Eventually(t, "the most are kept that may be", func() bool { return present() == 500 })
	began := time.Now()
	s.Close()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the relay closed after %v", took)
	}
}
