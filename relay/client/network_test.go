package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

func TestMain(m *testing.M) { relaytest.Main(m) }

// Two experts draw, change and delete each other's marks while each is cut off for ten seconds, longer than
// the relay waits. When they are back all replicas agree and no mark is lost.
func TestReplicasAgreeAfterABreak(t *testing.T) {
	network := relaytest.NewNetwork(t)
	s := relaytest.Start(t, func(c *server.Config) { c.Advertise = network.Media() })
	network.Lead(s.URL()[len("http://"):], s.MediaPort())

	var replicas [3]relaytest.Replica
	var clients [3]*client.Client
	for i, name := range []string{"Ann", "Bob", "Cem"} {
		clients[i] = relaytest.Join(t, client.Config{URL: network.URL(), Instance: name,
			Token: relaytest.Token(t, s.Authority(), "expert", name), OnLog: replicas[i].Take})
	}
	publish := func(i int, id, text string) {
		t.Helper()
		e, err := clients[i].Publish(wire.KindMark, id, 0, text)
		if err != nil {
			t.Fatal(err)
		}
		replicas[i].Take(e)
	}
	for i := range 2 {
		publish(i, fmt.Sprintf("before-%d", i), "drawn")
	}
	relaytest.Eventually(t, "both marks are everywhere", func() bool {
		return len(replicas[2].State(wire.KindMark)) == 2 && len(replicas[0].State(wire.KindMark)) == 2
	})

	network.Pause(true)
	offline := time.Now()
	for n := range 20 {
		publish(0, fmt.Sprintf("ann-%d", n), "drawn")
		publish(1, fmt.Sprintf("bob-%d", n), "drawn")
		time.Sleep(10 * time.Millisecond)
	}
	publish(0, "before-1", "deleted by Ann")
	time.Sleep(50 * time.Millisecond) // their clocks agree to less
	publish(1, "before-1", "changed by Bob, later")
	publish(1, "before-0", "deleted by Bob")
	relaytest.Eventually(t, "the break is noticed", func() bool {
		state, _ := clients[0].State()
		return state == client.Connecting
	})
	t.Logf("client noticed after %v", time.Since(offline))
	relaytest.Eventually(t, "the relay has let all go", func() bool { return len(s.Rooms()[0].Participants) == 0 })
	t.Logf("relay noticed after %v", time.Since(offline))
	time.Sleep(time.Until(offline.Add(10 * time.Second)))
	network.Pause(false)

	relaytest.Eventually(t, "everything is confirmed", func() bool { return clients[0].Pending()+clients[1].Pending() == 0 })
	relaytest.Eventually(t, "all replicas agree", func() bool {
		a, b, c := replicas[0].State(wire.KindMark), replicas[1].State(wire.KindMark), replicas[2].State(wire.KindMark)
		return len(a) == 42 && maps.Equal(a, b) && maps.Equal(b, c)
	})
	if got := replicas[2].State(wire.KindMark)["before-1"]; got != `"changed by Bob, later"` {
		t.Errorf("before-1 is %s, want the later change", got)
	}
	for i, c := range clients {
		if p, ok := replicas[i].Get(wire.KindParticipant, c.Self().ID); !ok || !online(t, p) {
			t.Errorf("%s is not online again: %s", c.Self().Name, p.Body)
		}
	}
}

// One packet in twenty is lost on the way up and again on the way down. Retransmission brings most of
// them back, no broken frame is ever given out, and the sender's bitrate follows.
func TestFramesAreWholeOverALossyNetwork(t *testing.T) {
	network := relaytest.NewNetwork(t)
	s := relaytest.Start(t, func(c *server.Config) { c.Advertise = network.Media() })
	network.Lead(s.URL()[len("http://"):], s.MediaPort())
	camera, track := relaytest.NewCamera()
	field := relaytest.Join(t, client.Config{URL: network.URL(), Token: relaytest.Token(t, s.Authority(), "field", "Tom"),
		Publish: []client.Track{track}})
	heard := make(tracks, 8)
	relaytest.Join(t, client.Config{URL: network.URL(), Token: relaytest.Token(t, s.Authority(), "expert", "Ann"), OnTrack: heard.take})
	network.Lose(20)
	camera.Play(field.Video("camera"))
	video := heard.next(t)
	var first, last int64
	const frames = 120
	for range frames {
		u := read(t, video)
		if want := camera.Sent(u.Captured); !bytes.Equal(u.Data, want) {
			t.Fatalf("frame %d: %d bytes, not as sent (%d)", u.Captured, len(u.Data), len(want))
		}
		if first == 0 {
			first = u.Captured
		}
		last = u.Captured
	}
	camera.Stop()
	share := float64(frames) / float64(1+(last-first)*30/1_000_000)
	t.Logf("%.0f%% of the frames arrived; sender %+v; receiver %+v", 100*share, field.Video("camera").Stats(), video.Stats())
	if share < 0.7 {
		t.Errorf("only %.0f%% of the frames arrived", 100*share)
	}
}

func online(t *testing.T, e wire.Envelope) bool {
	t.Helper()
	var p wire.Participant
	if err := json.Unmarshal(e.Body, &p); err != nil {
		t.Fatal(err)
	}
	return p.Online
}

// The relay is killed and started again: clients come back by themselves, the log is still there, what
// was drawn meanwhile arrives, and session time goes on.
func TestRelayIsKilledAndComesBack(t *testing.T) {
	data := t.TempDir()
	p := relaytest.StartProcess(t, data, "127.0.0.1:0")
	var replica, other relaytest.Replica
	camera, track := relaytest.NewCamera()
	field := relaytest.Join(t, client.Config{URL: p.URL, Instance: "helmet", Token: relaytest.Token(t, p.Authority(t), "field", "Tom"),
		OnLog: other.Take, Publish: []client.Track{track}})
	camera.Play(field.Video("camera"))
	defer camera.Stop()
	heard := make(tracks, 8)
	ann := relaytest.Join(t, client.Config{URL: p.URL, Instance: "desk", Token: relaytest.Token(t, p.Authority(t), "expert", "Ann"),
		OnLog: replica.Take, OnTrack: heard.take})
	read(t, heard.next(t))
	for i := range 50 {
		if _, err := ann.Publish(wire.KindMark, fmt.Sprint(i), 0, "before"); err != nil {
			t.Fatal(err)
		}
	}
	relaytest.Eventually(t, "the field has all marks", func() bool { return len(other.State(wire.KindMark)) == 50 })
	before, self := ann.SessionTime(), ann.Self().ID

	p.Kill()
	relaytest.Eventually(t, "the client has noticed", func() bool { s, _ := ann.State(); return s != client.Connected })
	for i := range 10 {
		if _, err := ann.Publish(wire.KindMark, fmt.Sprint(100+i), 0, "meanwhile"); err != nil {
			t.Fatal(err)
		}
	}
	if err := ann.SendPointer("x"); err != nil && !errors.Is(err, client.ErrOffline) {
		t.Errorf("pointer while offline: %v", err)
	}
	relaytest.StartProcess(t, data, p.Listen())

	relaytest.Eventually(t, "the field has what was drawn meanwhile", func() bool { return len(other.State(wire.KindMark)) == 60 })
	read(t, heard.next(t))
	if ann.Self().ID != self {
		t.Errorf("came back as %s, was %s", ann.Self().ID, self)
	}
	if now := ann.SessionTime(); now <= before || now > before+60e6 {
		t.Errorf("session time is %d, was %d before", now, before)
	}
	var late relaytest.Replica
	relaytest.Join(t, client.Config{URL: p.URL, Token: relaytest.Token(t, p.Authority(t), "viewer", "Vic"), OnLog: late.Take})
	relaytest.Eventually(t, "a late joiner has all marks", func() bool { return len(late.State(wire.KindMark)) == 60 })
	t.Logf("| the relay of a call: kill -9, and started again | all come back by themselves, as who they were; 60 of 60 marks are in the log, also those drawn meanwhile | |")
}

// A client that joins again takes the place of its ghost, and one that closes has left and is not lost.
func TestReturningClientReplacesItsGhost(t *testing.T) {
	s := relaytest.Start(t, nil)
	var replica relaytest.Replica
	ann := relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "expert", "Ann"), OnLog: replica.Take})
	tom := relaytest.Join(t, client.Config{URL: s.URL(), Instance: "helmet", Token: relaytest.Token(t, s.Authority(), "field", "Tom")})
	is := func(online bool, reason string) func() bool {
		return func() bool {
			e, ok := replica.Get(wire.KindParticipant, tom.Self().ID)
			var p wire.Participant
			return ok && json.Unmarshal(e.Body, &p) == nil && p.Online == online && p.Reason == reason
		}
	}
	relaytest.Eventually(t, "Tom is here", is(true, ""))
	again := relaytest.Join(t, client.Config{URL: s.URL(), Instance: "helmet", Token: relaytest.Token(t, s.Authority(), "field", "Tom")})
	relaytest.Eventually(t, "the older Tom has gone for good", func() bool {
		state, err := tom.State()
		return state == client.Closed && errors.Is(err, client.ErrReplaced)
	})
	if again.Self().ID != tom.Self().ID {
		t.Errorf("Tom came back as %s, was %s", again.Self().ID, tom.Self().ID)
	}
	relaytest.Eventually(t, "Tom is still here", is(true, ""))
	again.Close()
	relaytest.Eventually(t, "Tom has left", is(false, "left"))
	if state, _ := ann.State(); state != client.Connected {
		t.Error("Ann was disturbed")
	}
}
