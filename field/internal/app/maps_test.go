package app_test

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sightline/field/internal/library"
	"sightline/relay/client"
	"sightline/vision"
	"sightline/vision/geom"
	"sightline/vision/mapping"
)

// TestAnotherHeadset maps a machine with one device and comes to it with another, which has never seen it.
func TestAnotherHeadset(t *testing.T) {
	const room, machine = "shift", "hall1/pump-7"
	x := joinExpert(t, room)
	first, second := filepath.Join(t.TempDir(), "maps"), filepath.Join(t.TempDir(), "maps")
	f := startField(t, room, "sim:plant", "--fps", "20", "--machine", machine, "--maps", first)
	x.eventually(t, "the camera is tracked for a while", func() bool { return x.states[vision.Tracking] > 80 })
	f.end(t)
	if out := f.stderr.String(); !strings.Contains(out, "the relay has the map of the machine") {
		t.Fatalf("the relay has not got the map:\n%s", out)
	}
	g := startField(t, room, "sim:plant", "--fps", "20", "--machine", machine, "--maps", second)
	before := x.states[vision.Tracking]
	x.eventually(t, "the second device tracks", func() bool { return x.states[vision.Tracking] > before+40 })
	g.end(t)
	for _, want := range []string{"the map of the machine comes from the relay", "the map of earlier visits is waiting to be seen", "place known again"} {
		if out := g.stderr.String(); !strings.Contains(out, want) {
			t.Errorf("the second device does not say %q:\n%s", want, out)
		}
	}
}

// TestLibrary brings maps together that two devices have changed, with a real relay between them.
func TestLibrary(t *testing.T) {
	const room, machine = "library", "hall2/press 1"
	device := func(name string) (*library.Library, string) {
		return &library.Library{REST: client.REST{URL: theRelay.url, Token: theRelay.token(t, room, "field", name), HTTP: http.DefaultClient},
			Room: func(context.Context) (string, error) { return room, nil }, Log: slog.New(slog.DiscardHandler)}, filepath.Join(t.TempDir(), "press.slmap")
	}
	ann, annFile := device("Ann")
	bob, bobFile := device("Bob")
	save := func(l *library.Library, file string, marks ...string) {
		t.Helper()
		s := mapping.Saved{Machine: machine, Worlds: []mapping.SavedWorld{{Keyframes: make([]mapping.Keyframe, 3)}}}
		for i := range s.Worlds[0].Keyframes {
			s.Worlds[0].Keyframes[i].PoseCW = geom.IdentityPose
		}
		for _, id := range marks {
			s.Marks = append(s.Marks, mapping.SavedMark{ID: id, Points: make([]mapping.SavedPoint, 1)})
		}
		if err := l.Changing(file); err != nil {
			t.Fatal(err)
		}
		if err := mapping.WriteFile(file, s); err != nil {
			t.Fatal(err)
		}
	}
	sync := func(l *library.Library, file string) {
		t.Helper()
		if err := l.Sync(t.Context(), machine, file); err != nil {
			t.Fatal(err)
		}
	}
	has := func(file string, worlds int, want ...string) {
		t.Helper()
		s, err := mapping.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range s.Marks {
			got = append(got, m.ID)
		}
		slices.Sort(got)
		if len(s.Worlds) != worlds || !slices.Equal(got, want) {
			t.Errorf("%d worlds with the marks %v, want %d with %v", len(s.Worlds), got, worlds, want)
		}
	}
	sync(ann, annFile) // nobody has one
	if _, err := os.Stat(annFile); err == nil {
		t.Fatal("a map came from nowhere")
	}
	save(ann, annFile, "bearing")
	sync(ann, annFile)
	sync(bob, bobFile)
	has(bobFile, 1, "bearing")
	save(bob, bobFile, "bearing", "valve")
	sync(bob, bobFile)
	sync(ann, annFile)
	has(annFile, 1, "bearing", "valve")

	// Both change it, and one was not heard at once: nothing is lost.
	save(ann, annFile, "bearing", "ann's")
	save(bob, bobFile, "bearing", "bob's")
	sync(ann, annFile)
	sync(bob, bobFile)
	has(bobFile, 2, "ann's", "bearing", "bob's")
	sync(ann, annFile)
	has(annFile, 2, "ann's", "bearing", "bob's")

	if err := bob.Sync(t.Context(), "hall2/press 2", bobFile+"2"); err != nil {
		t.Errorf("a machine that nobody has been at: %v", err)
	}
	bob.REST.Token += "x"
	if err := bob.Sync(t.Context(), machine, bobFile); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a token that is none: %v", err)
	}
}
