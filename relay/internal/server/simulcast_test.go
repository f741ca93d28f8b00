package server_test

import (
	"testing"
	"time"

	"sightline/relay/internal/relaytest"
)

// A page sends its camera in several sizes (Chromium leaves out the third of a picture of 640x360); who shows it small gets it small, who shows it whole gets it whole, and
// the room has one camera of it.
func TestChromiumSendsSeveralSizes(t *testing.T) {
	open := browser(t)
	s := relaytest.Start(t, nil)
	publisher := open(s.URL() + "/publish?codec=video/VP8#" + relaytest.Token(t, s.Authority(), "field", "Tom"))
	relaytest.Eventually(t, "the publisher sends", func() bool {
		return evaluate[string](t, publisher, `session ? session.pc.connectionState : ""`) == "connected"
	})
	token := relaytest.Token(t, s.Authority(), "viewer", "Wall")
	for scale, width := range map[string]int{"1": 640, "0.5": 320} {
		watcher := open(s.URL() + "/watch?scale=" + scale + "#" + token)
		// Chromium leaves out the largest while it has no processor to encode it.
		relaytest.Within(t, 50*time.Second, "a picture of "+scale+" of its size is shown", func() bool {
			return evaluate[int](t, watcher, `picture.videoWidth`) == width &&
				evaluate[int](t, watcher, `picture.getVideoPlaybackQuality().totalVideoFrames`) > 30
		})
		evaluate[struct{}](t, watcher, `session.close().then(() => ({}))`)
	}
}
