// Package sim is the simulated plant: a pump room rendered through a technician's head camera with exact
// ground truth, and the machines in it with their telemetry. Everything follows from the seed and the
// frame's number, so that a test or another process can ask for the truth of any frame.
package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"sightline/devices"
	"sightline/vision/camera"
	"sightline/vision/geom"
)

// Version is that of the pictures: who keeps rendered ones renders them again where it is another. It is
// raised with every change that can be seen.
const Version = 2

// Options describe a simulated camera. The zero value is the plant of seed 0, calm, 640x480 at 30 fps.
type Options struct {
	Seed          uint64
	Motion        Motion // "" is Calm
	FPS           float64
	Width, Height int
	// Path is another way of moving the same way, 0 to 2^63: another visit to the plant of the seed.
	Path uint64
	// Light is the light of the hall, "" is Hall.
	Light Light
	// Hand lets a hand pass through the view, Lights switches lights on and off.
	Hand, Lights bool
	// Plain paints every surface in an almost even colour; signs and dials stay.
	Plain bool
	// Noise is how many times the noise of a usual small sensor the picture has; 0 is once, below is none.
	Noise float64
	// NoBlur is a shutter of no time.
	NoBlur bool
	// Readout is how long the sensor takes to read a picture from its first row to its last, in seconds: a rolling shutter.
	Readout float64
}

// ParseOptions reads the source name sim:plant?seed=3&motion=walk, with any of path=2, hand=1, lights=1,
// light=dim, plain=1, noise=3, blur=0, readout=20 (milliseconds) and size=640x480.
func ParseOptions(spec string, fps float64) (Options, error) {
	o := Options{FPS: fps}
	rest, ok := strings.CutPrefix(spec, "sim:plant")
	if !ok {
		return o, fmt.Errorf("source %q: the only simulation is sim:plant", spec)
	}
	q, err := url.ParseQuery(strings.TrimPrefix(rest, "?"))
	if err != nil {
		return o, fmt.Errorf("source %q: %w", spec, err)
	}
	for k, v := range q {
		if err := o.set(k, v[0]); err != nil {
			return o, fmt.Errorf("source %q: %w", spec, err)
		}
	}
	return o, nil
}

func (o *Options) set(key, value string) (err error) {
	switch key {
	case "seed":
		o.Seed, err = strconv.ParseUint(value, 10, 64)
	case "motion":
		o.Motion = Motion(value)
		err = checkMotion(o.Motion)
	case "hand":
		o.Hand, err = strconv.ParseBool(value)
	case "lights":
		o.Lights, err = strconv.ParseBool(value)
	case "path":
		o.Path, err = strconv.ParseUint(value, 10, 63)
	case "light":
		o.Light = Light(value)
		_, err = o.Light.lighting()
	case "plain":
		o.Plain, err = strconv.ParseBool(value)
	case "noise":
		o.Noise, err = strconv.ParseFloat(value, 64)
		if err == nil && !(o.Noise >= 0 && o.Noise <= 100) {
			err = fmt.Errorf("noise %q, want 0 (none) to 100 times the usual", value)
		}
		if o.Noise == 0 {
			o.Noise = -1
		}
	case "blur":
		blur, e := strconv.ParseBool(value)
		o.NoBlur, err = !blur, e
	case "readout":
		o.Readout, err = strconv.ParseFloat(value, 64)
		if o.Readout /= 1000; err == nil && !(math.Abs(o.Readout) <= 0.1) {
			err = fmt.Errorf("readout %q, want up to 100 ms", value)
		}
	case "size":
		if _, err = fmt.Sscanf(value, "%dx%d", &o.Width, &o.Height); err != nil {
			err = fmt.Errorf("size %q, want 640x480", value)
		}
	default:
		err = fmt.Errorf("unknown option %q: there are seed, motion, path, hand, lights, light, plain, noise, blur, readout, size", key)
	}
	return err
}

// World renders the plant. It is used by one goroutine.
type World struct {
	o      Options
	cam    camera.Model
	plant  *plant
	head   *head
	render *renderer
	lens   *lens
	light  lighting
}

// FOV is the horizontal field of view of the simulated head camera in radians: 64 degrees.
const FOV = 64 * 3.14159265358979 / 180

// NewWorld builds the plant; it takes about a second, for the light is baked.
func NewWorld(o Options) (*World, error) {
	if o.Motion == "" {
		o.Motion = Calm
	}
	if err := checkMotion(o.Motion); err != nil {
		return nil, err
	}
	if o.FPS == 0 {
		o.FPS = 30
	}
	if o.Width == 0 {
		o.Width, o.Height = 640, 480
	}
	if o.Width < 64 || o.Height < 64 || o.Width > 4096 || o.Height > 4096 || o.Width%2+o.Height%2 != 0 || o.FPS < 0 || o.FPS > 240 {
		return nil, fmt.Errorf("simulated camera of %dx%d pixels at %g fps: sides must be even, 64 to 4096, and the pace at most 240", o.Width, o.Height, o.FPS)
	}
	light, err := o.Light.lighting()
	if err != nil {
		return nil, err
	}
	p, err := newPlant(o.Seed, light, o.Plain)
	if err != nil {
		return nil, err
	}
	cam := camera.FromFOV(o.Width, o.Height, FOV)
	cam.Readout = o.Readout
	noise := max(0, cmp.Or(o.Noise, 1)) * light.noise
	return &World{o: o, cam: cam, plant: p, head: newHead(o.Motion, o.Seed, o.Path), render: newRenderer(cam), lens: newLens(cam, o.Seed+o.Path<<32, noise), light: light}, nil
}

// Camera returns the exact lens.
func (w *World) Camera() camera.Model { return w.cam }

// PoseCW returns the true pose of a frame, in the moment in which its middle row was read: world to camera. The world has x
// along the skid, y into the hall, z up, in metres, its origin on the floor under the skid's middle.
func (w *World) PoseCW(frame int) geom.Pose { return w.head.poseCW(float64(frame) / w.o.FPS) }

// Picture renders a frame as the camera delivers it.
func (w *World) Picture(frame int) *image.YCbCr {
	out := image.NewYCbCr(image.Rect(0, 0, w.cam.Width, w.cam.Height), image.YCbCrSubsampleRatio420)
	w.scene(frame)
	t := float64(frame) / w.o.FPS
	if shutter := w.light.shutter; !w.o.NoBlur {
		w.lens.smear(w.render.luma, w.render.inv, w.head.poseCW(t-shutter/2), w.head.poseCW(t+shutter/2))
	}
	w.lens.soften(w.render.luma)
	w.lens.expose(w.render, w.light.gain*gainAt(t, w.o.Lights), frame, out)
	return out
}

// scene renders the geometry of a frame.
func (w *World) scene(frame int) {
	t := float64(frame) / w.o.FPS
	pose := w.PoseCW(frame)
	w.render.clear()
	if wrist, fingers, side, ok := handAt(t, pose); ok && w.o.Hand {
		w.render.draw(w.plant.hand(wrist, fingers, side), pose)
	}
	w.render.draw(&w.plant.static, pose)
	w.render.draw(w.plant.needles(func(tag string) float64 { return gaugeValue(tag, t) }), pose)
	if w.o.Readout != 0 {
		w.lens.roll(w.render, pose, func(px geom.Vec2) geom.Pose { return w.poseAt(frame, px) })
	}
}

// Depth renders the true depth of a frame in metres, by rows; infinite where there is nothing.
func (w *World) Depth(frame int) []float64 {
	w.scene(frame)
	return w.render.depth()
}

// Surface returns the world point that a pixel of a frame sees; false where there is none.
func (w *World) Surface(frame int, px geom.Vec2) (geom.Vec3, bool) {
	d := w.Depth(frame)
	x, y := int(px[0]+0.5), int(px[1]+0.5)
	if x < 0 || y < 0 || x >= w.cam.Width || y >= w.cam.Height {
		return geom.Vec3{}, false
	}
	z := d[y*w.cam.Width+x]
	if z > 100 {
		return geom.Vec3{}, false
	}
	n := w.cam.Normalize(px)
	return w.poseAt(frame, px).Inverse().Apply(geom.Vec3{n[0] * z, n[1] * z, z}), true
}

// Source plays a World as a camera, in real time. It has the shape of media.Source.
type Source struct {
	world *World
	start time.Time
	next  int
	last  int64
	stop  chan struct{}
	once  sync.Once
}

// Open builds the plant and starts its camera. The clock is the machine's: frame 0 is now.
func Open(o Options) (*Source, error) {
	w, err := NewWorld(o)
	if err != nil {
		return nil, err
	}
	return &Source{world: w, start: time.Now(), stop: make(chan struct{})}, nil
}

// Camera returns the exact lens.
func (s *Source) Camera() (camera.Model, bool) { return s.world.cam, true }

// errClosed is returned by Read after Close.
var errClosed = errors.New("the simulated camera is closed")

// Read waits for the next frame's time and renders it. Where the reader was late, frames are left out as
// a real camera does, and Index shows it. Captured is the frame's exact time.
func (s *Source) Read(ctx context.Context) (devices.Frame, error) {
	period := time.Duration(float64(time.Second) / s.world.o.FPS)
	due := s.start.Add(time.Duration(s.next) * period)
	if late := time.Since(due); late > period {
		s.next += int(late / period)
		due = s.start.Add(time.Duration(s.next) * period)
	}
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return devices.Frame{}, ctx.Err()
	case <-s.stop:
		return devices.Frame{}, errClosed
	case <-timer.C:
	}
	f := devices.Frame{Picture: s.world.Picture(s.next), Captured: max(due.UnixMicro(), s.last+1), Index: s.next}
	s.last = f.Captured
	s.next++
	return f, nil
}

// Close ends a Read that waits.
func (s *Source) Close() error {
	s.once.Do(func() { close(s.stop) })
	return nil
}
