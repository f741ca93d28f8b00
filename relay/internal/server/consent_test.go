package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sightline/relay/evidence"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/policy"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
)

// Who publishes by WHIP into a room that asks is recorded where his invitation or his request says that he agrees, and
// else not, and the answer says so; he may agree later.
func TestConsentByWHIP(t *testing.T) {
	for name, c := range map[string]struct {
		grant  auth.Grant
		header string
		later  bool
		answer string
		frames bool
	}{
		"nothing is said":            {auth.Grant{}, "", false, "withheld: ", false},
		"the invitation says it":     {auth.Grant{Consent: true}, "", false, "recorded", true},
		"the header says it":         {auth.Grant{}, "given", false, "recorded", true},
		"his own word goes before":   {auth.Grant{Consent: true}, "refused", false, "withheld: ", false},
		"he agrees when he is there": {auth.Grant{}, "", true, "withheld: ", true},
	} {
		t.Run(name, func(t *testing.T) {
			x := begin(t, func(cfg *server.Config) { cfg.Rooms = policy.Rooms{{Match: "*", Consent: true}} })
			c.grant.Role, c.grant.Name = auth.Field, "Willi"
			token := signed(t, x.s.Authority(), c.grant)
			g := relaytest.NewGuest(t, token)
			g.Consent = c.header
			film(t, g, x.s.URL()+"/whip/hall")
			if got := g.Answered.Get("Sightline-Recording"); !strings.HasPrefix(got, c.answer) {
				t.Errorf("the answer says %q, want %q", got, c.answer)
			}
			if c.later {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.Resource+"/consent", nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+token)
				req.Header.Set("Sightline-Consent", "given")
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusNoContent || resp.Header.Get("Sightline-Recording") != "recorded" {
					t.Errorf("%s, %q", resp.Status, resp.Header.Get("Sightline-Recording"))
				}
			}
			time.Sleep(2 * time.Second)
			dir, _ := x.end(t)
			e, err := evidence.Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			frames := 0
			for _, tr := range e.Manifest.Tracks {
				if tr.Name == "Willi" {
					frames += tr.Frames
				}
			}
			if (frames > 0) != c.frames {
				t.Errorf("%d frames of him are recorded", frames)
			}
			said := 0
			for _, k := range e.Manifest.Consents {
				if k.Name == "Willi" && k.Given {
					said++
				}
			}
			if c.frames != (said == 1) {
				t.Errorf("consents %+v", e.Manifest.Consents)
			}
		})
	}
}

// The page that sends a camera asks, and shows when it is recorded.
func TestThePublishPageAsks(t *testing.T) {
	open := browser(t)
	s := relaytest.Start(t, func(cfg *server.Config) { cfg.Rooms = policy.Rooms{{Match: "*", Consent: true}} })
	page := open(s.URL() + "/publish?codec=video/VP8#" + signed(t, s.Authority(), auth.Grant{Role: auth.Field, Name: "Tom"}))
	says(t, page, "#recording", "May you be recorded?")
	evaluate[chromedp.Void](t, page, `document.getElementById("agree").click()`)
	says(t, page, "#recording", "● recorded")
	evaluate[chromedp.Void](t, page, `session.close()`)
}
