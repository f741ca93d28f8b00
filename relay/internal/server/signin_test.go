package server_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"sightline/relay/freeport"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/internal/staff"
)

// provider runs an OpenID provider, Zitadel's, with its users test-user@localhost and test-user2, until the test ends.
// redirect is the relay's address for coming back.
func provider(t *testing.T, redirect string) (issuer string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	issuer = "http://localhost:" + port
	web := storage.WebClient("sightline", "client-secret-4711", redirect)
	store := storage.NewStorageWithClients(storage.NewUserStore(issuer), map[string]*storage.Client{"sightline": web})
	s := &http.Server{Handler: exampleop.SetupServer(issuer, store, slog.New(slog.NewTextHandler(io.Discard, nil)), false)}
	done := make(chan struct{})
	go func() { _ = s.Serve(listener); close(done) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return issuer
}

// browserlike is an HTTP client with cookies that stops where the relay leads on to the console.
func browserlike(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/console" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// login signs somebody in at the provider, and returns the relay's answer.
func login(t *testing.T, c *http.Client, relay, issuer, name string) (*http.Response, string) {
	t.Helper()
	page, err := c.Get(relay + "/signin")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(page.Body)
	_ = page.Body.Close()
	id := page.Request.URL.Query().Get("authRequestID")
	if id == "" {
		t.Fatalf("no login page: %s %s %s", page.Status, page.Request.URL, text)
	}
	resp, err := c.PostForm(issuer+"/login/username", url.Values{"id": {id}, "username": {name}, "password": {"verysecure"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp, string(body)
}

// Staff sign in at a real provider and get the rights of their claim; who has no role, comes back twice or was sent by
// another does not.
func TestSignIn(t *testing.T) {
	address := freeport.Address(t)
	issuer := provider(t, "http://"+address+"/signin/callback")
	data := t.TempDir()
	s := relaytest.Start(t, func(c *server.Config) {
		c.Data, c.Listen, c.PublicURL = data, address, "http://"+address
		c.Staff = staff.Config{Issuer: issuer, ClientID: "sightline", Secret: "client-secret-4711", Claim: "email",
			Rules: []staff.Rule{{Value: "test-user@zitadel.ch", Rights: []string{"moderate", "audit"}}}}
	})
	ann := browserlike(t)
	resp, text := login(t, ann, s.URL(), issuer, "test-user@localhost")
	to, err := resp.Location()
	if err != nil || to.Path != "/console" {
		t.Fatalf("%s: %v %s", resp.Status, err, text)
	}
	c := newCaller(t, s.URL()).as(to.Fragment)
	var me struct {
		Name, Room string
		Rights     []string
		Staff      bool
	}
	c.ask("GET", "/me", nil, 200, &me)
	if me.Name != "Test User" || me.Room != "*" || !me.Staff || !slices.Equal(me.Rights, []string{"audit", "moderate"}) {
		t.Errorf("signed in as %+v", me)
	}
	noted(t, data, audit.Event{What: audit.Invited, Name: "Test User", Room: "*", By: "OpenID Connect", Actor: "Test User"})

	nobody := browserlike(t)
	if resp, text = login(t, nobody, s.URL(), issuer, "test-user2"); resp.StatusCode != http.StatusForbidden || !strings.Contains(text, "no role here") {
		t.Errorf("who has no role: %s %s", resp.Status, text)
	}
	again := resp.Request.URL.String()
	for what, who := range map[string]*http.Client{"the same answer twice": nobody, "another's answer": browserlike(t)} {
		resp, err := who.Get(again)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", what, resp.Status)
		}
	}
}

// A relay starts without its provider, and says that nobody can sign in.
func TestSignInWithoutItsProvider(t *testing.T) {
	s := relaytest.Start(t, func(c *server.Config) {
		c.PublicURL = "http://127.0.0.1"
		c.Staff = staff.Config{Issuer: "http://127.0.0.1:1", ClientID: "x", Claim: "groups", Rules: []staff.Rule{{Value: "a"}}}
	})
	if status, text := get(t, s.URL()+"/signin", ""); status != http.StatusBadGateway || !strings.Contains(text, "does not work now") {
		t.Errorf("%d %s", status, text)
	}
}
