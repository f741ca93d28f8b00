package desk

import (
	"errors"
	"flag"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sightline/annotate"
	"sightline/annotate/scene"
	"sightline/devices"
	"sightline/expert/internal/call"
	"sightline/relay/wire"
	"sightline/vision"
	"sightline/vision/geom"
)

var update = flag.Bool("update", false, "write the golden pictures anew")

func num(v float64) *float64 { return &v }

func wave(from, by float64) (out []float64) {
	for i := range 60 {
		out = append(out, from+by*math.Sin(float64(i)/6))
	}
	return out
}

// machines are a pump with an alarm and a valve that is silent.
func machines() []scene.Machine {
	at := begun.UnixMicro()
	reading := func(tag string, v float64, alarm string) devices.Reading {
		return devices.Reading{Machine: "hall1/pump-7", Tag: tag, Number: num(v), Quality: devices.Good, Arrived: at, Alarm: alarm}
	}
	open := "open"
	return []scene.Machine{
		{Machine: devices.Machine{Name: "hall1/pump-7", Title: "Feed pump P-7", SilentAfter: 3, Tags: map[string]devices.Tag{
			"t": {Title: "Bearing temperature", Unit: "°C", High: num(90)}, "p": {Title: "Discharge pressure", Unit: "bar"}, "v": {Title: "Vibration", Unit: "mm/s"}}},
			Tags: []scene.Tag{{Reading: reading("t", 94.2, "high"), Trend: wave(80, 14)}, {Reading: reading("p", 6.69, ""), Trend: wave(6, 0.5)},
				{Reading: reading("v", 2.78, ""), Trend: wave(3, 1)}}},
		{Machine: devices.Machine{Name: "hall1/valve-3", Title: "进料阀 V-3", SilentAfter: 3, Tags: map[string]devices.Tag{"flow": {Title: "Flow", Unit: "m³/h"}, "state": {Title: "State"}}},
			Tags: []scene.Tag{{Reading: devices.Reading{Machine: "hall1/valve-3", Tag: "flow", Number: num(12.5), Quality: devices.Stale, Arrived: at - 14_000_000}, Trend: wave(12, 1)},
				{Reading: devices.Reading{Machine: "hall1/valve-3", Tag: "state", Text: &open, Quality: devices.Stale, Arrived: at - 14_000_000}}}},
	}
}

// busy is a room with everything in it.
func busy() *world {
	w := newWorld()
	w.room.People = append(w.room.People,
		call.Person{Participant: wire.Participant{ID: "lin", Name: "李雷", Role: "expert", Online: true}, Since: begun},
		call.Person{Participant: wire.Participant{ID: "vic", Name: "Victor", Role: "viewer", Reason: "lost"}, Since: begun.Add(-9 * time.Second)})
	w.room.Cameras = append(w.room.Cameras, call.Camera{Participant: "ada", Track: "camera", Name: "Ada", Reason: "lost", Since: begun})
	w.room.Machines = machines()
	w.room.Chat = []call.Line{{From: "Tom", Text: "Which valve?", At: begun}, {From: "李雷", Text: "红色手轮,慢慢转动。", At: begun}}
	on := func(author, colour string, s annotate.Shape, pts ...geom.Vec2) annotate.Mark {
		return annotate.Mark{Author: author, Colour: colour, Shape: s, Camera: "tom", Width: 640, Height: 480, Points: pts}
	}
	turn := on("李雷", Palette[1], annotate.Gesture, geom.Vec2{180, 330})
	turn.Action = annotate.TurnLeft
	note := on("Eva", Palette[2], annotate.Text, geom.Vec2{430, 190})
	note.Text = "Close this first 先关闭此阀门"
	pin := on("Tom", Palette[2], annotate.Pin, geom.Vec2{470, 300})
	pin.Machine = "hall1/pump-7"
	for _, m := range []annotate.Mark{on("Eva", Palette[0], annotate.Arrow, geom.Vec2{250, 200}, geom.Vec2{330, 120}), turn, note, pin} {
		id, _ := w.Create(m, w.frame.Captured)
		w.place(id)
	}
	long, _ := w.Create(on("Eva", Palette[1], annotate.Measure, geom.Vec2{110, 90}, geom.Vec2{260, 60}), w.frame.Captured)
	w.place(long)
	w.marks[len(w.marks)-1].Anchor.Metric = true
	_, _ = w.Create(on("Eva", Palette[3], annotate.Circle, geom.Vec2{90, 200}, geom.Vec2{130, 200}), w.frame.Captured)
	return w
}

// TestGolden compares whole windows with pictures that were looked at.
func TestGolden(t *testing.T) {
	for name, c := range map[string]struct {
		width, height int
		scale         float64
		act           func(w *world, d *Desk)
	}{
		"call": {1280, 800, 1, func(w *world, d *Desk) {
			w.room.People[0].Speaking = true
			w.room.Version++
			d.Handle(Event{Kind: Moved, At: geom.Vec2{28, 210}})
		}},
		"drawing": {1280, 800, 1, func(w *world, d *Desk) {
			d.Do("tool:arrow")
			d.Handle(Event{Kind: Pressed, At: d.lay.picture.middle()})
			w.now = w.now.Add(900 * time.Millisecond)
			w.film()
			d.Handle(Event{Kind: Moved, At: d.lay.picture.middle().Add(geom.Vec2{-120, 130})})
		}},
		"frozen-clear": {1280, 800, 1, func(w *world, d *Desk) {
			d.Do("freeze")
			d.Do("mark:m1")
			d.Do("clear")
			w.now = w.now.Add(4 * time.Second)
			w.film()
			d.Render()
			d.Toast("Snapshot saved: hall-3-20231114-221320.png", scene.Info)
		}},
		"lost": {1280, 800, 1, func(w *world, _ *Desk) {
			w.room.Cameras[0].Online, w.room.Cameras[0].Reason, w.room.Cameras[0].Since = false, "lost", begun.Add(-12*time.Second)
			w.room.People[0].Online, w.room.People[0].Reason = false, "lost"
			w.room.Version++
		}},
		"narrow": {1024, 700, 1, func(w *world, _ *Desk) {
			w.room.Cameras[0].Thin = "Your connection is too slow for pictures: sound and marks go on."
			w.room.Version++
		}},
		"reconnecting": {1024, 700, 1, func(w *world, d *Desk) {
			w.room.Link = call.Link{Ever: true, Reason: "no route", Since: begun.Add(-6 * time.Second)}
			w.pose.State, w.pose.Reason = vision.Lost, "look back at what was in view"
			w.room.Version++
			w.film()
			d.Do("tool:text")
			d.Handle(Event{Kind: Pressed, At: d.lay.picture.middle()})
			for _, r := range "按下 Press here" {
				d.Handle(Event{Kind: Typed, Rune: r})
			}
		}},
		"asked": {1024, 700, 1, func(w *world, _ *Desk) {
			w.room.Asked = "This call is recorded: picture, sound, what you draw and write. May what comes from you be recorded?"
			w.room.Version++
		}},
		"paused": {1024, 700, 1, func(w *world, d *Desk) {
			w.room.Recorded = wire.Recorded{Paused: true, Who: "tom", Why: "a customer's drawing is in view"}
			w.room.Version++
		}},
		"waiting": {900, 600, 1, func(w *world, d *Desk) {
			w.room.Cameras, w.room.Machines, w.marks, w.frame = nil, nil, nil, nil
			w.room.Version++
			d.show("")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := busy()
			d := newDesk(t, w, func(c *Config) {
				c.Vitals = func() Vitals {
					return Vitals{RTT: 21 * time.Millisecond, Pending: map[bool]int{true: 3}[name == "reconnecting"]}
				}
			})
			d.Resize(c.width, c.height, c.scale)
			d.Render()
			c.act(w, d)
			w.now = w.now.Add(100 * time.Millisecond)
			got, _ := d.Render()
			golden(t, name, got)
		})
	}
}

func golden(t *testing.T, name string, got *image.RGBA) {
	t.Helper()
	path := filepath.Join("testdata", name+".png")
	if *update {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		e := png.Encoder{CompressionLevel: png.BestCompression}
		if err := errors.Join(e.Encode(f, got), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatalf("%v; run with -update to make it", err)
	}
	defer f.Close()
	want, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if want.Bounds() != got.Bounds() {
		t.Fatalf("window of %v, golden of %v", got.Bounds(), want.Bounds())
	}
	n := 0
	for y := range got.Rect.Dy() {
		for x := range got.Rect.Dx() {
			a, b := got.RGBAAt(x, y), color.RGBAModel.Convert(want.At(x, y)).(color.RGBA)
			if off(a.R, b.R) || off(a.G, b.G) || off(a.B, b.B) {
				n++
			}
		}
	}
	if n > got.Rect.Dx()*got.Rect.Dy()/1500 {
		t.Errorf("%d pixels differ from %s; run with -update and look at it if that is meant", n, path)
	}
}

func off(a, b uint8) bool { return max(a, b)-min(a, b) > 8 }
