package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/wire"
)

// tracks collects what OnTrack hears.
type tracks chan *client.RemoteTrack

func (c tracks) take(t *client.RemoteTrack) { c <- t }

func (c tracks) next(t *testing.T) *client.RemoteTrack {
	t.Helper()
	select {
	case track := <-c:
		return track
	case <-time.After(20 * time.Second):
		t.Fatal("no track after 20 s")
		return nil
	}
}

func read(t *testing.T, track *client.RemoteTrack) client.AccessUnit {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	u, err := track.ReadFrame(ctx)
	if err != nil {
		t.Fatalf("read a frame: %v; %+v", err, track.Stats())
	}
	return u
}

func TestFramesArriveWholeAndNamed(t *testing.T) {
	s := relaytest.Start(t, nil)
	camera, track := relaytest.NewCamera()
	field := relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "field", "Tom"),
		Publish: []client.Track{track, {Name: "mic", Kind: wire.Audio}}})
	heard := make(tracks, 8)
	relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "expert", "Ann"), OnTrack: heard.take})

	camera.Play(field.Video("camera"))
	defer camera.Stop()
	stop := make(chan struct{})
	sound := make(chan struct{})
	began := time.Now()
	go func() {
		defer close(sound)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				captured := began.Add(time.Duration(n) * 20 * time.Millisecond).UnixMicro()
				_ = field.Audio("mic").WriteOpus([]byte{0xfc, byte(n), byte(captured)}, captured, 20*time.Millisecond)
			}
		}
	}()
	defer func() { close(stop); <-sound }()

	var video, audio *client.RemoteTrack
	for range 2 {
		switch track := heard.next(t); track.Kind {
		case wire.Video:
			video = track
		case wire.Audio:
			audio = track
		}
	}
	if video.Participant != field.Self().ID || video.Name != "camera" || video.Codec != "video/H264" {
		t.Fatalf("track is %+v", video)
	}
	var last int64
	for i := range 60 {
		u := read(t, video)
		want := camera.Sent(u.Captured)
		if want == nil {
			t.Fatalf("frame %d is named %d, which was never captured", i, u.Captured)
		}
		if !bytes.Equal(u.Data, want) {
			t.Fatalf("frame %d: %d bytes of %d as sent", i, len(u.Data), len(want))
		}
		if u.Captured <= last || (i == 0 && !u.KeyFrame) {
			t.Fatalf("frame %d: captured %d after %d, key %v", i, u.Captured, last, u.KeyFrame)
		}
		last = u.Captured
	}
	for range 20 {
		u := read(t, audio)
		n := (u.Captured - began.UnixMicro()) / 20000
		if len(u.Data) != 3 || u.Data[1] != byte(n) || u.Data[2] != byte(u.Captured) {
			t.Fatalf("packet % x is named %d", u.Data, u.Captured)
		}
	}
}

func TestLateJoinerSeesVideoAndStateAtOnce(t *testing.T) {
	s := relaytest.Start(t, nil)
	camera, track := relaytest.NewCamera()
	field := relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "field", "Tom"),
		Publish: []client.Track{track}})
	camera.Play(field.Video("camera"))
	defer camera.Stop()
	for i := range 200 {
		if _, err := field.Publish(wire.KindMark, string(rune('a'+i%26)), 0, i); err != nil {
			t.Fatal(err)
		}
	}
	relaytest.Eventually(t, "the log has everything", func() bool { return field.Pending() == 0 })

	var replica relaytest.Replica
	heard := make(tracks, 8)
	began := time.Now()
	relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "viewer", "Vic"),
		OnTrack: heard.take, OnLog: replica.Take})
	joined := time.Since(began)
	video := heard.next(t)
	read(t, video)
	seen := time.Since(began)
	relaytest.Eventually(t, "all marks are there", func() bool { return len(replica.State(wire.KindMark)) == 26 })
	t.Logf("connected after %v, first frame after %v, all marks after %v", joined, seen, time.Since(began))
	if seen > 3*time.Second {
		t.Errorf("first frame after %v; meant to be within 1 s", seen)
	}
}

// A publisher comes and goes: the viewer's media sections are used again, and each time the track is new.
func TestPublisherComesAndGoes(t *testing.T) {
	s := relaytest.Start(t, nil)
	heard := make(tracks, 8)
	var replica relaytest.Replica
	relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "expert", "Ann"), OnTrack: heard.take,
		OnLog: replica.Take})
	for i, name := range []string{"Tom", "Tom", "Eve"} {
		camera, track := relaytest.NewCamera()
		field := relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "field", name),
			Instance: "helmet", Publish: []client.Track{track}})
		camera.Play(field.Video("camera"))
		video := heard.next(t)
		if video.Participant != field.Self().ID {
			t.Fatalf("round %d: track of %s, want %s", i, video.Participant, field.Self().ID)
		}
		for range 10 {
			if u := read(t, video); camera.Sent(u.Captured) == nil {
				t.Fatalf("round %d: frame %d is another's", i, u.Captured)
			}
		}
		camera.Stop()
		field.Close()
		for {
			if _, err := video.ReadFrame(t.Context()); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	relaytest.Eventually(t, "Tom is one participant and has left", func() bool {
		return len(replica.State(wire.KindParticipant)) == 3
	})
}
