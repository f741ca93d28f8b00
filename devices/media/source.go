package media

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sightline/devices"
	"sightline/vision/camera"
)

// Source is where frames come from. Read is called by one goroutine; Close by any, once, and it ends a
// Read that waits. Frames stay valid after Close until they are released.
type Source interface {
	// Read returns the next frame: io.EOF after the last one, an error that names the cause where the
	// source broke, or ctx's error. After an error that is not ctx's it returns the same again.
	Read(ctx context.Context) (devices.Frame, error)
	// Camera returns the lens, where the source knows it.
	Camera() (camera.Model, bool)
	// Close stops the source and waits until its goroutines are gone.
	Close() error
}

// Clock is the time that a source lives in.
type Clock interface {
	Now() time.Time
	After(time.Duration) <-chan time.Time
}

// Wall is the machine's own clock.
type Wall struct{}

// Now returns time.Now.
func (Wall) Now() time.Time { return time.Now() }

// After returns time.After.
func (Wall) After(d time.Duration) <-chan time.Time { return time.After(d) }

// Options are how a source plays. The zero value plays once, at the source's own pace.
type Options struct {
	// FPS is the pace of a sequence (0 is 30), the wish to a camera, and in place of a file's own
	// timestamps where it is not 0.
	FPS float64
	// Width and Height are the wish to a camera, 0 for 1280x720. Files and sequences have their own.
	Width, Height int
	// Loop starts again at the end. A damaged file ends with its error all the same.
	Loop bool
	// EveryFrame gives every frame as fast as it is read, without pace or loss, for work offline.
	// Captured then counts from when the source was opened, at the pace it would have had.
	EveryFrame bool
	// AnyLens opens a sequence without a camera.txt as well, as it is before its camera is calibrated.
	AnyLens bool
	// Clock is Wall where it is nil.
	Clock Clock
}

// defaultFPS is the pace of a source that names none.
const defaultFPS = 30

// Open opens a source by its name:
//
//	camera:0        the machine's camera /dev/video0; also camera:/dev/video2 or a part of its name
//	file:clip.mp4   a file that FFmpeg reads: MP4, MKV, WebM, GIF ...; clip.camera.txt beside it is the lens
//	seq:DIR         DIR/rgb/00000.png or .jpg and on, and the lens in DIR/camera.txt
//
// The error names the source and what to do about it.
func Open(spec string, opts Options) (Source, error) {
	if opts.Clock == nil {
		opts.Clock = Wall{}
	}
	kind, name, ok := strings.Cut(spec, ":")
	switch {
	case opts.FPS < 0 || opts.FPS > 1000:
		return nil, fmt.Errorf("source %q: %g frames per second, want up to 1000", spec, opts.FPS)
	case ok && name != "" && kind == "camera":
		return openCamera(name, opts)
	case ok && name != "" && kind == "file":
		return openFile(name, opts)
	case ok && name != "" && kind == "seq":
		return openSequence(name, opts)
	}
	return nil, fmt.Errorf("source %q: want camera:N, file:PATH or seq:DIR", spec)
}
