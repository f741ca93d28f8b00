package client_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

// sizes is a technician who sends the camera in two sizes, 320 and 160 pixels wide.
type sizes struct {
	t       *testing.T
	server  *server.Server
	url     string
	field   *client.Client
	cameras [2]*relaytest.Camera
}

func newSizes(t *testing.T, s *server.Server, url string) *sizes {
	f := &sizes{t: t, server: s, url: url}
	var tracks []client.Track
	for i, name := range []string{"camera", "camera-half"} {
		camera, track := relaytest.NewCamera()
		camera.Adapts, camera.Large = true, i == 0
		track.Name, track.Bitrate = name, client.Bitrate{Start: 800_000, Max: 1_200_000, Worth: 400_000}
		if i == 1 {
			track.Of, track.Bitrate = "camera", client.Bitrate{Start: 200_000, Max: 300_000}
		}
		f.cameras[i], tracks = camera, append(tracks, track)
	}
	f.field = relaytest.Join(t, client.Config{URL: url, Instance: "tom", Token: relaytest.Token(t, s.Authority(), "field", "Tom"), Publish: tracks})
	for i, t := range tracks {
		f.cameras[i].Play(f.field.Video(t.Name))
	}
	t.Cleanup(func() { f.cameras[0].Stop(); f.cameras[1].Stop() })
	return f
}

// sent is what a size is sent at.
func (f *sizes) sent(i int) int { return f.field.Video([]string{"camera", "camera-half"}[i]).Bitrate() }

// seer sees the sizes that come to somebody.
type seer struct {
	*client.Client
	f      *sizes
	mu     sync.Mutex
	size   int // of the last picture
	count  [2]int
	broken int
	tracks int
}

func (f *sizes) join(name string, width int) *seer {
	v := &seer{f: f, size: -1}
	v.Client = relaytest.Join(f.t, client.Config{URL: f.server.URL(), Instance: name, Token: relaytest.Token(f.t, f.server.Authority(), "expert", name),
		OnTrack: func(r *client.RemoteTrack) { go v.watch(r) }})
	v.show(width)
	return v
}

func (v *seer) show(width int) {
	v.Show(wire.Shown{Participant: v.f.field.Self().ID, Name: "camera", Width: width})
}

func (v *seer) watch(r *client.RemoteTrack) {
	v.mu.Lock()
	v.tracks++
	v.mu.Unlock()
	for {
		u, err := r.ReadFrame(v.f.t.Context())
		if err != nil {
			return
		}
		v.mu.Lock()
		v.size = -1
		for i, c := range v.f.cameras {
			if string(c.Sent(u.Captured)) == string(u.Data) {
				v.size = i
				v.count[i]++
			}
		}
		if v.size < 0 {
			v.broken++
		}
		v.mu.Unlock()
	}
}

func (v *seer) sees(size int) func() bool {
	return func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.size == size
	}
}

// ends says that there was one track, and that every picture was one that was sent, under its own capture time.
func (v *seer) ends() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tracks != 1 || v.broken > 0 {
		v.f.t.Errorf("%d tracks, %d pictures that were not sent so, %v of the sizes", v.tracks, v.broken, v.count)
	}
}

// Each gets the size that it shows, as one track, and a size is sent only while somebody takes it.
func TestASizeIsSentWhileSomebodyTakesIt(t *testing.T) {
	s := relaytest.Start(t, nil)
	f := newSizes(t, s, s.URL())
	relaytest.Within(t, time.Minute, "nobody takes the smaller size, and it is not sent", func() bool { return f.sent(1) == 0 && f.sent(0) > 0 })
	big, small := f.join("Big", 0), f.join("Small", 100)
	relaytest.Within(t, time.Minute, "who shows it small gets it small", small.sees(1))
	relaytest.Within(t, time.Minute, "who shows it whole gets it whole", big.sees(0))
	if f.sent(1) == 0 {
		t.Error("the smaller size is taken and not sent")
	}
	small.show(320)
	relaytest.Within(t, time.Minute, "who shows it whole again gets it so", small.sees(0))
	relaytest.Within(t, time.Minute, "the smaller size is not sent any more", func() bool { return f.sent(1) == 0 })
	big.ends()
	small.ends()
}

// Over a way to the relay that does not bear the largest size well, the next smaller one is sent instead, and everybody
// sees that; and the largest again when it does.
func TestTheLargestSizeGivesWayFirst(t *testing.T) {
	network := relaytest.NewNetwork(t)
	var data string
	s := relaytest.Start(t, func(cfg *server.Config) { cfg.Advertise, data = network.Media(), cfg.Data })
	network.Lead(s.URL()[len("http://"):], s.MediaPort())
	network.ShapeUp(relaytest.Link{})
	f := newSizes(t, s, network.URL())
	expert := f.join("Ann", 0)
	relaytest.Within(t, time.Minute, "the whole size is seen over a good link", func() bool { return expert.sees(0)() && f.sent(0) == 1_200_000 })
	network.ShapeUp(relaytest.Link{Bits: 300_000, Delay: 30 * time.Millisecond})
	relaytest.Within(t, time.Minute, "the smaller size is seen over a narrow one", func() bool { return expert.sees(1)() && f.sent(0) == 0 })
	if now := f.field.Video("camera").Best(); now.Name != "camera-half" || now.Bitrate() > 300_000 {
		t.Errorf("sends %s at %d bit/s", now.Name, now.Bitrate())
	}
	network.ShapeUp(relaytest.Link{})
	relaytest.Within(t, time.Minute, "the whole size is seen again", func() bool { return expert.sees(0)() })
	expert.ends()
	time.Sleep(time.Second)
	f.field.Close()
	s.Close()
	f.recorded(filepath.Join(data, "recordings", "hall", "*", "Tom-camera*.frames.csv"))
}

// recorded says that the best size that came is recorded, whichever it was, each frame under its own capture time.
func (f *sizes) recorded(tables string) {
	f.t.Helper()
	files, err := filepath.Glob(tables)
	if err != nil || len(files) < 3 {
		f.t.Fatalf("recorded in %v, want the whole size, the smaller, and the whole again (%v)", files, err)
	}
	last, total := int64(0), 0
	slices.SortFunc(files, func(a, b string) int { return len(a) - len(b) }) // -2 comes after none
	for i, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
			captured, err := strconv.ParseInt(strings.Split(line, ",")[1], 10, 64)
			if sent := f.cameras[i%2].Sent(captured); err != nil || sent == nil || captured <= last {
				f.t.Fatalf("%s: a frame captured at %d, after %d, which was not sent in that size (%v)", name, captured, last, err)
			}
			last, total = captured, total+1
		}
	}
	f.t.Logf("%d frames recorded in %d files", total, len(files))
}
