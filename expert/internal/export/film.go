package export

import (
	"context"
	"errors"
	"fmt"
	"image"
	"sync"
	"time"

	"sightline/annotate/scene"
	"sightline/annotate/typeset"
	"sightline/devices/media"
	"sightline/expert/internal/blur"
	"sightline/expert/internal/call"
	"sightline/expert/internal/compose"
	"sightline/expert/internal/reel"
	"sightline/expert/internal/tape"
)

// film makes the composed film. A decoder, a composer and an encoder work one behind the other, each on a
// goroutine of its own: the decoder alone reads the case, the composer alone the rest of the tape.
type film struct {
	tape   *tape.Tape
	camera *tape.Camera
	others []*tape.Camera // for pictures in the picture
	sign   string         // on every picture; empty for none
	faces  *typeset.Faces
	size   image.Point
	fps    float64
	steps  []step
	damage int // frames that did not decode
	hide   map[*tape.Camera]*blur.Index
}

// newFilm lays a film out.
func newFilm(t *tape.Tape, c *tape.Camera, pip bool, sign string, faces *typeset.Faces) *film {
	f := &film{tape: t, camera: c, sign: sign, faces: faces, steps: plan(t, c)}
	f.size = image.Pt(min(3840, max(320, c.Width+c.Width%2)), min(2160, max(240, c.Height+c.Height%2)))
	if n := len(c.Shots); n > 1 {
		f.fps = float64(n-1) * 1e6 / float64(max(1, c.Shots[n-1].Session-c.Shots[0].Session))
	}
	f.fps = max(5, min(60, f.fps))
	if pip {
		for _, other := range t.Cameras {
			if other != c {
				f.others = append(f.others, other)
			}
		}
	}
	return f
}

// take is a step on its way.
type take struct {
	step
	frame  *call.Frame // nil for a card
	insets []inset
	sounds []media.AACPacket
	out    *image.YCbCr
}

// inset is a picture in the picture, of another camera.
type inset struct {
	camera *tape.Camera
	frame  *call.Frame
}

// underway is how many steps wait between two goroutines.
const underway = 4

// run makes the steps from one on and calls put with each, in order. It ends with the last, the first error,
// or ctx.
func (f *film) run(ctx context.Context, from int, put func(take, *media.H264Encoder) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	decoded, composed := make(chan take, underway), make(chan take, underway)
	var tasks sync.WaitGroup
	work := func(out chan take, do func() error) {
		tasks.Go(func() {
			defer close(out)
			if err := do(); err != nil {
				cancel(err)
			}
		})
	}
	work(decoded, func() error { return f.decode(ctx, from, decoded) })
	work(composed, func() error { return f.compose(ctx, decoded, composed) })
	err := f.encode(composed, put)
	if err != nil {
		cancel(err)
	}
	for t := range composed {
		t.release()
	}
	for t := range decoded {
		t.release()
	}
	tasks.Wait()
	err = context.Cause(ctx)
	cancel(nil)
	return err
}

func (t *take) release() {
	t.frame.Release()
	for _, i := range t.insets {
		i.frame.Release()
	}
	t.frame, t.insets = nil, nil
}

func send(ctx context.Context, to chan<- take, t take) error {
	select {
	case to <- t:
		return nil
	case <-ctx.Done():
		t.release()
		return context.Cause(ctx)
	}
}

// decode gives each step its pictures and the sound until the next.
func (f *film) decode(ctx context.Context, from int, to chan<- take) (err error) {
	main := reel.New(f.tape, f.camera, 0)
	reels := []*reel.Reel{main}
	for _, c := range f.others {
		reels = append(reels, reel.New(f.tape, c, 0))
	}
	defer func() {
		for _, r := range reels {
			err = errors.Join(err, r.Close())
		}
	}()
	if from >= len(f.steps) {
		return nil
	}
	sound, err := newSoundtrack(f.tape, f.steps[from].at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sound.close()) }()
	for _, s := range f.steps[from:] {
		t := take{step: s}
		if s.shot >= 0 {
			if t.frame, err = main.Frame(ctx, s.shot, nil); err != nil {
				f.damage++
				t.shot, t.title, t.reason = -1, "This picture is damaged", err.Error()
			}
		}
		for _, r := range reels[1:] {
			if i := r.Camera.At(f.tape.Start + s.at); i >= 0 && f.tape.Start+s.at-r.Camera.Shots[i].Session < 2*cardEvery {
				if p, err := r.Frame(ctx, i, nil); err == nil {
					t.insets = append(t.insets, inset{r.Camera, p})
				}
			}
		}
		if t.sounds, err = sound.until(s.until); err != nil {
			t.release()
			return err
		}
		if err := send(ctx, to, t); err != nil {
			return err
		}
	}
	return nil
}

// compose draws into each step's picture.
func (f *film) compose(ctx context.Context, from <-chan take, to chan<- take) error {
	c := compose.New(f.faces, f.size.X, f.size.Y)
	for t := range from {
		f.draw(c, &t)
		if err := send(ctx, to, t); err != nil {
			return err
		}
	}
	return nil
}

// draw draws one step.
func (f *film) draw(c *compose.Composer, t *take) {
	var in scene.Input
	var picture *image.YCbCr
	if t.frame != nil {
		picture = t.frame.Picture
		blur.Hide(picture, f.hide[f.camera].Boxes(f.camera.Shots[t.shot].Session))
		in = c.Scene(f.tape, f.camera, f.camera.Shots[t.shot])
	} else {
		picture = dark(f.size)
		in = c.Blank(f.tape, f.tape.Start+t.at)
	}
	in.Width, in.Height, in.Frame = float64(f.size.X), float64(f.size.Y), picture.Rect.Size()
	items := c.Builder.Build(in).Items
	if t.frame == nil {
		items = append(items, c.Card(t.title, t.reason)...)
	}
	if f.sign != "" {
		items = append(items, c.Sign(f.sign)...)
	}
	t.out = picture
	if picture.Rect.Size() != f.size {
		t.out = dark(f.size)
	}
	c.Draw(t.out, picture, f.insets(t), items)
}

// insets are the places of pictures in the picture: at the right edge, from below.
func (f *film) insets(t *take) []compose.Inset {
	var out []compose.Inset
	w := f.size.X / 4 &^ 1
	y := f.size.Y - f.size.Y/8
	for _, i := range t.insets {
		p := i.frame
		blur.Hide(p.Picture, f.hide[i.camera].Boxes(f.tape.Start+t.at))
		h := w * p.Size().Y / max(1, p.Size().X) &^ 1
		if y-h < 0 {
			break
		}
		out = append(out, compose.Inset{Picture: p.Picture, At: image.Rect(f.size.X-w-8, y-h, f.size.X-8, y)})
		y -= h + 8
	}
	return out
}

func dark(size image.Point) *image.YCbCr {
	p := image.NewYCbCr(image.Rect(0, 0, size.X, size.Y), image.YCbCrSubsampleRatio420)
	for i := range p.Y {
		p.Y[i] = 18
	}
	for i := range p.Cb {
		p.Cb[i], p.Cr[i] = 130, 127
	}
	return p
}

// encode gives each step to put, with the encoder.
func (f *film) encode(from <-chan take, put func(take, *media.H264Encoder) error) error {
	enc, err := media.NewH264Encoder(media.EncoderConfig{Width: f.size.X, Height: f.size.Y, FPS: f.fps, Whole: true, KeyInterval: int(2 * f.fps)})
	if err != nil {
		return err
	}
	for t := range from {
		err := put(t, enc)
		t.release()
		if err != nil {
			return errors.Join(err, enc.Close())
		}
	}
	return enc.Close()
}

// Speed is how a film was made.
type Speed struct {
	Film time.Duration // how long it plays
	Took time.Duration
}

// Multiple is how much faster than real time that was.
func (s Speed) Multiple() float64 { return s.Film.Seconds() / max(1e-9, s.Took.Seconds()) }

func (s Speed) String() string {
	return fmt.Sprintf("%s of film in %s, %.1f times real time", s.Film.Round(100*time.Millisecond), s.Took.Round(100*time.Millisecond), s.Multiple())
}
