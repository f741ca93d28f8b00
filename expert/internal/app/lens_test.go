package app

import (
	"image"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"sightline/annotate"
	"sightline/devices/media"
	"sightline/expert/internal/call"
	"sightline/relay/client"
	"sightline/relay/wire"
	"sightline/vision/geom"
)

// sender publishes plain pictures, of another size for each track.
type sender struct {
	*client.Client
	enc  map[string]*media.H264Encoder
	size map[string]image.Rectangle
}

func newSender(t *testing.T, r *relay, token string, tracks map[string]image.Rectangle) *sender {
	t.Helper()
	s := &sender{enc: map[string]*media.H264Encoder{}, size: tracks}
	cfg := client.Config{URL: r.url, Token: token, Instance: "tom", Logger: slog.New(slog.DiscardHandler)}
	for name, size := range tracks {
		enc, err := media.NewH264Encoder(media.EncoderConfig{Width: size.Dx(), Height: size.Dy(), FPS: 15, Whole: true, KeyInterval: 5})
		if err != nil {
			t.Fatal(err)
		}
		s.enc[name] = enc
		cfg.Publish = append(cfg.Publish, client.Track{Name: name, Kind: wire.Video})
	}
	var err error
	if s.Client, err = client.Dial(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sender) send(t *testing.T, name string) {
	t.Helper()
	unit, _, err := s.enc[name].Encode(image.NewYCbCr(s.size[name], image.YCbCrSubsampleRatio420))
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Video(name).WriteFrame(unit, time.Now().UnixMicro()) // before the connection stands it is nobody's
}

func (s *sender) close() {
	s.Close()
	for _, e := range s.enc {
		_ = e.Close()
	}
}

// TestOnePictureOfAParticipant sends two videos of one participant: the first is shown, and the second only when the
// first has ended.
func TestOnePictureOfAParticipant(t *testing.T) {
	r := startRelay(t)
	var mu sync.Mutex
	seen := map[int]int{} // frames by their width
	count := func(width int) int {
		mu.Lock()
		defer mu.Unlock()
		return seen[width]
	}
	c, err := call.Dial(t.Context(), call.Config{URL: r.url, Token: r.token(t, "expert", "Ada"), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		OnFrame: func(f *call.Frame) {
			mu.Lock()
			defer mu.Unlock()
			seen[f.Size().X]++
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	token := r.token(t, "field", "Tom")
	camera, screen := image.Rect(0, 0, 320, 240), image.Rect(0, 0, 160, 120)
	s := newSender(t, r, token, map[string]image.Rectangle{"camera": camera, "screen": screen})
	until := func(what string, send []string, so func() bool) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(time.Second / 15) {
			if time.Now().After(end) {
				t.Fatalf("%s: %v", what, seen)
			}
			for _, name := range send {
				s.send(t, name)
			}
		}
	}
	until("no picture of the camera", []string{"camera"}, func() bool { return count(320) > 5 })
	before := count(320)
	until("the camera's picture stands still", []string{"camera", "screen"}, func() bool { return count(320) > before+45 })
	if n := count(160); n > 0 {
		t.Errorf("%d frames of the second video are shown", n)
	}
	if cams := c.Room().Cameras; len(cams) != 1 || cams[0].Track != "camera" {
		t.Errorf("the cameras are %+v", cams)
	}
	s.close()
	s = newSender(t, r, token, map[string]image.Rectangle{"screen": screen})
	defer func() { s.close() }()
	until("the second video is not shown after the first ended", []string{"screen"}, func() bool { return count(160) > 5 })
	if cams := c.Room().Cameras; len(cams) != 1 || cams[0].Track != "screen" {
		t.Errorf("the cameras are %+v", cams)
	}
}

// TestPointers hears the pointers of two experts: one is shown, the other, whose name would fill the screen, is not.
func TestPointers(t *testing.T) {
	r := startRelay(t)
	c, err := call.Dial(t.Context(), call.Config{URL: r.url, Token: r.token(t, "expert", "Ada"), Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all []*client.Client
	for _, name := range []string{"Bob", "Eve"} {
		other, err := client.Dial(t.Context(), client.Config{URL: r.url, Token: r.token(t, "expert", name), Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		all = append(all, other)
	}
	good := annotate.Pointer{Name: "Bob", Colour: "#ff0000", Camera: "p-1", Pixel: geom.Vec2{10, 20}, Width: 320, Height: 240}
	long := good
	long.Name = strings.Repeat("x", 8000)
	heard := 0
	for end := time.Now().Add(20 * time.Second); heard < 10; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no pointer is heard")
		}
		_ = all[1].SendPointer(long)
		_ = all[0].SendPointer(good)
		for _, p := range c.Pointers("p-1") {
			if heard++; p != good {
				t.Fatalf("a pointer is shown whose name has %d bytes", len(p.Name))
			}
		}
	}
}
