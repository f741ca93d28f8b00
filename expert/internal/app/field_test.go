package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"sightline/annotate"
	"sightline/annotate/replica"
	"sightline/devices/media"
	"sightline/devices/sim"
	"sightline/relay/client"
	"sightline/relay/wire"
	"sightline/vision"
	"sightline/vision/geom"
)

// runField is a field client of the simulated plant in a process of its own, which knows the truth: it
// sends pictures and exact poses, and places marks where the world is. It runs until it is killed.
func runField(url, token string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	film, err := newFilm(os.Getenv("SIGHTLINE_TEST_SIZE"))
	if err != nil {
		return err
	}
	defer film.close()
	w := film.world
	var key atomic.Bool
	marks, asked := make(chan wire.Envelope, 100), make(chan string, 10)
	c, err := client.Dial(ctx, client.Config{URL: url, Token: token, Logger: slog.New(slog.DiscardHandler),
		Publish: []client.Track{{Name: "camera", Kind: wire.Video, OnKeyFrame: func() { key.Store(true) }}},
		OnLog: func(e wire.Envelope) {
			switch {
			case e.Kind == wire.KindMark:
				marks <- e
			case e.Kind == wire.KindConsent && strings.Contains(string(e.Body), wire.ConsentAsked):
				asked <- e.ID
			}
		}})
	if err != nil {
		return err
	}
	defer c.Close()
	tick := time.NewTicker(time.Second / film.fps)
	defer tick.Stop()
	index := map[int64]int{}
	truth, err := newTruth(os.Getenv("SIGHTLINE_TEST_TRUTH"))
	if err != nil {
		return err
	}
	defer truth.close()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		captured := time.Now().UnixMicro()
		unit, i, err := film.next(n, key.Swap(false))
		if err != nil {
			return err
		}
		index[captured] = i
		_ = c.Video("camera").WriteFrame(unit, captured)
		e := vision.Estimate{Captured: captured, State: vision.Tracking, PoseCW: w.PoseCW(i), Map: "plant", Metric: true, SigmaPx: 0.3, Landmarks: 100}
		_ = c.SendPose(captured, e.Message(w.Camera()))
		for len(asked) > 0 {
			if id := <-asked; id == c.Self().ID {
				_, _ = c.Publish(wire.KindConsent, id, 0, wire.Consent{State: wire.ConsentGiven})
			}
		}
		for len(marks) > 0 {
			truth.placed(place(c, w, <-marks, index))
		}
		truth.frame(w, i, captured)
	}
}

// film is what the field's camera sees: 320x240 at 15 frames a second, or, where that is asked for, 1280x720 at 30,
// of which four seconds are made before and come again and again.
type film struct {
	world *sim.World
	enc   *media.H264Encoder
	fps   time.Duration
	units [][]byte
}

func newFilm(size string) (*film, error) {
	width, height, f := 320, 240, &film{fps: 15}
	if size == "720p" {
		width, height, f.fps = 1280, 720, 30
	}
	var err error
	if f.world, err = sim.NewWorld(sim.Options{Width: width, Height: height, FPS: float64(f.fps)}); err != nil {
		return nil, err
	}
	group, _ := strconv.Atoi(os.Getenv("SIGHTLINE_TEST_GROUP")) // 0 is as every field client has it
	f.enc, err = media.NewH264Encoder(media.EncoderConfig{Width: width, Height: height, FPS: float64(f.fps), KeyInterval: group})
	for i := 0; size == "720p" && i < 120 && err == nil; i++ {
		var unit []byte
		unit, _, err = f.enc.Encode(f.world.Picture(i))
		f.units = append(f.units, unit)
	}
	return f, err
}

func (f *film) close() { _ = f.enc.Close() }

// next is the frame of that number, and which one of the world it is.
func (f *film) next(n int, key bool) (unit []byte, i int, err error) {
	if len(f.units) > 0 {
		return f.units[n%len(f.units)], n % len(f.units), nil
	}
	if key {
		f.enc.ForceKeyFrame()
	}
	unit, _, err = f.enc.Encode(f.world.Picture(n))
	return unit, n, err
}

// truth writes down where the marks are in each frame that is sent: a line of a frame, and the pixels of a mark.
type truth struct {
	file  *os.File
	marks [][]annotate.AnchorPoint
}

func newTruth(path string) (*truth, error) {
	if path == "" {
		return &truth{}, nil
	}
	f, err := os.Create(path)
	return &truth{file: f}, err
}

func (t *truth) close() {
	if t.file != nil {
		_ = t.file.Close()
	}
}

func (t *truth) placed(points []annotate.AnchorPoint) {
	if len(points) > 0 {
		t.marks = append(t.marks, points)
	}
}

func (t *truth) frame(w *sim.World, i int, captured int64) {
	if t.file == nil {
		return
	}
	fmt.Fprint(t.file, captured)
	for _, mark := range t.marks {
		for _, p := range mark {
			px, _, _ := w.Project(i, p.P)
			fmt.Fprintf(t.file, " %.2f %.2f", px[0], px[1])
		}
	}
	fmt.Fprintln(t.file)
}

// place answers a mark with its true place in the world, which it returns.
func place(c *client.Client, w *sim.World, e wire.Envelope, index map[int64]int) []annotate.AnchorPoint {
	m, err := replica.DecodeMark(e.Body)
	if err != nil || m.Deleted {
		return nil
	}
	a := annotate.Anchor{MarkTime: e.Time, State: annotate.Placed, Map: "plant", Metric: true}
	i, known := index[e.Captured]
	for _, px := range m.Points {
		p, ok := w.Surface(i, px)
		if !ok || !known {
			a = annotate.Anchor{MarkTime: e.Time, State: annotate.Refused, Reason: "there is nothing"}
			break
		}
		point := annotate.AnchorPoint{P: p, Normal: w.PoseCW(i).Centre().Sub(p).Unit()}
		point.SetCov(geom.Identity3.Scale(1e-8))
		a.Points = append(a.Points, point)
	}
	_, _ = c.Publish(wire.KindAnchor, e.ID, e.Captured, a)
	return a.Points
}

func decode(line string) (out map[string]any, err error) {
	err = json.Unmarshal([]byte(line), &out)
	return out, err
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
