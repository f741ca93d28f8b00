package server_test

import (
	"strings"
	"testing"
	"time"

	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

// Chromium sends temporal layers; who has a link that does not bear all of them gets fewer pictures a second, which
// Chromium plays on without a stop, and all again when the link is wide. VP8 says the layers in its packets, as VP9 and
// H.264 do; AV1 in a header extension.
func TestChromiumGetsFewerPicturesASecond(t *testing.T) {
	for _, codec := range []string{"video/VP8", "video/AV1"} {
		t.Run(strings.TrimPrefix(codec, "video/"), func(t *testing.T) {
			open := browser(t)
			network := relaytest.NewNetwork(t)
			s := relaytest.Start(t, func(cfg *server.Config) { cfg.Advertise = network.Media() })
			network.Lead(s.URL()[len("http://"):], s.MediaPort())
			publisher := open(s.URL() + "/publish?layers=1&temporal=L1T3&codec=" + codec + "#" + relaytest.Token(t, s.Authority(), "field", "Tom"))
			camera := func() (bits float64) {
				for _, r := range s.Rooms() {
					for _, tr := range r.Tracks {
						if tr.Kind == wire.Video && tr.Codec == codec {
							bits = tr.Bits
						}
					}
				}
				return bits
			}
			relaytest.Within(t, time.Minute, "the publisher sends", func() bool {
				return evaluate[string](t, publisher, `session ? session.pc.connectionState : ""`) == "connected" && camera() > 0
			})
			evaluate[struct{}](t, publisher, lively)
			for was := 0.0; camera() > 1.05*was; time.Sleep(2 * time.Second) { // it sends more and more at first
				was = camera()
			}
			network.Shape(relaytest.Link{})
			watcher := open(s.URL() + "/watch#" + relaytest.Token(t, s.Authority(), "viewer", "Wall"))
			frames := func() int {
				return evaluate[int](t, watcher, `picture.getVideoPlaybackQuality().totalVideoFrames`)
			}
			relaytest.Within(t, time.Minute, "the watcher sees pictures", func() bool { return frames() > 60 })
			rung := func() string {
				for _, r := range s.Rooms() {
					for _, p := range r.Participants {
						for _, picture := range p.Link.Rungs {
							return picture.Rung
						}
					}
				}
				return ""
			}
			relaytest.Within(t, 2*time.Minute, "fewer pictures a second, which are shown", func() bool {
				network.Shape(relaytest.Link{Bits: int(0.9*camera()) + 100_000}) // the camera's bits change
				for since := time.Now(); rung() != wire.RungFewer; time.Sleep(20 * time.Millisecond) {
					if time.Since(since) > 8*time.Second {
						return false
					}
				}
				before := frames()
				for since := time.Now(); time.Since(since) < 1500*time.Millisecond; time.Sleep(20 * time.Millisecond) {
					if rung() != wire.RungFewer {
						return false
					}
				}
				n := frames() - before
				if n > 4 {
					t.Logf("%d pictures in 1.5 s of a camera of %.0f kbit/s", n, camera()/1000)
				}
				return n > 4
			})
			network.Shape(relaytest.Link{})
			relaytest.Within(t, time.Minute, "all pictures again", func() bool { return rung() == wire.RungFull })
			before := frames()
			relaytest.Within(t, time.Minute, "they are shown", func() bool { return frames() > before+60 })
		})
	}
}

// lively sends a picture that changes everywhere in place of the camera's, so that it takes some bits.
const lively = `(() => {
  const canvas = document.createElement("canvas"), c = canvas.getContext("2d");
  [canvas.width, canvas.height] = [640, 360];
  setInterval(() => {
    for (let i = 0; i < 40; i++) {
      c.fillStyle = "hsl(" + 360 * Math.random() + " 80% 50%)";
      c.fillRect(640 * Math.random(), 360 * Math.random(), 50, 50);
    }
  }, 33);
  const sender = session.pc.getSenders().find(s => s.track && s.track.kind === "video");
  return sender.replaceTrack(canvas.captureStream(30).getVideoTracks()[0]).then(() => ({}));
})()`
