package view

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"sync"

	"sightline/devices/media"
	"sightline/field/internal/latest"
)

// filmFPS is the most frames per second that are written to a film.
const filmFPS = 30

// Film writes composed pictures to an MP4, on a goroutine of its own. Pictures that come faster than they
// are encoded are left out.
type Film struct {
	out     *media.MP4Writer
	encoder *media.H264Encoder
	shots   *latest.Box[shot]
	pool    sync.Pool
	done    chan struct{}
	err     error
	last    int64 // captured, of the newest that was taken
	written int
}

type shot struct {
	picture  *image.RGBA
	captured int64
}

// NewFilm creates the file and starts.
func NewFilm(path string) (*Film, error) {
	out, err := media.NewMP4Writer(path)
	if err != nil {
		return nil, fmt.Errorf("--compose %s: %w", path, err)
	}
	enc, err := media.NewH264Encoder(media.EncoderConfig{Width: Width, Height: Height, FPS: filmFPS, BitRate: 3_000_000})
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	f := &Film{out: out, encoder: enc, done: make(chan struct{})}
	f.pool.New = func() any { return image.NewRGBA(image.Rect(0, 0, Width, Height)) }
	f.shots = latest.New(func(s shot) { f.pool.Put(s.picture) })
	go f.run()
	return f, nil
}

// Take copies a picture for the film. captured is its time in microseconds, and grows.
func (f *Film) Take(p *image.RGBA, captured int64) {
	if captured-f.last < 1_000_000/filmFPS*6/10 {
		return
	}
	f.last = captured
	own := f.pool.Get().(*image.RGBA)
	copy(own.Pix, p.Pix)
	f.shots.Put(shot{own, captured})
}

func (f *Film) run() {
	defer close(f.done)
	for {
		s, ok := f.shots.Get(context.Background())
		if !ok {
			return
		}
		if f.err == nil {
			f.err = f.write(s)
		}
		f.pool.Put(s.picture)
	}
}

func (f *Film) write(s shot) error {
	au, _, err := f.encoder.Encode(media.FromImage(s.picture))
	if err != nil {
		return err
	}
	if len(au) > 0 {
		f.written++
	}
	return f.out.Write(au, s.captured)
}

// Close writes what is left and returns how many pictures the film has, with the first error there was.
func (f *Film) Close() (written int, err error) {
	f.shots.End()
	<-f.done
	return f.written, errors.Join(f.err, f.encoder.Close(), f.out.Close())
}

// WritePNG writes a picture to a file.
func WritePNG(path string, p image.Image) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("--screenshot: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return png.Encode(f, p)
}
