package client_test

import (
	"testing"

	"go.uber.org/goleak"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

// After a session with media and messages, nothing of either end is still running.
func TestNothingIsLeftRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s, err := server.Start(t.Context(), server.Config{Listen: "127.0.0.1:0", MQTTAddr: "127.0.0.1:0", Data: t.TempDir(),
		Log: relaytest.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	camera, track := relaytest.NewCamera()
	heard := make(tracks, 8)
	field := relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "field", "Tom"),
		Publish: []client.Track{track}})
	camera.Play(field.Video("camera"))
	ann := relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "expert", "Ann"), OnTrack: heard.take})
	video := heard.next(t)
	for range 5 {
		read(t, video)
	}
	if _, err := ann.Publish(wire.KindMark, "a", 0, 1); err != nil {
		t.Fatal(err)
	}
	camera.Stop()
	ann.Close()
	field.Close()
	s.Close()
	goleak.VerifyNone(t, before)
}
