package media

import (
	"errors"
	"fmt"
	"image"
)

// Decoded is one picture of a decoder.
type Decoded struct {
	// Picture is valid until Release.
	Picture *image.YCbCr
	// Captured is the tag of the access unit that the picture came in.
	Captured int64
	// Damaged says that parts of the picture were lost and made up: what is seen there may be old.
	Damaged bool
	// Release gives the picture back; once, from any goroutine.
	Release func()
}

// H264Decoder turns access units into pictures, each as soon as its access unit is in. One goroutine
// uses it; the pictures are anybody's.
type H264Decoder struct {
	handle *videoHandle
	pool   pool
}

var errDecoderClosed = errors.New("the decoder is closed")

// NewH264Decoder makes a decoder. It fails where libavcodec was built without H.264.
func NewH264Decoder() (*H264Decoder, error) {
	h, err := newH264Handle()
	if err != nil {
		return nil, err
	}
	return &H264Decoder{handle: h}, nil
}

// Decode gives one access unit in Annex B and returns the pictures that are ready: usually that unit's
// own, none before the first key frame. The size may change at any key frame. After an error the decoder
// goes on with the next unit; the pictures returned beside an error are good.
func (d *H264Decoder) Decode(au []byte, captured int64) ([]Decoded, error) {
	if err := d.takes(au); err != nil {
		return nil, err
	}
	err := d.handle.send(au, captured)
	if err != nil {
		err = fmt.Errorf("access unit of frame %d does not decode: %w", captured, err)
	}
	var out []Decoded
	for {
		ok, rerr := d.handle.receive()
		if rerr != nil {
			return out, errors.Join(err, fmt.Errorf("access unit of frame %d does not decode: %w", captured, rerr))
		}
		if !ok {
			return out, err
		}
		picture, release := d.pool.get(d.handle.size())
		if cerr := d.handle.copyTo(picture); cerr != nil {
			release()
			return out, fmt.Errorf("picture of frame %d: %w", captured, cerr)
		}
		out = append(out, Decoded{picture, d.handle.pts(), d.handle.damaged(), release})
	}
}

// Skim decodes an access unit that later ones refer to, without its pictures: on the way to another frame.
func (d *H264Decoder) Skim(au []byte, captured int64) error {
	if err := d.takes(au); err != nil {
		return err
	}
	err := d.handle.send(au, captured)
	for {
		if ok, rerr := d.handle.receive(); !ok || rerr != nil {
			err = errors.Join(err, rerr)
			break
		}
	}
	if err != nil {
		return fmt.Errorf("access unit of frame %d does not decode: %w", captured, err)
	}
	return nil
}

// takes says whether an access unit can be given to the decoder.
func (d *H264Decoder) takes(au []byte) error {
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
func (d *H264Decoder) Close() error {
	if d.handle != nil {
		d.handle.free()
		d.handle = nil
	}
	return nil
}
