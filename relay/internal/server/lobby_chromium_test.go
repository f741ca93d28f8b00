package server_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"sightline/relay/internal/policy"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
)

// A guest's browser waits in the lobby, says so, and goes in by itself when it was admitted.
func TestBrowserWaitsInTheLobby(t *testing.T) {
	open := browser(t)
	s := relaytest.Start(t, func(c *server.Config) { c.Rooms = policy.Rooms{{Match: "*", Lobby: true}} })
	page := open(s.URL() + "/publish?codec=video/VP8#" + relaytest.Token(t, s.Authority(), "field", "Tom"))
	says(t, page, "#state", "You are in the lobby")
	all := s.Waiting("hall")
	if len(all) != 1 || all[0].Name != "Tom" {
		t.Fatalf("%+v wait", all)
	}
	if err := s.Answer("hall", all[0].ID, true, ann); err != nil {
		t.Fatal(err)
	}
	says(t, page, "#state", "connected")
	evaluate[chromedp.Void](t, page, `session.close()`)
}
