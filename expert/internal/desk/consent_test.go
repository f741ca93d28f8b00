package desk

import (
	"fmt"
	"slices"
	"testing"

	"sightline/relay/wire"
)

// recorder writes down what the expert decides.
type recorder struct{ heard []string }

func (r *recorder) Consent(given bool) error {
	r.heard = append(r.heard, fmt.Sprint("consent ", given))
	return nil
}

func (r *recorder) Pause(on bool, why string) error {
	r.heard = append(r.heard, fmt.Sprintf("pause %v %s", on, why))
	return nil
}

// TestConsent asks before anything else can be done, and tells what was answered once.
func TestConsent(t *testing.T) {
	for _, c := range []struct {
		key  rune
		want string
	}{{'y', "consent true"}, {'N', "consent false"}} {
		w := newWorld()
		r := &recorder{}
		d := newDesk(t, w, func(c *Config) { c.Recorder = r })
		w.room.Asked = "May you be recorded?"
		w.room.Version++
		d.Render()
		d.Handle(Event{Kind: Typed, Rune: 'a'})
		d.Handle(Event{Kind: Pressed, At: d.lay.picture.middle()})
		d.Handle(Event{Kind: Released, At: d.lay.picture.middle()})
		if len(w.marks) > 0 || d.pen != nil || len(r.heard) > 0 {
			t.Error("something was done before the answer")
		}
		d.Handle(Event{Kind: Typed, Rune: c.key})
		d.Render()
		d.Handle(Event{Kind: Typed, Rune: c.key})
		if !slices.Equal(r.heard, []string{c.want}) {
			t.Errorf("heard %q, want %q", r.heard, c.want)
		}
	}
}

// TestConsentByMouse presses the button.
func TestConsentByMouse(t *testing.T) {
	w := newWorld()
	r := &recorder{}
	d := newDesk(t, w, func(c *Config) { c.Recorder = r })
	w.room.Asked = "May you be recorded?"
	w.room.Version++
	d.Render()
	for _, h := range d.hits {
		if h.id == "consent:yes" {
			d.Handle(Event{Kind: Pressed, At: h.at.middle()})
		}
	}
	if !slices.Equal(r.heard, []string{"consent true"}) {
		t.Errorf("heard %q", r.heard)
	}
}

// TestPause asks why, pauses, and lets the recording go on.
func TestPause(t *testing.T) {
	w := newWorld()
	r := &recorder{}
	d := newDesk(t, w, func(c *Config) { c.Recorder = r })
	d.Render()
	d.Handle(Event{Kind: Struck, Key: "P", Ctrl: true})
	for _, c := range "secret" {
		d.Handle(Event{Kind: Typed, Rune: c})
	}
	d.Handle(Event{Kind: Struck, Key: KeyEnter})
	w.room.Recorded = wire.Recorded{Paused: true, Who: "tom", Why: "secret"}
	w.room.Version++
	d.Render()
	if words, _, _, _ := d.recordingSign(); words != "PAUSED" {
		t.Errorf("the sign says %q", words)
	}
	if got := d.pausedWords(); got != "Recording paused by Tom: secret" {
		t.Errorf("%q", got)
	}
	d.Handle(Event{Kind: Struck, Key: "P", Ctrl: true})
	if !slices.Equal(r.heard, []string{"pause true secret", "pause false "}) {
		t.Errorf("heard %q", r.heard)
	}
}
