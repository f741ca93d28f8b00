// Package reel shows any frame of a recorded camera: it decodes from the key frame before it on several cores,
// and keeps what it decoded near there, so that a film is read on and a step back is short.
package reel

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"sightline/devices/media"
	"sightline/expert/internal/call"
	"sightline/expert/internal/tape"
)

// Reel is one camera of a tape. One goroutine uses it; its frames are anybody's.
type Reel struct {
	Camera *tape.Camera
	tape   *tape.Tape
	dec    *media.Decoder
	codec  string // dec's
	next   int    // the frame that the decoder is given next, none before it begins
	gone   int    // the last frame of which no picture will come out any more
	wanted int    // of frames before this one the decoder gives no pictures
	kept   shelf
}

// none is no frame.
const none = -1

const (
	// near is how many frames before the wanted one are kept too, for steps back.
	near = 12
	// far is how many frames to decode make it worth to show the key frame first.
	far = 8
	// late is how many frames a picture may come after its own access unit.
	late = 32
)

// threads is how many frames are decoded at once; more than four hold more back than they gain.
func threads() int { return min(4, runtime.GOMAXPROCS(0)) }

// New makes a reel that keeps the pictures it decoded last, up to so many bytes; 0 is for who reads on and on.
// Close it afterwards.
func New(t *tape.Tape, c *tape.Camera, keep int) *Reel {
	return &Reel{Camera: c, tape: t, next: none, gone: none, kept: shelf{budget: keep}}
}

// Close frees the decoder; frames that are out stay valid.
func (r *Reel) Close() error {
	r.kept.clear()
	if r.dec == nil {
		return nil
	}
	err := r.dec.Close()
	r.dec = nil
	return err
}

// Frame returns a frame by its index among the camera's; the caller releases it. Where it takes a while, early is
// given the key frame before it first; early may be nil. Where the frame does not decode, the error says why.
// With the end of ctx it stops where it is; a later frame goes on from there.
func (r *Reel) Frame(ctx context.Context, i int, early func(index int, f *call.Frame)) (*call.Frame, error) {
	if f := r.kept.get(i); f != nil {
		return f.Keep(), nil
	}
	if i < 0 || i >= len(r.Camera.Shots) {
		return nil, fmt.Errorf("frame %d of %d", i, len(r.Camera.Shots))
	}
	from := r.Camera.Key(i)
	if from < 0 {
		return nil, fmt.Errorf("%s: frame %d has no key frame before it", r.Camera.Name, i)
	}
	if early != nil && i-from > far && !r.onward(from, i) {
		if f := r.kept.get(from); f != nil {
			early(from, f.Keep())
			early = nil
		}
	} else {
		early = nil
	}
	want := i
	if r.kept.budget > 0 {
		want = max(from, i-near)
	}
	if err := r.seek(from, i, want, early != nil); err != nil {
		return nil, err
	}
	return r.decode(ctx, i, want, early)
}

// onward says whether a frame comes out of the decoder if it goes on.
func (r *Reel) onward(from, i int) bool {
	return r.dec != nil && r.next > from && i > max(r.gone, r.passed())
}

// passed is the last frame that was given to the decoder and not wanted of it.
func (r *Reel) passed() int { return min(r.wanted, r.next) - 1 }

// want has the decoder give pictures from a frame on.
func (r *Reel) want(i int) {
	r.gone, r.wanted = max(r.gone, r.passed()), i
	r.dec.Want(int64(i))
}

// seek sees to it that the decoder goes on towards frame i, from its key frame where need be.
func (r *Reel) seek(from, i, want int, key bool) error {
	if r.onward(from, i) {
		r.want(want)
		return nil
	}
	f := r.Camera.Files[r.Camera.Shots[i].File]
	if r.dec != nil && !strings.EqualFold(r.codec, f.Codec) {
		if err := r.dec.Close(); err != nil {
			return err
		}
		r.dec = nil
	}
	if r.dec == nil {
		var err error
		if r.dec, err = media.NewDecoder(f.Codec, threads()); err != nil {
			return fmt.Errorf("%s: %w; the file plays in others as it is", f.File, err)
		}
		r.codec = f.Codec
	}
	r.dec.Reset()
	if key {
		want = from
	}
	r.next, r.wanted = from, from
	r.want(want)
	r.gone = from - 1
	return nil
}

// decode goes on until the picture of frame i is out.
func (r *Reel) decode(ctx context.Context, i, want int, early func(int, *call.Frame)) (*call.Frame, error) {
	file := r.Camera.Shots[i].File
	var fault error
	for ended := false; !ended && r.next <= i+late; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		pictures, err := r.feed(file, i)
		if ended = r.next == none; err != nil {
			fault = err // the next may be whole again; a damaged picture says so itself
		}
		for _, p := range pictures {
			f := r.frame(p)
			r.kept.put(int(p.Tag), f, i)
			if early != nil {
				early(int(p.Tag), f.Keep())
				r.want(want)
				early = nil
			}
		}
		if f := r.kept.get(i); f != nil {
			return f.Keep(), nil
		}
	}
	if fault == nil {
		fault = fmt.Errorf("%s: frame %d gives no picture", r.Camera.Name, i)
	}
	return nil, fault
}

// feed gives the decoder its next access unit on the way to frame i; after the last of a file it takes out what
// is under way, and next is none.
func (r *Reel) feed(file, i int) ([]media.Decoded, error) {
	if r.next < len(r.Camera.Shots) && r.Camera.Shots[r.next].File == file {
		data, err := r.tape.Data(r.Camera.Files, r.Camera.Shots[r.next])
		if err == nil {
			r.next++
			return r.dec.Decode(data, int64(r.next-1))
		}
		if r.next <= i {
			r.next = none
			return nil, err
		}
	}
	r.next = none
	return r.dec.Drain()
}

// frame is a decoded picture as a call has it.
func (r *Reel) frame(p media.Decoded) *call.Frame {
	r.gone = max(r.gone, int(p.Tag))
	s := r.Camera.Shots[p.Tag]
	f := call.NewFrame(r.Camera.Participant, p.Picture, s.Captured, time.UnixMicro(r.tape.UTC(s.Session)), p.Release)
	f.Damaged = p.Damaged
	return f
}

// Fill decodes what comes before a frame in its group and keeps as much of it as there is room for, so that
// every step back is at hand. It ends early with ctx.
func (r *Reel) Fill(ctx context.Context, i int) {
	if i < 0 || i >= len(r.Camera.Shots) || r.kept.get(i) == nil {
		return
	}
	from := r.Camera.Key(i)
	first := max(from, i-r.kept.room(r.kept.get(i))+1)
	if from < 0 || r.kept.all(first, i) || r.seek(from, i, first, false) != nil {
		return
	}
	file := r.Camera.Shots[i].File
	for r.gone < i && r.next != none && r.next <= i+late && ctx.Err() == nil {
		pictures, _ := r.feed(file, i) // what does not decode is told of when it is asked for
		for _, p := range pictures {
			r.kept.put(int(p.Tag), r.frame(p), i)
		}
	}
}
