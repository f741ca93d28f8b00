package desk

import (
	"maps"
	"testing"
	"time"

	"sightline/expert/internal/call"
)

// The desk says how wide each camera is shown: the chosen one as it lies in the window, the others as small pictures,
// and not at all where the panel is hidden. A click on a small one turns to it.
func TestDeskTellsHowLargeCamerasAre(t *testing.T) {
	w := newWorld()
	w.room.Cameras = append(w.room.Cameras, call.Camera{Participant: "ada", Track: "camera", Name: "Ada", Online: true})
	w.room.Version++
	var told []map[string]int
	d := newDesk(t, w, func(c *Config) { c.OnSizes = func(m map[string]int) { told = append(told, m) } })
	d.Resize(1280, 800, 1)
	render := func() map[string]int {
		w.now = w.now.Add(time.Second)
		d.Render()
		return told[len(told)-1]
	}
	render()
	if len(d.thumbs) != 1 || d.thumbs[0].camera != "ada" {
		t.Fatalf("small pictures %+v", d.thumbs)
	}
	small := int(d.thumbs[0].at.W())
	want := map[string]int{"tom": 906, "ada": small}
	if got := render(); !maps.Equal(got, want) || small < 100 || small > 200 {
		t.Errorf("told %v, want %v", got, want)
	}
	n := len(told)
	if render(); len(told) != n {
		t.Error("told again what has not changed")
	}
	d.Do("panel")
	want["ada"] = 0
	if got := render(); got["ada"] != 0 || got["tom"] <= 906 {
		t.Errorf("with the panel hidden: told %v", got)
	}
	d.Do("panel")
	render()
	d.Handle(Event{Kind: Pressed, At: d.thumbs[0].at.middle()})
	if got := render(); d.camera != "ada" || got["tom"] != small || got["ada"] < 900 {
		t.Errorf("after a click: camera %s, told %v", d.camera, got)
	}
}
