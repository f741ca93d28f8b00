package bench

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sightline/relay/freeport"
)

// TestRelayKilled kills the relay with -9 in the middle of a call and starts it again on the same data.
// Field, plant and expert have to come back by themselves, the marks have to be there, and the call has
// to go on: the expert's script places another mark.
func TestRelayKilled(t *testing.T) {
	if _, err := exec.LookPath("ffprobe"); err != nil {
		t.Skip("no ffprobe to play the recordings with: make deps installs it")
	}
	text := "wait video 20s\nwait tracking 30s\nsleep 1s\n" +
		"mark circle 0.63,0.55 0.70,0.55\nmark gesture:point 0.30,0.52\nwait placed 2 15s\n" +
		"sleep 12s\nwait video 15s\n" +
		"mark gesture:press 0.46,0.60\nwait placed 3 20s\nwait tag hall1/pump-7 pressure 10s\nquit\n"
	cfg := Config{Bin: programs(t), Out: t.TempDir(), Headless: true, Source: "sim:plant?seed=7", FPS: 15, For: 40 * time.Second,
		Script: script(t, text), Every: 3}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	s := &session{cfg: cfg, listen: freeport.Address(t), mqttListen: freeport.Address(t)}
	for _, step := range []func(context.Context) error{s.startRelay, s.startPlant, s.startField, s.startExpert} {
		if err := step(ctx); err != nil {
			t.Fatal(err)
		}
	}
	defer s.stop()
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		if r, _ := filepath.Glob(filepath.Join(s.data(), "recordings", room, "*", "*.mp4")); len(r) > 0 {
			break
		}
		if time.Since(begun) > 30*time.Second {
			t.Fatal("nothing is recorded after 30 s")
		}
	}
	time.Sleep(7 * time.Second)
	first := s.procs[0]
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	s.procs = s.procs[1:]
	if err := s.startRelay(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.expert.Done():
	case <-ctx.Done():
	}
	if err := s.expert.Wait(); err != nil {
		t.Fatal("did not get through its script: ", err)
	}
	recordings, err := filepath.Glob(filepath.Join(s.data(), "recordings", room, "*", "*.mp4"))
	if err != nil || len(recordings) < 2 {
		t.Fatalf("%d recordings, want one from before and one from after: %v", len(recordings), err)
	}
	for _, r := range recordings {
		rec, err := playThrough(r)
		if err != nil {
			t.Error(err)
		}
		t.Logf("%s plays: %.1f s, %d frames", filepath.Base(filepath.Dir(r)), rec.Seconds, rec.Frames)
	}
}
