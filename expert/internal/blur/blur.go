// Package blur makes faces in recorded pictures unrecognisable. It looks for them several times a second in the whole
// recording first, so that a face is hidden from before it was found until after it was lost. It misses some: see
// sightline/vision/faces.
package blur

import (
	"context"
	"image"
	"runtime"
	"slices"
	"sync"

	"sightline/expert/internal/reel"
	"sightline/expert/internal/tape"
	"sightline/vision/faces"
)

// Index is where the faces of one camera are. It is safe for use by several goroutines.
type Index struct {
	tracks []track
}

// Times, µs of session time.
const (
	every  = 200_000   // a picture is looked at
	bridge = 1_200_000 // a face that was missed for so long is the same
	around = 700_000   // a face is hidden before it was found and after it was lost
)

// grow is how much of its size a face's box grows to each side: hair, ears, chin, and what it moved.
const grow = 0.3

// track is one face on its way.
type track struct {
	at  []int64 // session time, ascending
	box []image.Rectangle
}

// look is what was found in one picture.
type look struct {
	at    int64
	boxes []image.Rectangle
}

// New looks for the faces of a camera. told hears how far it is, from 0 to 1, on this goroutine; what does not decode
// is passed over. It uses all cores. It ends early, with its error, with ctx.
func New(ctx context.Context, t *tape.Tape, c *tape.Camera, told func(done float64)) (*Index, error) {
	pictures := make(chan picture)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	var mu sync.Mutex
	var looks []look
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			found, err := search(pictures)
			if err != nil {
				cancel(err)
				for range pictures { // so that nobody waits
				}
			}
			mu.Lock()
			defer mu.Unlock()
			looks = append(looks, found...)
		})
	}
	err := feed(ctx, t, c, pictures, told)
	close(pictures)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(looks, func(a, b look) int { return int(a.at - b.at) })
	return &Index{tracks: link(looks)}, nil
}

// picture is one to look at.
type picture struct {
	at    int64
	grey  *image.Gray
	tilts []float64
}

// feed sends the pictures that are looked at.
func feed(ctx context.Context, t *tape.Tape, c *tape.Camera, to chan<- picture, told func(float64)) error {
	r := reel.New(t, c, 0)
	defer func() { _ = r.Close() }() // only frees memory
	turn := 0
	last := int64(-every)
	for i, s := range c.Shots {
		if s.Session-last < every {
			continue
		}
		f, err := r.Frame(ctx, i, nil)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			continue
		}
		last = s.Session
		p := f.Picture
		grey := image.NewGray(image.Rectangle{Max: p.Rect.Size()})
		for y := range grey.Rect.Dy() {
			copy(grey.Pix[y*grey.Stride:][:grey.Rect.Dx()], p.Y[y*p.YStride:])
		}
		f.Release()
		turn++
		select {
		case to <- picture{s.Session, grey, []float64{faces.Upright, []float64{faces.Left, faces.Right}[turn%2]}}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		told(float64(i+1) / float64(len(c.Shots)))
	}
	return nil
}

// search looks for faces until there are no more pictures.
func search(in <-chan picture) (out []look, err error) {
	finder, err := faces.New()
	if err != nil {
		return nil, err
	}
	for p := range in {
		l := look{at: p.at}
		for _, f := range finder.Find(p.grey, p.tilts...) {
			l.boxes = append(l.boxes, f.Box)
		}
		out = append(out, l)
	}
	return out, nil
}

// Boxes returns what is to be hidden at an instant, in pixels of the camera.
func (x *Index) Boxes(session int64) (out []image.Rectangle) {
	if x == nil {
		return nil
	}
	for _, t := range x.tracks {
		if b, ok := t.where(session); ok {
			out = append(out, b)
		}
	}
	return out
}

// Faces is how many were followed.
func (x *Index) Faces() int {
	if x == nil {
		return 0
	}
	return len(x.tracks)
}
