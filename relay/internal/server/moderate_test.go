package server_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/invitation"
	"sightline/relay/internal/policy"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/room"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

var ann = audit.Actor{Name: "Ann", By: "REST", Address: "192.0.2.1", Invitation: "of-ann"}

// signed makes a token for the room hall, with rights of one's own.
func signed(t *testing.T, a *auth.Authority, g auth.Grant) string {
	t.Helper()
	g.Room = "hall"
	token, err := a.Sign(g, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func moderator(t *testing.T, a *auth.Authority, name string) string {
	t.Helper()
	return signed(t, a, auth.Grant{Role: auth.Expert, Name: name, Rights: []string{auth.Publish, auth.Draw, auth.Moderate}})
}

// dial begins to join, without waiting for the end of it.
func dial(t *testing.T, url, token, instance string) *client.Client {
	t.Helper()
	c, err := client.Dial(t.Context(), client.Config{URL: url, Token: token, Instance: instance, Logger: relaytest.Logger(t).With("client", instance)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func reaches(t *testing.T, c *client.Client, want client.State) error {
	t.Helper()
	relaytest.Eventually(t, "the client is "+string(want), func() bool { s, _ := c.State(); return s == want })
	_, err := c.State()
	return err
}

func noted(t *testing.T, data string, want audit.Event) {
	t.Helper()
	if all := events(t, data); !slices.ContainsFunc(all, func(e audit.Event) bool { return holds(e, want) && (want.Actor == "" || e.Actor == want.Actor) }) {
		t.Errorf("no event %+v in\n%+v", want, all)
	}
}

// A guest waits until a moderator lets him in, and is told so; a moderator walks in. Who was admitted comes back by
// himself, also after the relay was away; who was not is told.
func TestLobby(t *testing.T) {
	data := t.TempDir()
	listen := "127.0.0.1:0"
	start := func() *server.Server {
		return relaytest.Start(t, func(c *server.Config) {
			c.Data, c.Listen, c.Rooms = data, listen, policy.Rooms{{Match: "h*", Lobby: true}}
		})
	}
	s := start()
	listen = strings.TrimPrefix(s.URL(), "http://")
	var replica relaytest.Replica
	relaytest.Join(t, client.Config{URL: s.URL(), Token: moderator(t, s.Authority(), "Ann"), Instance: "ann", OnLog: replica.Take})
	tom := dial(t, s.URL(), relaytest.Token(t, s.Authority(), "field", "Tom"), "tom")
	if err := reaches(t, tom, client.Waiting); !strings.Contains(err.Error(), "A moderator will let you in") {
		t.Errorf("told %v", err)
	}
	waits := func(name string) (id string) {
		relaytest.Eventually(t, name+" waits", func() bool {
			for _, k := range s.Waiting("hall") {
				if k.Name == name {
					id = k.ID
				}
			}
			return id != ""
		})
		return id
	}
	id := waits("Tom")
	relaytest.Eventually(t, "the moderator's log says so", func() bool { return strings.Contains(replica.State(wire.KindLobby)[id], wire.LobbyWaiting) })
	if err := s.Answer("other", id, true, ann); !errors.Is(err, room.ErrNoKnock) {
		t.Errorf("admitted to another room: %v", err)
	}
	if err := s.Answer("hall", id, true, ann); err != nil {
		t.Fatal(err)
	}
	reaches(t, tom, client.Connected)

	eve := dial(t, s.URL(), relaytest.Token(t, s.Authority(), "expert", "Eve"), "eve")
	if err := s.Answer("hall", waits("Eve"), false, ann); err != nil {
		t.Fatal(err)
	}
	var no *client.JoinError
	if err := reaches(t, eve, client.Closed); !errors.As(err, &no) || !strings.Contains(no.Text, "did not let you in") {
		t.Errorf("told %v", err)
	}
	gone := dial(t, s.URL(), relaytest.Token(t, s.Authority(), "expert", "Gus"), "gus")
	id = waits("Gus")
	gone.Close()
	relaytest.Eventually(t, "who went away waits no longer", func() bool { return strings.Contains(replica.State(wire.KindLobby)[id], wire.LobbyGone) })
	noted(t, data, audit.Event{What: audit.Admitted, Room: "hall", Name: "Tom", By: "REST", Actor: "Ann"})
	noted(t, data, audit.Event{What: audit.NotAdmitted, Room: "hall", Name: "Eve", By: "REST", Actor: "Ann"})

	relaytest.Ends(t, "the relay closes", s.Close)
	s = start()
	reaches(t, tom, client.Connected)
	if n := len(s.Waiting("hall")); n != 0 {
		t.Errorf("%d wait", n)
	}
}

// A WHIP client is told to ask again, and comes in once it was admitted.
func TestLobbyByWHIP(t *testing.T) {
	s := relaytest.Start(t, func(c *server.Config) { c.Rooms = policy.Rooms{{Match: "*", Lobby: true}} })
	g := relaytest.NewGuest(t, relaytest.Token(t, s.Authority(), "viewer", "Wall"))
	g.Instance = "wall"
	if _, err := g.PC.AddTransceiverFromKind(1); err != nil {
		t.Fatal(err)
	}
	offer := g.Offer(nil)
	for range 2 {
		if resp, text := g.Ask("POST", s.URL()+"/whep/hall", "application/sdp", offer, ""); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" ||
			!strings.Contains(text, "lobby") {
			t.Fatalf("%s: %s", resp.Status, text)
		}
	}
	all := s.Waiting("hall")
	if len(all) != 1 || all[0].Name != "Wall" {
		t.Fatalf("%+v wait", all)
	}
	if err := s.Answer("hall", all[0].ID, true, ann); err != nil {
		t.Fatal(err)
	}
	if resp, text := g.Ask("POST", s.URL()+"/whep/hall", "application/sdp", offer, ""); resp.StatusCode != http.StatusCreated {
		t.Errorf("admitted: %s: %s", resp.Status, text)
	}
}

// What is muted reaches nobody, and everybody is told; it goes on when it is not any more.
func TestMute(t *testing.T) {
	s := relaytest.Start(t, nil)
	camera, track := relaytest.NewCamera()
	var heard relaytest.Replica
	field := relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "field", "Tom"), Instance: "tom",
		Publish: []client.Track{track}, OnLog: heard.Take})
	camera.Play(field.Video("camera"))
	defer camera.Stop()
	var frames atomic.Int64
	relaytest.Join(t, client.Config{URL: s.URL(), Token: moderator(t, s.Authority(), "Ann"), Instance: "ann", OnTrack: func(r *client.RemoteTrack) {
		go func() {
			for {
				if _, err := r.ReadFrame(t.Context()); err != nil {
					return
				}
				frames.Add(1)
			}
		}()
	}})
	relaytest.Counted(t, "frames", 10, frames.Load)
	if err := s.Mute("hall", field.Self().ID, false, true, ann); err != nil {
		t.Fatal(err)
	}
	relaytest.Eventually(t, "the muted one is told", func() bool {
		return heard.State(wire.KindMuted)[field.Self().ID] == `{"audio":false,"video":true,"by":"Ann"}`
	})
	time.Sleep(200 * time.Millisecond) // what was on its way
	before, sent := frames.Load(), camera.Count()
	relaytest.Eventually(t, "the camera goes on", func() bool { return camera.Count() > sent+15 })
	if n := frames.Load() - before; n != 0 {
		t.Errorf("%d frames of a muted camera", n)
	}
	if err := s.Mute("hall", field.Self().ID, false, false, ann); err != nil {
		t.Fatal(err)
	}
	relaytest.Counted(t, "frames", 10, frames.Load)
	if err := s.Mute("hall", "p-none", true, true, ann); !errors.Is(err, room.ErrUnknown) {
		t.Error(err)
	}
	if err := s.Mute("none", "p-none", true, true, ann); !errors.Is(err, room.ErrNoRoom) {
		t.Error(err)
	}
}

// Who is removed is told by whom, does not come back by himself, and waits when he opens his link again.
func TestRemove(t *testing.T) {
	data := t.TempDir()
	s := relaytest.Start(t, func(c *server.Config) { c.Data = data })
	token := relaytest.Token(t, s.Authority(), "expert", "Eve")
	relaytest.Join(t, client.Config{URL: s.URL(), Token: moderator(t, s.Authority(), "Ann"), Instance: "ann"})
	eve := dial(t, s.URL(), token, "eve")
	reaches(t, eve, client.Connected)
	if err := s.Remove("hall", eve.Self().ID, ann); err != nil {
		t.Fatal(err)
	}
	if err := reaches(t, eve, client.Closed); err == nil || !strings.Contains(err.Error(), "Ann removed you") {
		t.Errorf("told %v", err)
	}
	again := dial(t, s.URL(), token, "another browser")
	reaches(t, again, client.Waiting)
	var id string
	relaytest.Eventually(t, "she waits", func() bool {
		for _, k := range s.Waiting("hall") {
			id = k.ID
		}
		return id != ""
	})
	if err := s.Answer("hall", id, true, ann); err != nil {
		t.Fatal(err)
	}
	reaches(t, again, client.Connected)
	noted(t, data, audit.Event{What: audit.Removed, Room: "hall", Name: "Eve", Actor: "Ann"})
}

// Into a locked room come moderators, and who lost the connection; the lock ends with the room.
func TestLock(t *testing.T) {
	s := relaytest.Start(t, func(c *server.Config) { c.Linger = 50 * time.Millisecond })
	a := s.Authority()
	tom := relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, a, "field", "Tom"), Instance: "tom"})
	if err := s.Lock("hall", true, ann); err != nil {
		t.Fatal(err)
	}
	var no *client.JoinError
	_, err := client.Dial(t.Context(), client.Config{URL: s.URL(), Token: relaytest.Token(t, a, "expert", "Eve"), Instance: "eve"})
	if !errors.As(err, &no) || no.Status != http.StatusForbidden || !strings.Contains(no.Text, "locked") {
		t.Errorf("told %v", err)
	}
	mod := relaytest.Join(t, client.Config{URL: s.URL(), Token: moderator(t, a, "Ann"), Instance: "ann"})
	again := relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, a, "field", "Tom"), Instance: "tom"})
	reaches(t, tom, client.Closed) // its place was taken
	again.Close()
	mod.Close()
	relaytest.Eventually(t, "the room is closed", func() bool { return len(s.Rooms()) == 0 })
	relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, a, "expert", "Eve"), Instance: "eve"})
}

// An invitation that is withdrawn beside the relay ends the connection of who used it, and lets nobody in any more.
func TestWithdrawnInvitation(t *testing.T) {
	data := t.TempDir()
	s := relaytest.Start(t, func(c *server.Config) { c.Data = data })
	book := invitation.Open(data, time.Now)
	token, i, err := book.Make(s.Authority(), auth.Grant{Room: "hall", Role: auth.Expert, Name: "Eve"}, time.Hour, "test")
	if err != nil {
		t.Fatal(err)
	}
	eve := dial(t, s.URL(), token, "eve")
	reaches(t, eve, client.Connected)
	if _, err := book.Withdraw(i.ID, "test"); err != nil {
		t.Fatal(err)
	}
	if err := reaches(t, eve, client.Closed); err == nil || !strings.Contains(err.Error(), "withdrawn") {
		t.Errorf("told %v", err)
	}
	var no *client.JoinError
	_, err = client.Dial(t.Context(), client.Config{URL: s.URL(), Token: token, Instance: "eve"})
	if !errors.As(err, &no) || no.Status != http.StatusForbidden || !strings.Contains(no.Text, "withdrawn") {
		t.Errorf("told %v", err)
	}
}

// A key that is removed beside the relay ends the connections of those whose tokens it has signed, and no others.
func TestRemovedKey(t *testing.T) {
	data := t.TempDir()
	s := relaytest.Start(t, func(c *server.Config) { c.Data = data })
	eve := dial(t, s.URL(), relaytest.Token(t, s.Authority(), "expert", "Eve"), "eve")
	reaches(t, eve, client.Connected)
	if _, err := auth.KeysDir(data).Rotate(); err != nil {
		t.Fatal(err)
	}
	tom := dial(t, s.URL(), relaytest.Token(t, s.Authority(), "field", "Tom"), "tom")
	reaches(t, tom, client.Connected)
	if err := auth.KeysDir(data).Remove("1"); err != nil {
		t.Fatal(err)
	}
	if err := reaches(t, eve, client.Closed); err == nil || !strings.Contains(err.Error(), "was removed") {
		t.Errorf("told %v", err)
	}
	if state, err := tom.State(); state != client.Connected {
		t.Errorf("Tom is %s: %v", state, err)
	}
}

// No more come in than the policy says; who is in comes back.
func TestFullRoom(t *testing.T) {
	s := relaytest.Start(t, func(c *server.Config) { c.Rooms = policy.Rooms{{Match: "*", Max: 1}} })
	token := relaytest.Token(t, s.Authority(), "field", "Tom")
	relaytest.Join(t, client.Config{URL: s.URL(), Token: token, Instance: "tom"})
	eve := dial(t, s.URL(), relaytest.Token(t, s.Authority(), "expert", "Eve"), "eve")
	relaytest.Eventually(t, "she is told", func() bool {
		state, err := eve.State()
		return state == client.Connecting && err != nil && strings.Contains(err.Error(), "full: 1")
	})
	relaytest.Join(t, client.Config{URL: s.URL(), Token: token, Instance: "tom"})
}
