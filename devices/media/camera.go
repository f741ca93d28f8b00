package media

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pion/mediadevices/pkg/driver"
	_ "github.com/pion/mediadevices/pkg/driver/camera" // registers the machine's cameras
	"github.com/pion/mediadevices/pkg/frame"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"

	"sightline/devices"
	"sightline/vision/camera"
)

// webcam is a camera of this machine, the source of camera:N.
type webcam struct {
	name    string
	driver  driver.Driver
	reader  video.Reader
	clock   Clock
	box     *mailbox
	pool    pool
	stop    context.Context
	cancel  context.CancelFunc
	wait    sync.WaitGroup
	closing sync.Once
}

// Cameras lists the cameras of this machine by the names that camera: takes.
func Cameras() []string {
	var names []string
	for _, d := range cameraDrivers() {
		names = append(names, cameraName(d))
	}
	slices.Sort(names)
	return names
}

func cameraDrivers() []driver.Driver {
	return driver.GetManager().Query(driver.FilterAnd(driver.FilterVideoRecorder(), driver.FilterDeviceType(driver.Camera)))
}

// cameraName is "video0 (Yoyodyne HD)".
func cameraName(d driver.Driver) string {
	label, title := d.Info().Label, d.Info().Name
	if _, dev, ok := strings.Cut(label, ";"); ok {
		label = dev
	}
	title, _, _ = strings.Cut(title, ";")
	return strings.TrimSpace(label + " (" + title + ")")
}

func findCamera(name string) (driver.Driver, error) {
	want := strings.TrimPrefix(name, "/dev/")
	if _, err := strconv.Atoi(name); err == nil {
		want = "video" + name
	}
	for _, d := range cameraDrivers() {
		if strings.HasPrefix(cameraName(d), want+" ") {
			return d, nil
		}
	}
	for _, d := range cameraDrivers() {
		if strings.Contains(cameraName(d), want) {
			return d, nil
		}
	}
	found := strings.Join(Cameras(), ", ")
	if found == "" {
		found = "none"
	}
	return nil, fmt.Errorf("no camera %s; found: %s; plug one in, or use file:, seq: or sim: instead", name, found)
}

func openCamera(name string, opts Options) (Source, error) {
	d, err := findCamera(name)
	if err != nil {
		return nil, err
	}
	if err := d.Open(); err != nil {
		return nil, fmt.Errorf("camera %s: %w; is another program using it?", cameraName(d), err)
	}
	media, ok := bestMode(d.Properties(), opts)
	if !ok {
		d.Close()
		return nil, fmt.Errorf("camera %s gives no picture format that is understood here (want MJPEG, YUYV, NV12 or I420)", cameraName(d))
	}
	r, err := d.(driver.VideoRecorder).VideoRecord(media)
	if err != nil {
		return nil, fmt.Errorf("camera %s: cannot start %dx%d: %w", cameraName(d), media.Width, media.Height, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &webcam{name: cameraName(d), driver: d, reader: r, clock: opts.Clock, box: newMailbox(), stop: ctx, cancel: cancel}
	w.wait.Go(w.run)
	return w, nil
}

// bestMode chooses the mode nearest to the wish; among equals the one with the least work per picture.
func bestMode(modes []prop.Media, opts Options) (prop.Media, bool) {
	width, height, fps := opts.Width, opts.Height, opts.FPS
	if width == 0 || height == 0 {
		width, height = 1280, 720
	}
	if fps == 0 {
		fps = defaultFPS
	}
	cost := func(m prop.Media) float64 {
		c := float64(abs(m.Width-width)+abs(m.Height-height)) + 20*max(0, fps-float64(m.FrameRate))
		if m.FrameFormat == frame.FormatMJPEG {
			c++
		}
		return c
	}
	modes = slices.DeleteFunc(slices.Clone(modes), func(m prop.Media) bool { return m.FrameFormat == frame.FormatZ16 })
	if len(modes) == 0 {
		return prop.Media{}, false
	}
	return slices.MinFunc(modes, func(a, b prop.Media) int {
		if d := cost(a) - cost(b); d != 0 {
			return int(max(-1, min(1, d*1e6)))
		}
		return 0
	}), true
}

func abs(v int) int { return max(v, -v) }

// run reads the camera until it is closed or breaks.
func (w *webcam) run() {
	var last int64
	for index := 0; ; index++ {
		src, release, err := w.reader.Read()
		if err != nil {
			w.box.end(fmt.Errorf("camera %s: %w; is it still plugged in?", w.name, err))
			return
		}
		last = max(last+1, w.clock.Now().UnixMicro())
		b := src.Bounds()
		picture, giveBack := w.pool.get(b.Dx(), b.Dy())
		to420(picture, src)
		release()
		w.box.put(devices.Frame{Picture: picture, Captured: last, Index: index, OnRelease: giveBack})
		if w.stop.Err() != nil {
			return
		}
	}
}

// Read returns the newest frame.
func (w *webcam) Read(ctx context.Context) (devices.Frame, error) { return w.box.get(ctx) }

// Camera knows no lens: a camera of this kind does not tell.
func (w *webcam) Camera() (camera.Model, bool) { return camera.Model{}, false }

// Close stops the camera and waits for its goroutine.
func (w *webcam) Close() error {
	var err error
	w.closing.Do(func() {
		w.cancel()
		w.box.end(errClosed)
		err = w.driver.Close()
		w.wait.Wait()
		w.box.drain()
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("camera %s: %w", w.name, err)
	}
	return nil
}
