package desk

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"slices"
	"testing"
	"time"

	"sightline/annotate"
	"sightline/annotate/scene"
	"sightline/annotate/typeset"
	"sightline/devices"
	"sightline/expert/internal/call"
	"sightline/relay/wire"
	"sightline/vision"
	"sightline/vision/camera"
	"sightline/vision/geom"
)

var lens = camera.Model{Width: 640, Height: 480, Fx: 600, Fy: 600, Cx: 319.5, Cy: 239.5}

// begun is the tests' time when they begin.
var begun = time.UnixMicro(1_700_000_000_000_000)

// world is a call that the tests make up: what a desk shows, and what it changes.
type world struct {
	now     time.Time
	room    call.Room
	marks   []annotate.Entry
	frame   *call.Frame
	frames  int
	alive   int // frames that somebody still holds
	pose    vision.PoseMessage
	posed   map[int64]bool
	next    int
	deleted []string
	undone  int
}

func (w *world) Room() *call.Room         { r := w.room; return &r }
func (w *world) Marks() []annotate.Entry  { return w.marks }
func (w *world) Frame(string) *call.Frame { return w.frame.Keep() }
func (w *world) Pose(_ string, captured int64) (call.Pose, bool) {
	return call.Pose{PoseMessage: w.pose, Captured: captured, Exact: w.posed[captured]}, w.pose.State != ""
}

func (w *world) Create(m annotate.Mark, captured int64) (string, error) {
	if err := m.Valid(); err != nil {
		return "", err
	}
	w.next++
	id := fmt.Sprintf("m%d", w.next)
	w.marks = append(w.marks, annotate.Entry{ID: id, Mark: m, Captured: captured, Time: int64(w.next), From: w.room.Self.ID})
	w.room.Version++
	return id, nil
}

func (w *world) Move(id string, m annotate.Mark, captured int64) error {
	for i := range w.marks {
		if w.marks[i].ID == id {
			w.marks[i].Mark, w.marks[i].Captured, w.marks[i].Anchor = m, captured, nil
			w.room.Version++
			return nil
		}
	}
	return errors.New("no such mark")
}

func (w *world) Delete(ids ...string) error {
	w.deleted = append(w.deleted, ids...)
	w.marks = slices.DeleteFunc(w.marks, func(e annotate.Entry) bool { return slices.Contains(ids, e.ID) })
	w.room.Version++
	return nil
}

func (w *world) Undo() (bool, error) { w.undone++; return w.undone == 1, nil }

// film brings the next frame, a 30th of a second later.
func (w *world) film() {
	w.now = w.now.Add(33 * time.Millisecond)
	w.frame.Release()
	w.frames++
	w.alive++
	w.frame = call.NewFrame("tom", backdrop(640, 480, w.frames), w.now.UnixMicro()-80_000, w.now, func() { w.alive-- })
	w.posed[w.frame.Captured] = true
}

// place puts a mark into the world, on a wall two metres away.
func (w *world) place(id string) {
	for i := range w.marks {
		if e := &w.marks[i]; e.ID == id {
			e.Anchor = &annotate.Anchor{State: annotate.Placed, Map: "m"}
			for _, p := range e.Mark.Points {
				a := annotate.AnchorPoint{P: geom.Vec3{(p[0] - lens.Cx) / lens.Fx * 2, (p[1] - lens.Cy) / lens.Fy * 2, 2}, Normal: geom.Vec3{0, 0, -1}}
				a.SetCov(geom.Identity3.Scale(1e-6))
				e.Anchor.Points = append(e.Anchor.Points, a)
			}
		}
	}
	w.room.Version++
}

// backdrop is a synthesised picture that differs from frame to frame.
func backdrop(width, height, n int) *image.YCbCr {
	p := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	for y := range height {
		for x := range width {
			v := 60 + 90*y/height
			if ((x+n)/80+y/60)%3 == 0 {
				v += 40
			}
			p.Y[y*p.YStride+x] = uint8(v)
		}
	}
	for i := range p.Cb {
		p.Cb[i], p.Cr[i] = 134, 122
	}
	return p
}

func newWorld() *world {
	w := &world{now: begun, posed: map[int64]bool{}}
	eva := wire.Participant{ID: "eva", Name: "Eva", Role: "expert", Online: true}
	w.room = call.Room{Version: 1, Recorded: wire.Recorded{On: true}, Name: "hall-3", Self: eva, Link: call.Link{Connected: true, Ever: true, Since: begun},
		Cameras: []call.Camera{{Participant: "tom", Track: "camera", Name: "Tom", Online: true}},
		People: []call.Person{{Participant: wire.Participant{ID: "tom", Name: "Tom", Role: "field", Online: true}, Since: begun},
			{Participant: eva, Since: begun}}}
	w.pose = vision.Estimate{State: vision.Tracking, PoseCW: geom.IdentityPose, Map: "m", Metric: true, SigmaPx: 0.6, Landmarks: 140}.Message(lens)
	w.film()
	return w
}

func newDesk(t testing.TB, w *world, change func(*Config)) *Desk {
	t.Helper()
	faces, err := typeset.New()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Source: w, Editor: w, Faces: faces, Now: func() time.Time { return w.now }}
	if change != nil {
		change(&cfg)
	}
	d := New(cfg, 1280, 800, 1)
	d.Render()
	return d
}

// at is where a pixel of the frame is in the window.
func (d *Desk) at(t testing.TB, u, v float64) geom.Vec2 {
	t.Helper()
	view, ok := d.view()
	if !ok {
		t.Fatal("no picture")
	}
	return view.ToViewport(geom.Vec2{u, v})
}

func near(a, b geom.Vec2) bool { return a.Sub(b).Norm() < 1e-6 }

// TestStrokeBelongsToTheFrameItBeganOn draws while frames keep coming.
func TestStrokeBelongsToTheFrameItBeganOn(t *testing.T) {
	w := newWorld()
	d := newDesk(t, w, nil)
	d.Do("tool:stroke")
	began := w.frame.Captured
	d.Handle(Event{Kind: Pressed, At: d.at(t, 100, 120)})
	for i := 1; i <= 20; i++ {
		w.film()
		d.Render()
		d.Handle(Event{Kind: Moved, At: d.at(t, 100+10*float64(i), 120)})
	}
	if d.shown().Captured != began {
		t.Error("the picture went on under the pen")
	}
	d.Handle(Event{Kind: Released, At: d.at(t, 300, 120)})
	if len(w.marks) != 1 {
		t.Fatalf("%d marks", len(w.marks))
	}
	m := w.marks[0]
	if m.Captured != began || m.Mark.Camera != "tom" || m.Mark.Width != 640 || m.Mark.Height != 480 || m.Mark.Author != "Eva" {
		t.Errorf("mark is %+v on frame %d, want it on %d", m.Mark, m.Captured, began)
	}
	if n := len(m.Mark.Points); n != 21 || !near(m.Mark.Points[0], geom.Vec2{100, 120}) || !near(m.Mark.Points[20], geom.Vec2{300, 120}) {
		t.Errorf("stroke has %d points: %v", n, m.Mark.Points)
	}
	d.Render()
	if d.shown().Captured != w.frame.Captured {
		t.Error("the live picture did not come back")
	}
}

// TestTools draws with every tool and looks at the body.
func TestTools(t *testing.T) {
	for _, c := range []struct {
		tool       string
		from, to   geom.Vec2
		shape      annotate.Shape
		first      geom.Vec2
		wantPoints int
	}{
		{"arrow", geom.Vec2{100, 100}, geom.Vec2{200, 150}, annotate.Arrow, geom.Vec2{200, 150}, 2},
		{"arrow", geom.Vec2{100, 100}, geom.Vec2{100, 100}, annotate.Arrow, geom.Vec2{100, 100}, 2},
		{"circle", geom.Vec2{300, 200}, geom.Vec2{340, 200}, annotate.Circle, geom.Vec2{300, 200}, 2},
		{"stroke", geom.Vec2{10, 10}, geom.Vec2{10, 10}, annotate.Stroke, geom.Vec2{10, 10}, 2},
		{"gesture:turn-left", geom.Vec2{50, 60}, geom.Vec2{50, 60}, annotate.Gesture, geom.Vec2{50, 60}, 1},
		{"pin", geom.Vec2{50, 60}, geom.Vec2{50, 60}, annotate.Pin, geom.Vec2{50, 60}, 1},
	} {
		w := newWorld()
		w.room.Machines = []scene.Machine{{Machine: devices.Machine{Name: "a/b"}}}
		d := newDesk(t, w, nil)
		d.Do("tool:" + c.tool)
		d.Handle(Event{Kind: Pressed, At: d.at(t, c.from[0], c.from[1])})
		d.Handle(Event{Kind: Moved, At: d.at(t, c.to[0], c.to[1])})
		d.Handle(Event{Kind: Released, At: d.at(t, c.to[0], c.to[1])})
		if len(w.marks) != 1 {
			t.Errorf("%s: %d marks", c.tool, len(w.marks))
			continue
		}
		m := w.marks[0].Mark
		if m.Shape != c.shape || len(m.Points) != c.wantPoints || !near(m.Points[0], c.first) || m.Valid() != nil {
			t.Errorf("%s from %v to %v: %+v", c.tool, c.from, c.to, m)
		}
	}
}

// TestPenLeavesThePicture wants points only on the frame.
// TestMeasureGoesFromMarkToMark drags near two marks: the measure holds on to their places, is named by its
// length once it has one, and a press alone makes nothing.
func TestMeasureGoesFromMarkToMark(t *testing.T) {
	w := newWorld()
	d := newDesk(t, w, nil)
	places := []geom.Vec2{{200, 150}, {420, 300}}
	for _, at := range places {
		id, err := w.Create(annotate.Mark{Shape: annotate.Gesture, Action: annotate.Point, Camera: "tom", Width: 640, Height: 480, Points: []geom.Vec2{at}}, w.frame.Captured)
		if err != nil {
			t.Fatal(err)
		}
		w.place(id)
	}
	d.Render()
	d.Do("tool:measure")
	v, _ := d.view()
	press := func(from, to geom.Vec2) {
		d.Handle(Event{Kind: Pressed, At: v.ToViewport(from)})
		d.Handle(Event{Kind: Moved, At: v.ToViewport(to)})
		d.Handle(Event{Kind: Released, At: v.ToViewport(to)})
	}
	press(geom.Vec2{100, 100}, geom.Vec2{101, 100})
	if len(w.marks) != 2 {
		t.Fatalf("a press alone made a measure: %+v", w.marks[2:])
	}
	press(places[0].Add(geom.Vec2{3, -2}), places[1].Add(geom.Vec2{-2, 3}))
	if len(w.marks) != 3 || w.marks[2].Mark.Shape != annotate.Measure {
		t.Fatalf("%d marks, want a measure as the third", len(w.marks))
	}
	for i, p := range w.marks[2].Mark.Points {
		if p.Sub(places[i]).Norm() > 0.01 {
			t.Errorf("end %d is at %v, want the mark at %v", i, p, places[i])
		}
	}
	if name := shapeName(w.marks[2]); name != "Measure" {
		t.Errorf("without a place it is called %q", name)
	}
	w.place("m3")
	w.marks[2].Anchor.Metric = true
	// 266.3 px at 600 px of focal length and 2 m.
	if name := shapeName(w.marks[2]); name != "888 ± 18 mm" {
		t.Errorf("it is called %q", name)
	}
}

func TestPenLeavesThePicture(t *testing.T) {
	w := newWorld()
	d := newDesk(t, w, nil)
	d.Do("tool:arrow")
	d.Handle(Event{Kind: Pressed, At: d.at(t, 100, 100)})
	d.Handle(Event{Kind: Moved, At: geom.Vec2{5000, -4000}})
	d.Handle(Event{Kind: Released, At: geom.Vec2{5000, -4000}})
	if p := w.marks[0].Mark.Points[0]; p != (geom.Vec2{639, 0}) {
		t.Errorf("tip at %v", p)
	}
}

func TestTextIsTypedOnTheHeldFrame(t *testing.T) {
	w := newWorld()
	d := newDesk(t, w, nil)
	d.Handle(Event{Kind: Typed, Rune: 't'})
	began := w.frame.Captured
	d.Handle(Event{Kind: Pressed, At: d.at(t, 320, 240)})
	d.Handle(Event{Kind: Released, At: d.at(t, 320, 240)})
	for _, r := range "Close it 先关闭\x00!" {
		d.Handle(Event{Kind: Typed, Rune: r})
		w.film()
		d.Render()
	}
	d.Handle(Event{Kind: Struck, Key: KeyBackspace})
	d.Handle(Event{Kind: Struck, Key: KeyEnter})
	if len(w.marks) != 1 || w.marks[0].Mark.Text != "Close it 先关闭" || w.marks[0].Captured != began {
		t.Fatalf("marks %+v", w.marks)
	}
	d.Handle(Event{Kind: Pressed, At: d.at(t, 300, 200)})
	d.Handle(Event{Kind: Typed, Rune: 'x'})
	d.Handle(Event{Kind: Struck, Key: KeyEscape})
	d.Render()
	if len(w.marks) != 1 || d.held != nil {
		t.Error("a text that was given up stayed")
	}
}

// TestSelectMoveDelete drags a placed mark: it is drawn anew on the frame of the moment.
func TestSelectMoveDelete(t *testing.T) {
	w := newWorld()
	d := newDesk(t, w, nil)
	if _, err := w.Create(annotate.Mark{Shape: annotate.Arrow, Colour: Palette[0], Author: "Ann", Camera: "tom", Width: 640, Height: 480,
		Points: []geom.Vec2{{200, 200}, {260, 140}}}, w.frame.Captured); err != nil {
		t.Fatal(err)
	}
	w.place("m1")
	w.film()
	d.Render()
	d.Do("tool:select")
	d.Handle(Event{Kind: Pressed, At: d.at(t, 230, 170)})
	if d.selected != "m1" {
		t.Fatalf("selected %q", d.selected)
	}
	d.Handle(Event{Kind: Moved, At: d.at(t, 240, 170)})
	d.Handle(Event{Kind: Moved, At: d.at(t, 270, 190)})
	on := w.frame.Captured
	w.film()
	d.Render()
	d.Handle(Event{Kind: Released, At: d.at(t, 270, 190)})
	m := w.marks[0]
	if m.Captured != on || m.Mark.Points[0].Sub(geom.Vec2{230, 220}).Norm() > 1e-3 || m.Mark.Points[1].Sub(geom.Vec2{290, 160}).Norm() > 1e-3 {
		t.Errorf("moved to %v on %d, want it on %d", m.Mark.Points, m.Captured, on)
	}
	d.Render()
	d.Handle(Event{Kind: Struck, Key: KeyDelete})
	if !slices.Equal(w.deleted, []string{"m1"}) {
		t.Errorf("deleted %v", w.deleted)
	}
	d.Handle(Event{Kind: Struck, Key: "Z", Ctrl: true})
	if w.undone != 1 {
		t.Error("no undo")
	}
}

// TestClearAsks wants the guard: one click does not clear.
func TestClearAsks(t *testing.T) {
	w := newWorld()
	for range 2 {
		_, _ = w.Create(annotate.Mark{Shape: annotate.Text, Text: "x", Camera: "tom", Width: 640, Height: 480, Points: []geom.Vec2{{9, 9}}}, 1)
	}
	w.marks[1].From = "ann"
	d := newDesk(t, w, nil)
	click := func(id string) {
		t.Helper()
		d.Render()
		for _, h := range append(append([]hit(nil), d.hits...), d.panels[1].hits...) {
			if h.id == id {
				d.Handle(Event{Kind: Pressed, At: h.at.middle()})
				return
			}
		}
		t.Fatalf("no button %s", id)
	}
	click("clear")
	if len(w.deleted) > 0 {
		t.Fatal("cleared without a question")
	}
	click("clear:mine")
	if !slices.Equal(w.deleted, []string{"m1"}) {
		t.Errorf("mine deleted %v", w.deleted)
	}
	click("clear")
	click("escape")
	click("clear")
	click("clear:all")
	if !slices.Equal(w.deleted, []string{"m1", "m2"}) {
		t.Errorf("all deleted %v", w.deleted)
	}
}

func TestFreezeHoldsAndLetsGo(t *testing.T) {
	w := newWorld()
	d := newDesk(t, w, nil)
	d.Handle(Event{Kind: Typed, Rune: ' '})
	d.Handle(Event{Kind: Typed, Rune: ' ', Again: true})
	held := w.frame.Captured
	for range 40 {
		w.film()
		d.Render()
	}
	if d.shown().Captured != held || !d.Frozen() {
		t.Error("the frozen picture went on")
	}
	d.Do("tool:circle")
	d.Handle(Event{Kind: Pressed, At: d.at(t, 100, 100)})
	d.Handle(Event{Kind: Released, At: d.at(t, 100, 100)})
	if w.marks[0].Captured != held || d.shown().Captured != held {
		t.Error("drawing on a frozen picture ended it, or was on another frame")
	}
	d.Handle(Event{Kind: Struck, Key: KeySpace})
	d.Render()
	if d.shown().Captured != w.frame.Captured {
		t.Error("the picture stayed frozen")
	}
	d.Close()
	w.frame.Release()
	if w.alive != 0 {
		t.Errorf("%d frames were not released", w.alive)
	}
}

// TestEveryButtonIsReachable wants all buttons in the window, none over another, at every size.
func TestEveryButtonIsReachable(t *testing.T) {
	for _, size := range [][3]float64{{1280, 800, 1}, {1920, 1080, 1}, {minWidth, minHeight, 1}, {2560, 1600, 2}, {1024, 600, 1}} {
		w := newWorld()
		d := newDesk(t, w, nil)
		d.Resize(int(size[0]), int(size[1]), size[2])
		d.Render()
		var all []hit
		for i := range d.panels {
			all = append(all, d.panels[i].hits...)
		}
		seen := map[string]bool{}
		for i, h := range all {
			seen[h.id] = true
			if h.at.X0 < 0 || h.at.Y0 < 0 || h.at.X1 > size[0] || h.at.Y1 > size[1] || h.at.W() < 12*size[2] || h.at.H() < 12*size[2] {
				t.Errorf("%v: %s is at %v", size, h.id, h.at)
			}
			for _, o := range all[:i] {
				if min(h.at.X1, o.at.X1)-max(h.at.X0, o.at.X0) > 0.5 && min(h.at.Y1, o.at.Y1)-max(h.at.Y0, o.at.Y0) > 0.5 {
					t.Errorf("%v: %s lies over %s", size, h.id, o.id)
				}
			}
		}
		for _, g := range toolbarGroups {
			for _, c := range g {
				if !seen[c.id] {
					t.Errorf("%v: no button for %s", size, c.id)
				}
				if id, ok := commandOf(c.key, c.ctrl); !ok || id != c.id {
					t.Errorf("key %s does %s, want %s", c.shortcut(), id, c.id)
				}
			}
		}
	}
}

// TestNothingNewCostsNothing wants a canvas that stays as it is to say so.
func TestNothingNewCostsNothing(t *testing.T) {
	w := newWorld()
	d := newDesk(t, w, nil)
	w.now = w.now.Add(100 * time.Millisecond)
	d.Render()
	if _, changed := d.Render(); changed {
		t.Error("rendered again without anything new")
	}
	w.film()
	if _, changed := d.Render(); !changed {
		t.Error("a new frame was not rendered")
	}
}

// TestShownTellsEveryFrameOnce also wants the snapshot at the frame's own size.
func TestShownTellsEveryFrameOnce(t *testing.T) {
	w := newWorld()
	var shown []int64
	var snap Snapshot
	d := newDesk(t, w, func(c *Config) {
		c.OnShown = func(s Shown) { shown = append(shown, s.Frame.Captured) }
		c.OnSnapshot = func(s Snapshot) string { snap = s; return "saved" }
	})
	for range 3 {
		w.film()
		d.Render()
		d.Render()
	}
	if len(shown) != 4 || shown[3] != w.frame.Captured {
		t.Errorf("shown %v", shown)
	}
	_, _ = w.Create(annotate.Mark{Shape: annotate.Circle, Colour: "#ff0000", Camera: "tom", Width: 640, Height: 480, Points: []geom.Vec2{{320, 240}, {380, 240}}}, 1)
	w.place("m1")
	d.Render()
	d.Handle(Event{Kind: Struck, Key: "S"})
	if snap.Composed == nil || snap.Composed.Rect.Size() != image.Pt(640, 480) || snap.Captured != w.frame.Captured {
		t.Fatalf("snapshot %+v", snap)
	}
	if c := snap.Composed.RGBAAt(380, 240); c.R < 200 || c.G > 90 {
		t.Errorf("the mark is not on the snapshot: %v", c)
	}
	if c := snap.Raw.RGBAAt(380, 240); c == (color.RGBA{255, 0, 0, 255}) {
		t.Error("the raw picture has a mark")
	}
}

// BenchmarkRender is a window at video rate: a new frame with its pose, five marks, telemetry.
func BenchmarkRender(b *testing.B) {
	for _, size := range [][2]int{{1280, 800}, {1920, 1080}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			w := busy()
			d := newDesk(b, w, nil)
			d.Resize(size[0], size[1], 1)
			frames := []*image.YCbCr{backdrop(640, 480, 0), backdrop(640, 480, 5)}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				w.now = w.now.Add(33 * time.Millisecond)
				w.frame = call.NewFrame("tom", frames[i%2], w.now.UnixMicro(), w.now, nil)
				d.Render()
			}
		})
	}
}
