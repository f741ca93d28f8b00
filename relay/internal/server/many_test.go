package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sightline/relay/client"
	"sightline/relay/freeport"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/bus"
	"sightline/relay/internal/natstest"
	"sightline/relay/internal/policy"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/internal/staff"
	"sightline/relay/wire"
)

// pair runs two relays on one NATS, which know each other.
func pair(t *testing.T, change func(*server.Config)) (a, b *server.Server) {
	t.Helper()
	nats := natstest.Start(t, 1)
	start := func() *server.Server {
		return relaytest.Start(t, func(c *server.Config) {
			c.NATS = bus.Options{URL: nats.URL()}
			if change != nil {
				change(c)
			}
		})
	}
	a, b = start(), start()
	relaytest.Eventually(t, "two relays know each other and their keys", func() bool {
		status, _ := get(t, a.URL()+"/api/v1/me", relaytest.Token(t, b.Authority(), "expert", "x"))
		return status == 200 && len(a.Relays()) == 2 && len(b.Relays()) == 2
	})
	return a, b
}

// having returns the relay that has the room hall, and the other one.
func having(t *testing.T, a, b *server.Server) (owner, other *server.Server) {
	t.Helper()
	switch n := len(a.Rooms()) - len(b.Rooms()); {
	case n > 0:
		return a, b
	case n < 0:
		return b, a
	}
	t.Fatalf("%d rooms here, %d there", len(a.Rooms()), len(b.Rooms()))
	return nil, nil
}

// Who was led to the room's relay by another one comes back to his session there, however often his socket breaks.
func TestWhoWasLedComesBack(t *testing.T) {
	var networks []*relaytest.Network // of each relay one
	a, b := pair(t, func(c *server.Config) {
		n := relaytest.NewNetwork(t)
		c.RelayURL, c.Advertise = n.URL(), n.Media()
		networks = append(networks, n)
	})
	for i, s := range []*server.Server{a, b} {
		networks[i].Lead(strings.TrimPrefix(s.URL(), "http://"), s.MediaPort())
	}
	token := func(role, name string) string { return relaytest.Token(t, a.Authority(), role, name) }
	var heard relaytest.Replica
	var joins atomic.Int64
	relaytest.Join(t, client.Config{URL: a.URL(), Token: token("expert", "Eva"), OnLog: func(e wire.Envelope) {
		heard.Take(e)
		if e.Kind == wire.KindParticipant && strings.Contains(string(e.Body), "Tom") {
			joins.Add(1)
		}
	}})
	_, other := having(t, a, b)
	tom := relaytest.Join(t, client.Config{URL: other.URL(), Token: token("field", "Tom")})
	id := tom.Self().ID
	for i := range 4 {
		for _, n := range networks {
			n.Cut()
		}
		mark := fmt.Sprint("m", i)
		if _, err := tom.Publish(wire.KindMark, mark, 0, "after a break"); err != nil {
			t.Fatal(err)
		}
		relaytest.Eventually(t, "a mark comes", func() bool { _, ok := heard.Get(wire.KindMark, mark); return ok })
	}
	if now := tom.Self().ID; now != id || joins.Load() != 1 {
		t.Errorf("%s is %s now, and the room was told of him %d times", id, now, joins.Load())
	}
}

// Whichever relay is asked, by whatever way in, the room is one.
func TestAnyRelayLeadsToTheRoom(t *testing.T) {
	a, b := pair(t, nil)
	token := func(role, name string) string { return relaytest.Token(t, a.Authority(), role, name) }
	var heard relaytest.Replica
	relaytest.Join(t, client.Config{URL: a.URL(), Token: token("expert", "Eva"), OnLog: heard.Take})
	owner, other := having(t, a, b)
	tom := relaytest.Join(t, client.Config{URL: other.URL(), Token: token("field", "Tom")})
	if _, err := tom.Publish(wire.KindMark, "m", 0, "through the other relay"); err != nil {
		t.Fatal(err)
	}
	relaytest.Eventually(t, "a mark comes", func() bool { _, ok := heard.Get(wire.KindMark, "m"); return ok })
	film(t, relaytest.NewGuest(t, token("field", "phone")), other.URL()+"/whip/hall")
	packets, _, _ := watch(t, relaytest.NewGuest(t, token("viewer", "wall")), other.URL()+"/whep/hall")
	relaytest.Counted(t, "packets by WHEP", 20, packets.Load)
	if n := len(other.Rooms()); n != 0 {
		t.Errorf("the other relay has %d rooms", n)
	}

	direct := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for path, want := range map[string]int{"/api/v1/rooms/hall": 307, "/ws": 307, "/api/v1/rooms/hall?hops=4": 503, "/where/hall": 200} {
		r, err := http.NewRequest(http.MethodGet, other.URL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token("expert", "Eva"))
		resp, err := direct.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want || want == 307 && !strings.HasPrefix(resp.Header.Get("Location"), owner.URL()+strings.Split(path, "?")[0]+"?hops=1") {
			t.Errorf("%s: %s to %q", path, resp.Status, resp.Header.Get("Location"))
		}
	}
	if status, _ := get(t, other.URL()+"/api/v1/rooms/hall", ""); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
}

// The console shows the rooms of all relays, whichever serves it.
func TestConsoleShowsAllRelays(t *testing.T) {
	a, b := pair(t, nil)
	relaytest.Join(t, client.Config{URL: a.URL(), Token: relaytest.Token(t, a.Authority(), "expert", "Eva")})
	_, other := having(t, a, b)
	ask := func(path string) string {
		r, err := http.NewRequest(http.MethodGet, other.URL()+"/api/v1"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+relaytest.Token(t, b.Authority(), "expert", "Ann"))
		r.Header.Set("Sightline-Page", "console")
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var all json.RawMessage
		if err := json.NewDecoder(resp.Body).Decode(&all); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %s %v", path, resp.Status, err)
		}
		return string(all)
	}
	for _, path := range []string{"/rooms", "/rooms/hall"} {
		if text := ask(path); !strings.Contains(text, `"name":"Eva"`) {
			t.Errorf("%s: %s", path, text)
		}
	}
}

// An invitation of one relay is good at the other; withdrawn at either, it ends at both.
func TestInvitationsHoldAtEveryRelay(t *testing.T) {
	a, b := pair(t, nil)
	token, made, err := a.Invite(auth.Grant{Room: "hall", Role: auth.Expert, Name: "Eva"}, time.Hour, ann)
	if err != nil {
		t.Fatal(err)
	}
	relaytest.Eventually(t, "the other relay lists it", func() bool {
		all, err := b.Invitations()
		return err == nil && len(all) == 1 && all[0].ID == made.ID && all[0].Name == "Eva"
	})
	eva := relaytest.Join(t, client.Config{URL: b.URL(), Token: token})
	if _, err := b.Withdraw(made.ID, ann); err != nil {
		t.Fatal(err)
	}
	relaytest.Eventually(t, "Eva is sent away", func() bool { state, _ := eva.State(); return state == client.Closed })
	relaytest.Eventually(t, "the relay that has invited knows", func() bool {
		status, _ := get(t, a.URL()+"/api/v1/me", token)
		return status == http.StatusForbidden
	})
}

// Somebody waits in the lobby; the moderator's answer comes through the other relay.
func TestLobbyIsAnsweredThroughAnyRelay(t *testing.T) {
	a, b := pair(t, func(c *server.Config) { c.Rooms = policy.Rooms{{Match: "*", Lobby: true}} })
	c, err := client.Dial(t.Context(), client.Config{URL: a.URL(), Token: relaytest.Token(t, b.Authority(), "expert", "Eva")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	relaytest.Eventually(t, "Eva waits", func() bool { state, _ := c.State(); return state == client.Waiting })
	at, other := a, b
	if len(a.Waiting("hall")) == 0 {
		at, other = b, a
	}
	id := at.Waiting("hall")[0].ID
	token, err := a.Authority().Sign(auth.Grant{Room: "*", Role: auth.Viewer, Name: "Ann", Staff: true, Rights: []string{auth.Moderate}}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, other.URL()+"/api/v1/rooms/hall/lobby/"+id, strings.NewReader(`{"admit":true}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r) // it follows, with the body
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		t.Fatal(resp.Status)
	}
	if err := c.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A sign-in begins at one relay and ends at the other, behind one address.
func TestSignInEndsAtAnotherRelay(t *testing.T) {
	var relays [2]*url.URL
	balancer := relaytest.Serve(t, func(w http.ResponseWriter, r *http.Request) {
		to := relays[0]
		if strings.HasSuffix(r.URL.Path, "/callback") {
			to = relays[1]
		}
		httputil.NewSingleHostReverseProxy(to).ServeHTTP(w, r)
	})
	issuer := provider(t, balancer+"/signin/callback")
	n := 0
	urls := []string{freeport.Address(t), freeport.Address(t)}
	a, b := pair(t, func(c *server.Config) {
		c.PublicURL, c.Listen, c.RelayURL = balancer, urls[n], "http://"+urls[n]
		n++
		c.Staff = staff.Config{Issuer: issuer, ClientID: "sightline", Secret: "client-secret-4711", Claim: "email",
			Rules: []staff.Rule{{Value: "test-user@zitadel.ch", Rights: []string{"moderate"}}}}
	})
	for i, s := range []*server.Server{a, b} {
		relays[i], _ = url.Parse(s.URL())
	}
	who := browserlike(t)
	resp, text := login(t, who, balancer, issuer, "test-user@localhost")
	to, err := resp.Location()
	if err != nil || to.Path != "/console" {
		t.Fatalf("%s: %v %s", resp.Status, err, text)
	}
	if status, text := get(t, a.URL()+"/api/v1/me", to.Fragment); status != 200 {
		t.Errorf("at the relay where it began: %d %s", status, text)
	}
}

// A page of one relay publishes in a room of the other.
func TestBrowserFollowsToTheRoom(t *testing.T) {
	open := browser(t)
	a, b := pair(t, nil)
	relaytest.Join(t, client.Config{URL: a.URL(), Token: relaytest.Token(t, a.Authority(), "expert", "Eva")})
	owner, other := having(t, a, b)
	page := open(other.URL() + "/publish?codec=video/VP8#" + relaytest.Token(t, a.Authority(), "field", "Tom"))
	says(t, page, "#state", "connected")
	if rooms := owner.Rooms(); len(rooms) != 1 || len(rooms[0].Participants) != 2 {
		t.Errorf("the owner has %+v", rooms)
	}
	evaluate[chromedp.Void](t, page, `session.close()`)
}

// A client does not tell its token to an address that a relay leads to, unless it is safe there.
func TestClientKeepsItsTokenFromStrangers(t *testing.T) {
	for to, want := range map[string]string{"http://192.0.2.1:8080": "the token is not sent there", "ftp://x": "no address of a relay", "": "in a circle"} {
		at := relaytest.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", to+"/ws")
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		c, err := client.Dial(t.Context(), client.Config{URL: at, Token: "secret", Logger: relaytest.Logger(t)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err = c.Wait(ctx)
		cancel()
		c.Close()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("led to %q: %v", to, err)
		}
	}
}
