package media

import (
	"errors"
	"fmt"
	"image"
	"math"
)

// Decoded is one picture of a decoder.
type Decoded struct {
	// Picture is valid until Release.
	Picture *image.YCbCr
	// Tag is that of the access unit that the picture came in; the live call's is when it was captured.
	Tag int64
	// Damaged says that parts of the picture were lost and made up: what is seen there may be old.
	Damaged bool
	// Release gives the picture back; once, from any goroutine.
	Release func()
}

// Decoder turns access units into pictures. One goroutine uses it; the pictures are anybody's.
type Decoder struct {
	handle *videoHandle
	pool   pool
	from   int64 // pictures with a smaller tag are not wanted
}

var errDecoderClosed = errors.New("the decoder is closed")

// NewDecoder makes a decoder for a codec, named as tracks name it: video/H264, video/VP8, video/VP9, video/AV1.
// With one thread each picture comes with its own access unit; with more, that many are decoded at once, and
// each comes some units later: for recordings.
func NewDecoder(codec string, threads int) (*Decoder, error) {
	h, err := newDecoderHandle(codec, threads)
	if err != nil {
		return nil, err
	}
	return &Decoder{handle: h, from: math.MinInt64}, nil
}

// Decode gives one access unit, H.264 in Annex B, and returns the pictures that are ready: none before the
// first key frame. The size may change at any key frame. After an error the decoder goes on with the next
// unit; the pictures returned beside an error are good.
func (d *Decoder) Decode(au []byte, tag int64) ([]Decoded, error) {
	if err := d.takes(au); err != nil {
		return nil, err
	}
	err := d.handle.send(au, tag)
	out, rerr := d.receive()
	if err = errors.Join(err, rerr); err != nil {
		err = fmt.Errorf("access unit of frame %d does not decode: %w", tag, err)
	}
	return out, err
}

// Want says that pictures with a smaller tag are only decoded for the sake of later ones.
func (d *Decoder) Want(from int64) { d.from = from }

// Drain returns the pictures that are under way. The next unit has to be a key frame.
func (d *Decoder) Drain() ([]Decoded, error) {
	if d.handle == nil {
		return nil, errDecoderClosed
	}
	d.handle.drain()
	out, err := d.receive()
	d.handle.reset()
	return out, err
}

// Reset forgets what is under way. The next unit has to be a key frame.
func (d *Decoder) Reset() {
	if d.handle != nil {
		d.handle.reset()
	}
}

// receive returns the pictures that are ready.
func (d *Decoder) receive() (out []Decoded, err error) {
	for {
		ok, err := d.handle.receive()
		if !ok || err != nil {
			return out, err
		}
		if d.handle.pts() < d.from {
			continue
		}
		picture, release := d.pool.get(d.handle.size())
		if err := d.handle.copyTo(picture); err != nil {
			release()
			return out, fmt.Errorf("picture of frame %d: %w", d.handle.pts(), err)
		}
		out = append(out, Decoded{picture, d.handle.pts(), d.handle.damaged(), release})
	}
}

// takes says whether an access unit can be given to the decoder.
func (d *Decoder) takes(au []byte) error {
	switch {
	case d.handle == nil:
		return errDecoderClosed
	case len(au) == 0:
		return errors.New("access unit is empty")
	case len(au) > maxAccessUnit:
		return fmt.Errorf("access unit of %d bytes, at most %d", len(au), maxAccessUnit)
	}
	return nil
}

// maxAccessUnit is the most that one access unit may have: level 5.2 allows no more.
const maxAccessUnit = 16 << 20

// Close frees the decoder. Pictures that are out stay valid.
func (d *Decoder) Close() error {
	if d.handle != nil {
		d.handle.free()
		d.handle = nil
	}
	return nil
}
