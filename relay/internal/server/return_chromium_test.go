package server_test

import (
	"testing"
	"time"

	"sightline/relay/internal/relaytest"
)

// TestChromiumReturns kills the relay under two pages and starts it again: both come back by themselves, and the
// picture goes on.
func TestChromiumReturns(t *testing.T) {
	open := browser(t)
	data := t.TempDir()
	first := relaytest.StartProcess(t, data, "127.0.0.1:0")
	authority := first.Authority(t)
	open(first.URL + "/publish#" + relaytest.Token(t, authority, "field", "Tom"))
	watcher := open(first.URL + "/watch#" + relaytest.Token(t, authority, "viewer", "Wall"))
	const frames = `picture.getVideoPlaybackQuality().totalVideoFrames`
	relaytest.Eventually(t, "a picture is shown", func() bool { return evaluate[int](t, watcher, frames) > 15 })
	old := evaluate[string](t, watcher, `session.resource`)

	first.Kill()
	killed := time.Now()
	first.WaitExit(t)
	relaytest.StartProcess(t, data, first.Listen())
	relaytest.Within(t, 45*time.Second, "the watcher comes back", func() bool {
		return evaluate[string](t, watcher, `session.resource || ""`) != old && evaluate[string](t, watcher, `state.textContent`) == "connected"
	})
	from := evaluate[int](t, watcher, frames)
	relaytest.Eventually(t, "the picture goes on", func() bool { return evaluate[int](t, watcher, frames) > from+15 })
	t.Logf("back after %.1f s", time.Since(killed).Seconds())
}
