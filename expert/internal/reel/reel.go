// Package reel shows any frame of a recorded camera: it decodes from the key frame before, and keeps what it
// decoded last, so that a film is read on and a step back is short.
package reel

import (
	"fmt"
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
	dec    *media.H264Decoder
	at     int // the frame that was decoded last, -1 for none
	keep   int
	kept   []print // the latest last
}

// print is a decoded frame.
type print struct {
	index int
	frame *call.Frame
}

// New makes a reel that keeps the last frames it decoded, at least one. Close it afterwards.
func New(t *tape.Tape, c *tape.Camera, keep int) *Reel {
	return &Reel{Camera: c, tape: t, at: -1, keep: max(1, keep)}
}

// Close frees the decoder; frames that are out stay valid.
func (r *Reel) Close() error {
	for _, p := range r.kept {
		p.frame.Release()
	}
	r.kept = nil
	return r.drop()
}

// drop begins anew.
func (r *Reel) drop() error {
	r.at = -1
	if r.dec == nil {
		return nil
	}
	err := r.dec.Close()
	r.dec = nil
	return err
}

// near is how many frames before the wanted one are kept too, for steps back.
const near = 12

// Frame returns a frame by its index among the camera's; the caller releases it. Where it does not decode,
// the error says why, and the next call begins anew.
func (r *Reel) Frame(i int) (*call.Frame, error) {
	for _, p := range r.kept {
		if p.index == i {
			return p.frame.Keep(), nil
		}
	}
	if i < 0 || i >= len(r.Camera.Shots) {
		return nil, fmt.Errorf("frame %d of %d", i, len(r.Camera.Shots))
	}
	from := r.Camera.Key(i)
	if from < 0 {
		return nil, fmt.Errorf("%s: frame %d has no key frame before it", r.Camera.Name, i)
	}
	onward := r.at >= from-1 && r.at < i && r.at >= 0 && r.Camera.Shots[r.at].File == r.Camera.Shots[i].File
	if r.dec == nil || !onward {
		if err := r.begin(i); err != nil {
			return nil, err
		}
	} else {
		from = r.at + 1
	}
	for k := from; k <= i; k++ {
		if err := r.decode(k, i); err != nil {
			_ = r.drop()
			return nil, err
		}
	}
	if n := len(r.kept); n > 0 && r.kept[n-1].index == i {
		return r.kept[n-1].frame.Keep(), nil
	}
	return nil, fmt.Errorf("%s: frame %d gives no picture", r.Camera.Name, i)
}

// begin makes a decoder for the file of a frame.
func (r *Reel) begin(i int) (err error) {
	f := r.Camera.Files[r.Camera.Shots[i].File]
	if !strings.EqualFold(f.Codec, "video/H264") {
		return fmt.Errorf("%s is %s: this program shows H.264 only; the file plays in others as it is", f.File, f.Codec)
	}
	if err := r.drop(); err != nil {
		return err
	}
	r.dec, err = media.NewH264Decoder()
	return err
}

// decode decodes one frame on the way to another.
func (r *Reel) decode(k, wanted int) error {
	s := r.Camera.Shots[k]
	data, err := r.tape.Data(r.Camera.Files, s)
	if err != nil {
		return err
	}
	r.at = k
	if wanted-k > near {
		_ = r.dec.Skim(data, s.Captured) // the next may be whole again; a damaged picture says so itself
		return nil
	}
	pictures, err := r.dec.Decode(data, s.Captured)
	for _, p := range pictures {
		f := call.NewFrame(r.Camera.Participant, p.Picture, p.Captured, time.UnixMicro(r.tape.UTC(s.Session)), p.Release)
		f.Damaged = p.Damaged
		r.remember(print{k, f})
	}
	if k < wanted {
		return nil // as above
	}
	return err
}

func (r *Reel) remember(p print) {
	r.kept = append(r.kept, p)
	for len(r.kept) > r.keep {
		r.kept[0].frame.Release()
		r.kept = r.kept[1:]
	}
}
