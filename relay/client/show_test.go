package client_test

import (
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/wire"
)

// Of a picture that nobody looks at nothing comes, of one that is out of sight a still now and then, and all of it,
// from a key frame on, as soon as it is looked at.
func TestNoMoreComesThanIsShown(t *testing.T) {
	s := relaytest.Start(t, nil)
	camera, track := relaytest.NewCamera()
	field := relaytest.Join(t, client.Config{URL: s.URL(), Instance: "tom", Token: relaytest.Token(t, s.Authority(), "field", "Tom"),
		Publish: []client.Track{track}})
	camera.Play(field.Video("camera"))
	t.Cleanup(camera.Stop)
	var v viewer
	expert := relaytest.Join(t, client.Config{URL: s.URL(), Instance: "ann", Token: relaytest.Token(t, s.Authority(), "expert", "Ann"),
		OnRung: v.rung, OnTrack: func(r *client.RemoteTrack) { go v.watch(t.Context(), r, camera.Sent) }})
	relaytest.Eventually(t, "pictures come", func() bool { return v.count(time.Time{}) > 30 })
	show := func(most string) {
		expert.Show(wire.Shown{Participant: field.Self().ID, Name: "camera", Width: 160, Most: most})
	}
	quiet := func(most int) func() bool {
		return func() bool {
			since := time.Now()
			time.Sleep(1500 * time.Millisecond)
			return v.count(since) <= most
		}
	}
	show(wire.RungOff)
	relaytest.Eventually(t, "nothing comes of what is not seen", quiet(0))
	show(wire.RungKeyFrames)
	began := time.Now()
	relaytest.Eventually(t, "stills come", func() bool { return v.count(began) > 1 })
	relaytest.Eventually(t, "few of them", quiet(2))
	show("")
	since := time.Now()
	relaytest.Eventually(t, "pictures come again", func() bool { return v.count(since) > 30 })
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.broken > 0 || len(v.rungs) > 0 {
		t.Errorf("%d pictures were not as sent; told of rungs %v, which were the expert's own wish", v.broken, v.rungs)
	}
}
