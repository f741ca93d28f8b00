package media

import (
	"context"
	"errors"
	"image"
	"io"
	"sync"
	"time"

	"sightline/devices"
	"sightline/vision/camera"
)

// clip is a recording that a player plays: pictures in order, each with its time since the first. One
// goroutine calls it. next returns io.EOF at the end; rewind goes back to the first picture.
type clip interface {
	next() (picture *image.YCbCr, at time.Duration, release func(), err error)
	rewind() error
	// interval is the usual time between two pictures.
	interval() time.Duration
	close()
}

// errClosed is what Read returns after Close.
var errClosed = errors.New("the source is closed")

// player makes a camera of a clip. One goroutine decodes ahead, another delivers at the clip's pace.
type player struct {
	clip  clip
	opts  Options
	lens  camera.Model
	known bool

	decoded chan decodedPicture
	box     *mailbox
	cancel  context.CancelFunc
	stopped context.Context
	wait    sync.WaitGroup
	closing sync.Once

	// of the reader, with EveryFrame
	start time.Time
	last  error
}

type decodedPicture struct {
	picture *image.YCbCr
	at      time.Duration
	index   int
	release func()
	err     error // then the rest is empty
}

// ahead is how many pictures are decoded before they are due.
const ahead = 3

// behind is how late a picture may be before the clip's time is stretched instead of run after.
const behind = 250 * time.Millisecond

func play(c clip, lens camera.Model, known bool, opts Options) *player {
	ctx, cancel := context.WithCancel(context.Background())
	p := &player{clip: c, opts: opts, lens: lens, known: known, decoded: make(chan decodedPicture, ahead),
		box: newMailbox(), cancel: cancel, stopped: ctx, start: opts.Clock.Now()}
	p.wait.Go(func() { p.decode(ctx) })
	if !opts.EveryFrame {
		p.wait.Go(func() { p.deliver(ctx) })
	}
	return p
}

// Camera returns the lens of the clip.
func (p *player) Camera() (camera.Model, bool) { return p.lens, p.known }

// Close stops both goroutines and waits for them.
func (p *player) Close() error {
	p.closing.Do(func() {
		p.cancel()
		p.wait.Wait()
		p.box.end(errClosed)
		p.box.drain()
		for d := range p.decoded {
			d.drop()
		}
		p.clip.close()
	})
	return nil
}

func (d decodedPicture) drop() {
	if d.release != nil {
		d.release()
	}
}

// decode runs ahead of the pace until the end of the clip, and over again where it loops.
func (p *player) decode(ctx context.Context) {
	defer close(p.decoded)
	var offset, end time.Duration
	for index := 0; ; {
		picture, at, release, err := p.clip.next()
		if err == nil {
			at += offset
			end = at + p.clip.interval()
		} else if errors.Is(err, io.EOF) && p.opts.Loop && end > offset {
			offset = end
			if err = p.clip.rewind(); err == nil {
				continue
			}
		}
		select {
		case p.decoded <- decodedPicture{picture, at, index, release, err}:
		case <-ctx.Done():
			decodedPicture{release: release}.drop()
			return
		}
		if err != nil {
			return
		}
		index++
	}
}

// deliver puts each picture into the mailbox when it is due, as a camera would.
func (p *player) deliver(ctx context.Context) {
	clock := p.opts.Clock
	start := clock.Now()
	var last int64
	for d := range p.decoded {
		if d.err != nil {
			p.box.end(d.err)
			return
		}
		due := start.Add(d.at)
		if wait := due.Sub(clock.Now()); wait > 0 {
			select {
			case <-clock.After(wait):
			case <-ctx.Done():
				d.drop()
				return
			}
		} else if -wait > behind {
			start = start.Add(-wait)
			due = due.Add(-wait)
		}
		last = max(last+1, due.UnixMicro())
		p.box.put(devices.Frame{Picture: d.picture, Captured: last, Index: d.index, OnRelease: d.release})
	}
}

// Read returns the newest picture, or with EveryFrame the next.
func (p *player) Read(ctx context.Context) (devices.Frame, error) {
	if !p.opts.EveryFrame {
		return p.box.get(ctx)
	}
	if p.last != nil {
		return devices.Frame{}, p.last
	}
	select {
	case d, ok := <-p.decoded:
		switch {
		case !ok:
			return devices.Frame{}, errClosed
		case d.err != nil:
			p.last = d.err
			return devices.Frame{}, d.err
		}
		// Two pictures may carry one time in a file: the index keeps their names apart.
		captured := p.start.Add(d.at).UnixMicro() + int64(d.index)
		return devices.Frame{Picture: d.picture, Captured: captured, Index: d.index, OnRelease: d.release}, nil
	case <-ctx.Done():
		return devices.Frame{}, ctx.Err()
	case <-p.stopped.Done():
		return devices.Frame{}, errClosed
	}
}
