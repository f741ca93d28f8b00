package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/wire"
)

func TestTokensThatDoNotGrant(t *testing.T) {
	s := relaytest.Start(t, nil)
	for name, c := range map[string]struct{ token, want string }{
		"none":    {"", "no token"},
		"garbage": {"abc.def", "cannot be read"},
		"other":   {relaytest.Token(t, relaytest.Start(t, nil).Authority(), "expert", "Eve"), "not signed by this relay"},
	} {
		_, err := client.Dial(t.Context(), client.Config{URL: s.URL(), Token: c.token})
		var join *client.JoinError
		if !errors.As(err, &join) || join.Status != http.StatusUnauthorized || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	if _, err := client.Dial(t.Context(), client.Config{URL: "localhost:8080"}); err == nil {
		t.Error("dialled what is no URL")
	}
}

func TestRelayThatIsNotThereIsTriedAgain(t *testing.T) {
	c, err := client.Dial(t.Context(), client.Config{URL: "http://127.0.0.1:1", Token: "x", Logger: relaytest.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := c.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waited: %v", err)
	}
	if _, err := c.Publish(wire.KindChat, "a", 0, wire.Chat{}); !errors.Is(err, client.ErrNotJoined) {
		t.Errorf("published before joining: %v", err)
	}
}

// Bad input on the socket is answered with an error, and disturbs nobody.
func TestBadInputOnTheSocket(t *testing.T) {
	s := relaytest.Start(t, nil)
	ann := relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "expert", "Ann")})
	publish := `{"type":"publish"}`
	for name, c := range map[string]struct {
		say  []string
		code string
		ends bool
	}{
		"garbage":        {[]string{"\x00\xff{"}, wire.CodeBadMessage, false},
		"no type":        {[]string{`{}`}, wire.CodeBadMessage, false},
		"relay's word":   {[]string{`{"type":"offer","sdp":"x"}`}, wire.CodeBadMessage, false},
		"bad track":      {[]string{`{"type":"publish","tracks":[{"name":"a/b","kind":"video"}]}`}, wire.CodeBadMessage, false},
		"viewer's track": {[]string{`{"type":"publish","tracks":[{"name":"a","kind":"video"}]}`}, wire.CodeForbidden, false},
		"answer to none": {[]string{`{"type":"answer","sdp":"v=0"}`}, wire.CodeBadSDP, true},
		"nonsense SDP":   {[]string{publish, `{"type":"answer","sdp":"hello"}`}, wire.CodeBadSDP, true},
		"empty SDP":      {[]string{publish, `{"type":"answer","sdp":"v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"}`}, wire.CodeBadSDP, true},
		"10 MB":          {[]string{strings.Repeat("x", 10<<20)}, wire.CodeTooLarge, true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			ws, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.URL(), "http")+"/ws?token="+
				relaytest.Token(t, s.Authority(), "viewer", "Eve"), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ws.CloseNow()
			ws.SetReadLimit(1 << 20)
			for i, say := range c.say {
				if i > 0 {
					await(ctx, t, ws, wire.SignalOffer)
				}
				if err := ws.Write(ctx, websocket.MessageText, []byte(say)); err != nil && !c.ends {
					t.Fatal(err)
				}
			}
			if m := await(ctx, t, ws, wire.SignalError); m.Code != c.code || m.Text == "" {
				t.Errorf("error %s: %s; want %s", m.Code, m.Text, c.code)
			}
			if c.ends {
				for err == nil {
					_, _, err = ws.Read(ctx)
				}
				if ctx.Err() != nil {
					t.Error("the socket was not closed")
				}
			}
		})
	}
	if state, err := ann.State(); state != client.Connected {
		t.Errorf("Ann was disturbed: %s, %v", state, err)
	}
	if _, err := ann.Publish(wire.KindChat, "a", 0, wire.Chat{Text: "still here"}); err != nil {
		t.Error(err)
	}
	relaytest.Eventually(t, "Ann's message is in the log", func() bool { return ann.Pending() == 0 })
	t.Logf("| garbled JSON and SDP, and 10 MB of it, on the signalling socket | refused; nobody else notices | an error with a code and words |")
}

func await(ctx context.Context, t *testing.T, ws *websocket.Conn, want wire.SignalType) wire.Signal {
	t.Helper()
	for {
		_, data, err := ws.Read(ctx)
		if err != nil {
			t.Fatalf("waiting for %s: %v", want, err)
		}
		if m, err := wire.DecodeSignal(data); err != nil {
			t.Fatal(err)
		} else if m.Type == want {
			return m
		}
	}
}

// What a role may not do is refused, by name, and is not tried again.
func TestWhatRolesMayNotDo(t *testing.T) {
	s := relaytest.Start(t, nil)
	refused := make(chan string, 10)
	join := func(role string) *client.Client {
		return relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), role, role),
			OnRefused: func(e wire.Envelope, err error) { refused <- fmt.Sprintf("%s %s: %v", role, e.Kind, err) }})
	}
	viewer, expert := join("viewer"), join("expert")
	for _, try := range []struct {
		c    *client.Client
		kind string
	}{{viewer, wire.KindMark}, {viewer, "x-new"}, {expert, wire.KindAnchor}, {expert, wire.KindTag}, {expert, wire.KindParticipant},
		{expert, wire.KindPose}} {
		if _, err := try.c.Publish(try.kind, "a", 0, 1); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-refused:
			t.Log(got)
			if !strings.Contains(got, try.kind) {
				t.Errorf("%q, want one about %s", got, try.kind)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s was not refused", try.kind)
		}
	}
	for c, kind := range map[*client.Client]string{viewer: wire.KindChat, expert: "x-new"} {
		if _, err := c.Publish(kind, "a", 0, 1); err != nil {
			t.Fatal(err)
		}
	}
	relaytest.Eventually(t, "the rest is in the log", func() bool { return viewer.Pending()+expert.Pending() == 0 })
	if _, err := expert.Publish(wire.KindMark, "a", 0, strings.Repeat("x", wire.MaxMessage)); err == nil {
		t.Error("a message over the limit was taken")
	}
	if _, err := expert.Publish(wire.KindMark, "big", 0, strings.Repeat("x", wire.MaxMessage-1000)); err != nil {
		t.Error(err)
	}
	relaytest.Eventually(t, "a message as large as may be is in the log", func() bool { return expert.Pending() == 0 })
}
