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
	took := func() []time.Duration {
		mu.Lock()
		defer mu.Unlock()
		l := late
		late = nil
		slices.Sort(l)
		return l
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

	network.ShapeUp(relaytest.Link{Bits: 800_000, Delay: 50 * time.Millisecond})
	relaytest.Within(t, time.Minute, "less is sent over a narrow link", func() bool { return sending.Bitrate() < 800_000 })
	time.Sleep(3 * time.Second) // the queue empties, and what was lost in it is sent again
	took()
	time.Sleep(4 * time.Second)
	l := took()
	if len(l) < 60 {
		t.Fatalf("%d pictures came in 4 s over a link of 800 kbit/s", len(l))
	}
	t.Logf("over 800 kbit/s: target %d kbit/s, %d pictures in 4 s, late by p50 %v, p95 %v",
		sending.Bitrate()/1000, len(l), l[len(l)/2], l[len(l)*95/100])
	if half := l[len(l)/2]; half > 400*time.Millisecond {
		t.Errorf("half the pictures are more than %v old", half)
	}

	network.ShapeUp(relaytest.Link{})
	relaytest.Within(t, time.Minute, "more is sent when the link is wide again", func() bool { return sending.Bitrate() > 1_500_000 })
}
