package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"sightline/devices/media"
	"sightline/devices/sim"
	"sightline/vision/camera"
)

// Config says which camera, and where its frames go.
type Config struct {
	// Spec names the source as media.Open has it, or sim:plant.
	Spec  string
	Media media.Options
	// Lens is the camera's, calibrated, in place of the source's own; the zero Model is none.
	Lens camera.Model
	// FOV is the horizontal field of view in degrees that is guessed where neither is known, and Guess the lens that is,
	// where it is one.
	FOV   float64
	Guess camera.Model
	// OnFrame is called with every frame, on Run's goroutine; the frame is released after it returns.
	OnFrame func(Frame)
	// OnState is called with the reason when the camera is gone, and with nil when it is back.
	OnState func(error)
	Logger  *slog.Logger
}

// Feed is an open source.
type Feed struct {
	cfg    Config
	source media.Source
	read   atomic.Int64
	missed atomic.Int64
}

// retryEvery is how long to wait before a camera that is gone is looked for again.
const retryEvery = 2 * time.Second

// Open opens the source. The error names it and what to do about it.
func Open(cfg Config) (*Feed, error) {
	if cfg.FOV < 10 || cfg.FOV > 150 {
		return nil, fmt.Errorf("--fov %g: a lens sees 10 to 150 degrees from side to side; 65 is a usual webcam", cfg.FOV)
	}
	s, err := open(cfg)
	if err != nil {
		return nil, err
	}
	return &Feed{cfg: cfg, source: s}, nil
}

func open(cfg Config) (media.Source, error) {
	if !strings.HasPrefix(cfg.Spec, "sim:") {
		s, err := media.Open(cfg.Spec, cfg.Media)
		if err != nil && !strings.Contains(cfg.Spec, ":") {
			err = fmt.Errorf("%w, or sim:plant", err)
		}
		return s, err
	}
	o, err := sim.ParseOptions(cfg.Spec, cfg.Media.FPS)
	if err != nil {
		return nil, err
	}
	return sim.Open(o)
}

// Run reads until ctx ends or the source does, and closes it: nil where a file or a sequence has ended,
// the cause where it broke. A camera that is gone is looked for again, for as long as ctx lives.
func (f *Feed) Run(ctx context.Context) error {
	for {
		err := f.play(ctx)
		switch {
		case ctx.Err() != nil || errors.Is(err, io.EOF):
			return nil
		case !strings.HasPrefix(f.cfg.Spec, "camera:"), errors.Is(err, errShape):
			return err
		}
		f.cfg.Logger.Warn("the camera is gone; looking for it every 2 s", "source", f.cfg.Spec, "err", err)
		f.cfg.OnState(err)
		if !f.reopen(ctx) {
			return nil
		}
		f.cfg.Logger.Info("the camera is back", "source", f.cfg.Spec)
	}
}

// reopen tries until the camera is back; false when ctx has ended.
func (f *Feed) reopen(ctx context.Context) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(retryEvery):
		}
		s, err := open(f.cfg)
		if err == nil {
			f.source = s
			return true
		}
		f.cfg.OnState(err)
	}
}

// play hands out the frames of the open source and closes it.
func (f *Feed) play(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, f.source.Close()) }()
	index := -1
	for {
		raw, err := f.source.Read(ctx)
		if err != nil {
			return err
		}
		if index < 0 {
			f.cfg.OnState(nil)
		} else if raw.Index > index+1 {
			f.missed.Add(int64(raw.Index - index - 1))
		}
		index = raw.Index
		f.read.Add(1)
		raw.Picture = even(raw.Picture)
		lens, guessed, err := f.lens(raw.Picture.Rect.Dx(), raw.Picture.Rect.Dy())
		if err != nil {
			raw.Release()
			return err
		}
		shared := share(raw, lens, guessed)
		f.cfg.OnFrame(shared)
		shared.Release()
	}
}

// errShape is what does not mend itself by opening the camera again.
var errShape = errors.New("the lens of --lens is for pictures of another shape: calibrate the camera at the size it is used in")

// lens is the calibrated one, the source's own, or a guess, for pictures of w x h. The error says that the
// lens was calibrated for pictures of another shape.
func (f *Feed) lens(w, h int) (m camera.Model, guessed bool, err error) {
	m, ok := f.source.Camera()
	if f.cfg.Lens != (camera.Model{}) {
		m, ok = f.cfg.Lens, true
		if d := float64(m.Width)*float64(h) - float64(m.Height)*float64(w); math.Abs(d) > 2*float64(w+h) {
			return m, false, fmt.Errorf("%w; it has %dx%d, %s gives %dx%d", errShape, m.Width, m.Height, f.cfg.Spec, w, h)
		}
	}
	switch {
	case !ok && f.cfg.Guess.Width == w && f.cfg.Guess.Height == h:
		return f.cfg.Guess, true, nil
	case !ok:
		return camera.FromFOV(w, h, f.cfg.FOV*math.Pi/180), true, nil
	case m.Width-w > 1 || w > m.Width || m.Height-h > 1 || h > m.Height:
		return m.Resized(w, h), false, nil
	}
	m.Width, m.Height = w, h // cut to even sides
	return m, false, nil
}

// Close closes a feed that was not run.
func (f *Feed) Close() error { return f.source.Close() }

// Counts returns how many frames were read, and how many the source had to leave out before.
func (f *Feed) Counts() (read, missed int64) { return f.read.Load(), f.missed.Load() }
