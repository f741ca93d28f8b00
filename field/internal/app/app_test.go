package app_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sightline/annotate"
	"sightline/devices"
	"sightline/devices/mqtt"
	"sightline/devices/sim"
	"sightline/field/internal/app"
	"sightline/field/internal/trace"
	"sightline/relay/client"
	"sightline/relay/wire"
	"sightline/vision"
	"sightline/vision/geom"
)

func (x *expert) pose(e wire.Envelope) {
	var p vision.PoseMessage
	if json.Unmarshal(e.Body, &p) != nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.states[p.State]++
}

func (x *expert) watch(tr *client.RemoteTrack) {
	for {
		au, err := tr.ReadFrame(context.Background())
		if err != nil {
			return
		}
		x.mu.Lock()
		x.frames = append(x.frames, au.Captured)
		x.mu.Unlock()
	}
}

// draw marks pixels of a frame received delay ago.
func (x *expert) draw(t *testing.T, camera string, delay time.Duration, size [2]int, pixels ...geom.Vec2) {
	t.Helper()
	x.mu.Lock()
	latest := x.frames[len(x.frames)-1]
	i, _ := slices.BinarySearch(x.frames, latest-delay.Microseconds())
	captured := x.frames[i]
	x.mu.Unlock()
	for n, px := range pixels {
		_, err := x.Publish(wire.KindMark, fmt.Sprintf("m%d", n), captured, annotate.Mark{Author: "Mei", Colour: "#ffb72b",
			Shape: annotate.Gesture, Action: annotate.Press, Camera: camera, Points: []geom.Vec2{px}, Width: size[0], Height: size[1]})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// camera is the participant whose camera is seen.
func (x *expert) camera() string {
	for _, e := range x.log {
		var p wire.Participant
		if e.Kind == wire.KindParticipant && json.Unmarshal(e.Body, &p) == nil && p.Role == "field" && p.Online {
			return p.ID
		}
	}
	return ""
}

// field is a running field client.
type field struct {
	trace  string
	stop   context.CancelFunc
	done   chan struct{}
	code   int
	stderr bytes.Buffer
}

func startField(t *testing.T, room, source string, more ...string) *field {
	t.Helper()
	f := &field{trace: filepath.Join(t.TempDir(), "trace.jsonl"), done: make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	f.stop = stop
	args := append([]string{"--relay", theRelay.url, "--token", theRelay.token(t, room, "field", "Tom"), "--source", source,
		"--headless", "--audio", "none", "--trace", f.trace}, more...)
	go func() {
		defer close(f.done)
		f.code = app.Run(ctx, args, io.Discard, &f.stderr, nil)
	}()
	t.Cleanup(func() { stop(); <-f.done })
	return f
}

// lines are the lines of the trace, after the client has ended.
type lines struct {
	frames []trace.Frame
	events map[string][]map[string]any
}

func (f *field) end(t *testing.T) lines {
	t.Helper()
	f.stop()
	select {
	case <-f.done:
	case <-time.After(20 * time.Second):
		t.Fatal("the client does not end")
	}
	if f.code != 0 {
		t.Fatalf("exit code %d: %s", f.code, f.stderr.String())
	}
	data, err := os.ReadFile(f.trace)
	if err != nil {
		t.Fatal(err)
	}
	l := lines{events: map[string][]map[string]any{}}
	for row := range strings.Lines(string(data)) {
		var fr trace.Frame
		var ev map[string]any
		if err := json.Unmarshal([]byte(row), &ev); err != nil {
			t.Fatalf("trace: %v in %q", err, row)
		}
		if name, ok := ev["event"].(string); ok {
			l.events[name] = append(l.events[name], ev)
		} else if err := json.Unmarshal([]byte(row), &fr); err != nil {
			t.Fatalf("trace: %v in %q", err, row)
		} else {
			l.frames = append(l.frames, fr)
		}
	}
	if len(l.events["end"]) != 1 || l.events["end"][0]["sent"].(float64) == 0 {
		t.Errorf("trace ends with %v, want frames that were sent", l.events["end"])
	}
	return l
}

// miss is how far a shown mark is from the truth, and what it says of itself, in pixels.
type miss struct{ off, sigma float64 }

// errors compares every shown picture of the marks with the truth.
func (l lines) errors(t *testing.T, o sim.Options, marked map[string]geom.Vec2) map[string][]miss {
	t.Helper()
	w, err := sim.NewWorld(o)
	if err != nil {
		t.Fatal(err)
	}
	index := map[int64]int{}
	for _, f := range l.frames {
		index[f.Captured] = f.Frame
	}
	truth := map[string]geom.Vec3{}
	for _, e := range l.events["mark"] {
		id := e["id"].(string)
		px, ours := marked[id]
		n, has := index[int64(e["mark_captured"].(float64))]
		if !ours || !has {
			continue
		}
		if p, ok := w.Surface(n, px); ok && flat(w.Depth(n), w.Camera().Width, px) {
			truth[id] = p
		}
	}
	out := map[string][]miss{}
	for _, f := range l.frames {
		for _, m := range f.Marks {
			p, ok := truth[m.ID]
			if px, _, front := w.Project(f.Frame, p); ok && front && m.State == "shown" {
				out[m.ID] = append(out[m.ID], miss{px.Sub(geom.Vec2{m.U, m.V}).Norm(), m.Sigma})
			}
		}
	}
	return out
}

// flat says whether the depth around a pixel hardly changes: what is on an edge is the tracker's own
// tests' to judge.
func flat(depth []float64, width int, px geom.Vec2) bool {
	lo, hi := math.Inf(1), 0.0
	r := width / 36
	for dy := -r; dy <= r; dy += r / 3 {
		for dx := -r; dx <= r; dx += r / 3 {
			d := depth[(int(px[1])+dy)*width+int(px[0])+dx]
			lo, hi = min(lo, d), max(hi, d)
		}
	}
	return hi < 1.04*lo
}

// check wants at least so many marks to be shown where they belong, to a median error in pixels. That none
// is off by more than it claims is for the tracker's own tests to judge, which run at an even pace.
func check(t *testing.T, got map[string][]miss, least int, median float64) {
	t.Helper()
	good := 0
	for id, e := range got {
		slices.SortFunc(e, func(a, b miss) int { return cmp.Compare(a.off, b.off) })
		last := e[len(e)-1]
		t.Logf("%s: shown in %d frames, error p50 %.2f max %.2f px, claimed there %.2f", id, len(e), e[len(e)/2].off, last.off, last.sigma)
		if len(e) > 10 && e[len(e)/2].off < median {
			good++
		}
	}
	if good < least {
		t.Fatalf("%d marks were shown where they belong, want %d or more", good, least)
	}
}

// TestSession is the whole job: an expert draws on pictures of the simulated plant that are 400 ms old,
// and the marks land on the machine; the machine's values hang on its marker.
func TestSession(t *testing.T) {
	plant(t)
	dir := t.TempDir()
	shot, film := filepath.Join(dir, "view.png"), filepath.Join(dir, "view.mp4")
	f := startField(t, "session", "sim:plant", "--fps", "20", "--watch", sim.Pump, "--screenshot", shot, "--screenshot-at", "600", "--compose", film)
	x := joinExpert(t, "session")
	x.eventually(t, "the camera is tracked for a while", func() bool { return x.states[vision.Tracking] > 45 && len(x.frames) > 30 })
	var pixels []geom.Vec2
	marked := map[string]geom.Vec2{}
	for i := range 9 {
		px := geom.Vec2{110 + 200*float64(i%3), 60 + 120*float64(i/3)}
		pixels = append(pixels, px)
		marked[fmt.Sprintf("m%d", i)] = px
	}
	x.draw(t, x.camera(), 400*time.Millisecond, [2]int{640, 480}, pixels...)
	before := 0
	x.eventually(t, "the marks are placed", func() bool {
		placed := map[string]bool{}
		for _, e := range x.log {
			var a annotate.Anchor
			if e.Kind == wire.KindAnchor && json.Unmarshal(e.Body, &a) == nil && a.State == annotate.Placed {
				placed[e.ID] = true
			}
		}
		before = x.states[vision.Tracking]
		return len(placed) > 6 && placed["pin-hall1-pump-7"]
	})
	x.eventually(t, "the marks are held for a while", func() bool { return x.states[vision.Tracking] > before+50 })
	l := f.end(t)
	check(t, l.errors(t, sim.Options{FPS: 20}, marked), 2, 2)
	if n := len(l.events["tag"]); n < 5 {
		t.Errorf("%d readings were drawn, want some", n)
	}
	if last := l.frames[len(l.frames)-1]; !last.Metric {
		t.Error("the machine's marker did not give the scale")
	}
	for _, path := range []string{shot, film} {
		if s, err := os.Stat(path); err != nil || s.Size() < 10_000 {
			t.Errorf("%s: %v, or nearly empty", filepath.Base(path), err)
		}
	}
}

// plant publishes the pump's telemetry for as long as the test runs.
func plant(t *testing.T) {
	t.Helper()
	p, err := mqtt.NewPublisher(mqtt.PublisherConfig{URL: theRelay.mqtt, ClientID: "plant"})
	if err != nil {
		t.Fatal(err)
	}
	pump := sim.Machines()[0]
	if err := p.Birth(pump); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for begun := time.Now(); ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
			v, _ := sim.Value(pump.Name, "pressure", time.Since(begun).Seconds())
			_ = p.Value(pump.Name, "pressure", v, time.Now(), devices.Good)
		}
	}()
	t.Cleanup(func() { stop(); <-done; p.Close() })
}

// TestFixedCamera wants marks to hold where there is never parallax: on the panorama.
func TestFixedCamera(t *testing.T) {
	f := startField(t, "fixed", "sim:plant?size=320x240&motion=still&hand=1")
	x := joinExpert(t, "fixed")
	x.eventually(t, "frames come", func() bool { return x.states[vision.Initializing] > 30 && len(x.frames) > 30 })
	marked := map[string]geom.Vec2{"m0": {130, 30}, "m1": {60, 20}, "m2": {90, 60}}
	x.draw(t, x.camera(), 200*time.Millisecond, [2]int{320, 240}, marked["m0"], marked["m1"], marked["m2"])
	x.eventually(t, "they are held for a while", func() bool { return x.states[vision.Initializing] > 90 })
	l := f.end(t)
	check(t, l.errors(t, sim.Options{FPS: 30, Width: 320, Height: 240, Motion: sim.Still, Hand: true}, marked), 2, 1)
}

// TestSourceEnds plays a sequence to its end.
func TestSourceEnds(t *testing.T) {
	w, err := sim.NewWorld(sim.Options{Width: 160, Height: 120})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := sim.WriteSequence(w, dir, 45, 0, func(int) {}); err != nil {
		t.Fatal(err)
	}
	f := startField(t, "ends", "seq:"+dir)
	select {
	case <-f.done:
	case <-time.After(20 * time.Second):
		t.Fatal("the client goes on after the source's end")
	}
	l := f.end(t)
	if n := l.events["end"][0]["captured_frames"].(float64); n < 20 || len(l.frames) < 10 {
		t.Errorf("%g of 45 frames captured, %d tracked", n, len(l.frames))
	}
}

// TestBadStart wants a client that cannot start to say why, and what to do.
func TestBadStart(t *testing.T) {
	good := []string{"--relay", theRelay.url, "--token", theRelay.token(t, "bad", "field", "Tom"), "--headless", "--audio", "none"}
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no source", good, 2, "--source"},
		{"unknown source", append(slices.Clone(good), "--source", "tape:x"), 1, "want camera:N, file:PATH"},
		{"no such file", append(slices.Clone(good), "--source", "file:/nowhere/x.mp4"), 1, "/nowhere/x.mp4"},
		{"no such simulation", append(slices.Clone(good), "--source", "sim:plant?motion=jump"), 1, "jump"},
		{"impossible lens", append(slices.Clone(good), "--source", "sim:plant", "--fov", "400"), 1, "10 to 150 degrees"},
		{"no token", []string{"--relay", theRelay.url, "--source", "sim:plant", "--headless"}, 2, "relay invite"},
		{"wrong token", []string{"--relay", theRelay.url, "--token", "x.y.z", "--source", "sim:plant?size=64x64", "--headless", "--audio", "none"}, 1, "token"},
		{"bad machine", append(slices.Clone(good), "--source", "sim:plant", "--watch", "pump"), 2, "AREA/MACHINE"},
		{"no place for the trace", append(slices.Clone(good), "--source", "sim:plant", "--trace", "/nowhere/t"), 1, "/nowhere/t"},
	} {
		var stderr bytes.Buffer
		code := app.Run(t.Context(), c.args, io.Discard, &stderr, nil)
		if code != c.code || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: code %d, %q; want %d and %q in it", c.name, code, stderr.String(), c.code, c.want)
		}
	}
}
