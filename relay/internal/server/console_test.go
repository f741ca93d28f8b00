package server_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"sightline/relay/client"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/policy"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
)

// press presses the first button of a part of a page that has a text.
func press(t *testing.T, page context.Context, within, text string) {
	t.Helper()
	const script = `(() => { for (const b of document.querySelectorAll(%q + " button")) if (b.textContent.includes(%q)) { b.click(); return true; } return false; })()`
	relaytest.Eventually(t, "there is a button "+text, func() bool {
		return evaluate[bool](t, page, strings.Replace(strings.Replace(script, "%q", quote(within), 1), "%q", quote(text), 1))
	})
}

func quote(s string) string { return "`" + s + "`" }

func says(t *testing.T, page context.Context, within, text string) {
	t.Helper()
	relaytest.Eventually(t, within+" says "+text, func() bool {
		return strings.Contains(evaluate[string](t, page, `(document.querySelector(`+quote(within)+`) || {innerText: ""}).innerText`), text)
	})
}

// A moderator signs in to the console with a token, sees a call and its picture, admits who waits, mutes, removes,
// invites and withdraws, and reads who did what; wide and narrow, light and dark.
func TestConsole(t *testing.T) {
	open := browser(t)
	s := relaytest.Start(t, func(c *server.Config) { c.Rooms = policy.Rooms{{Match: "hall", Lobby: true}} })
	a := s.Authority()
	token, err := a.Sign(auth.Grant{Room: auth.AllRooms, Role: auth.Viewer, Name: "Ann", Staff: true,
		Rights: []string{auth.Moderate, auth.Record, auth.Play, auth.Export, auth.Hold, auth.Delete, auth.Audit}}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	field := open(s.URL() + "/publish?codec=video/VP8#" + signed(t, a, auth.Grant{Role: auth.Field, Name: "Tom", Staff: true}))
	relaytest.Join(t, client.Config{URL: s.URL(), Token: moderator(t, a, "Eva"), Instance: "eva"})
	gus := dial(t, s.URL(), relaytest.Token(t, a, "expert", "Gus <b>the</b> guest"), "gus")

	page := open(s.URL() + "/console")
	size(t, page, 1280, 800)
	picture(t, page, "console-signin")
	evaluate[chromedp.Void](t, page, `(() => { document.getElementById("token").value = "wrong"; document.getElementById("signin").requestSubmit(); })()`)
	says(t, page, "#refused", "cannot be read")
	evaluate[chromedp.Void](t, page, `(() => { document.getElementById("token").value = `+quote(token)+`; document.getElementById("signin").requestSubmit(); })()`)
	says(t, page, "#room", "Gus <b>the</b> guest")
	says(t, page, "#room", "Tom")
	says(t, page, "#room", "bit/s")
	press(t, page, ".tracks", "VP8")
	relaytest.Eventually(t, "a live picture", func() bool {
		return evaluate[int](t, page, `document.getElementById("preview").getVideoPlaybackQuality().totalVideoFrames`) > 10
	})
	picture(t, page, "console-room")
	press(t, page, ".waiting", "Admit")
	reaches(t, gus, client.Connected)
	press(t, page, `.person[data-id="`+gus.Self().ID+`"]`, "Mute sound")
	press(t, page, `.person[data-id="`+gus.Self().ID+`"]`, "Unmute sound")
	evaluate[chromedp.Void](t, page, `window.confirm = () => true`)
	press(t, page, `.person[data-id="`+gus.Self().ID+`"]`, "Remove")
	reaches(t, gus, client.Closed)
	press(t, page, "#room", "Lock")
	says(t, page, "#list", "🔒")
	shape(t, page, 390, 844, "dark")
	picture(t, page, "console-phone")
	size(t, page, 1280, 800)

	press(t, page, "#tabs", "Invitations")
	evaluate[chromedp.Void](t, page, `(() => { const f = document.querySelector("#invitations form"); f.room.value = "hall2"; f.elements["name"].value = "Pat"; f.requestSubmit(); })()`)
	says(t, page, "#invitations", "/join#ey")
	says(t, page, "#invitations table", "Pat")
	picture(t, page, "console-invitations")
	press(t, page, "#invitations table", "Withdraw")
	says(t, page, "#invitations table", "withdrawn by Ann")
	press(t, page, "#tabs", "Recordings")
	says(t, page, "#recordings", "hall")
	says(t, page, "#recordings", "recording")
	evaluate[chromedp.Void](t, page, `window.prompt = () => "the accident of March"`)
	press(t, page, "#recordings table", "Hold")
	says(t, page, "#recordings", "held by Ann")
	press(t, page, "#tabs", "Audit log")
	says(t, page, "#audit", "removed")
	shape(t, page, 1280, 800, "dark")
	picture(t, page, "console-audit")
	if n := evaluate[int](t, page, `document.querySelectorAll("#room b").length`); n != 0 {
		t.Error("a name was taken for HTML")
	}
	evaluate[chromedp.Void](t, field, `session.close()`)
}

func size(t *testing.T, page context.Context, width, height int64) {
	t.Helper()
	shape(t, page, width, height, "light")
}

// shape makes a page so wide and high, and light or dark.
func shape(t *testing.T, page context.Context, width, height int64, scheme string) {
	t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if err := chromedp.Do(page, chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, media)
		return err
	})); err != nil {
		t.Fatal(err)
	}
}
