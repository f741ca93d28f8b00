package client_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
)

// A technician whose way to the relay becomes narrow sends less, so that what arrives is not old; and more
// again when it is wide.
func TestThePublisherFollowsItsLink(t *testing.T) {
	network := relaytest.NewNetwork(t)
	s := relaytest.Start(t, func(cfg *server.Config) { cfg.Advertise = network.Media() })
	network.Lead(s.URL()[len("http://"):], s.MediaPort())
	var mu sync.Mutex
	var late []time.Duration // of the pictures that came
	const several = 60
	median := func() (half time.Duration, ok bool) { // of the next several pictures, once they have come
		mu.Lock()
		defer mu.Unlock()
		if len(late) < several {
			return 0, false
		}
		slices.Sort(late)
		half, late = late[len(late)/2], nil
		return half, true
	}
	relaytest.Join(t, client.Config{URL: s.URL(), Instance: "ivo", Token: relaytest.Token(t, s.Authority(), "expert", "Ivo"),
		OnTrack: func(r *client.RemoteTrack) {
			go func() {
				for {
					u, err := r.ReadFrame(t.Context())
					if err != nil {
						return
					}
					mu.Lock()
					late = append(late, time.Since(time.UnixMicro(u.Captured)))
					mu.Unlock()
				}
			}()
		}})
	network.ShapeUp(relaytest.Link{})
	camera, track := relaytest.NewCamera()
	camera.Adapts = true
	track.Bitrate = client.Bitrate{Start: 1_500_000, Max: 2_000_000}
	field := relaytest.Join(t, client.Config{URL: network.URL(), Instance: "tom", Token: relaytest.Token(t, s.Authority(), "field", "Tom"),
		Publish: []client.Track{track}})
	sending := field.Video("camera")
	camera.Play(sending)
	t.Cleanup(camera.Stop)
	relaytest.Within(t, time.Minute, "a good link is used", func() bool { return sending.Bitrate() == 2_000_000 })

	var wide, narrow time.Duration
	relaytest.Within(t, time.Minute, "pictures come over a good link", func() (ok bool) { wide, ok = median(); return ok })

	link := relaytest.Link{Bits: 800_000, Delay: 50 * time.Millisecond, Queue: 300 * time.Millisecond}
	network.ShapeUp(link)
	relaytest.Within(t, time.Minute, "less is sent over a narrow link", func() bool { return sending.Bitrate() < 800_000 })
	most := wide + link.Delay + link.Queue/2
	relaytest.Within(t, time.Minute, "half the pictures wait for less than half of the queue, when it has emptied", func() bool {
		half, ok := median()
		if ok {
			narrow = half
		}
		return ok && half < most
	})
	t.Logf("half the pictures were %v old over the good link, and are %v old over 800 kbit/s: target %d kbit/s", wide, narrow, sending.Bitrate()/1000)

	network.ShapeUp(relaytest.Link{})
	relaytest.Within(t, time.Minute, "more is sent when the link is wide again", func() bool { return sending.Bitrate() > 1_500_000 })
}
