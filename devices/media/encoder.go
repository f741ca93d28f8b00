package media

import (
	"errors"
	"fmt"
	"image"

	"github.com/pion/mediadevices/pkg/codec"
	"github.com/pion/mediadevices/pkg/codec/openh264"
	"github.com/pion/mediadevices/pkg/io/video"
	"github.com/pion/mediadevices/pkg/prop"
)

// EncoderConfig is what an encoder is made for.
type EncoderConfig struct {
	Width, Height int     // even numbers of pixels
	FPS           float64 // at most; 0 is 30
	BitRate       int     // bits per second; 0 is a good picture for the size and pace
	// KeyInterval is the number of frames from one key frame to the next; 0 is two seconds' worth, so that any
	// frame of a recording is soon decoded. Those who join in the middle ask for one (ForceKeyFrame).
	KeyInterval int
	// Whole gives every picture the same quality and leaves none out, however many bits that takes: for films
	// rather than networks. BitRate does not count then.
	Whole bool
}

// H264Encoder encodes pictures as constrained-baseline H.264 without delay: one access unit out for
// one picture in. One goroutine uses it.
type H264Encoder struct {
	config EncoderConfig
	codec  codec.ReadCloser
	next   *image.YCbCr // what the codec reads
}

// NewH264Encoder makes an encoder. It fails where the size is odd or out of reach.
func NewH264Encoder(c EncoderConfig) (*H264Encoder, error) {
	if c.Width < 16 || c.Height < 16 || c.Width%2 != 0 || c.Height%2 != 0 || c.Width > 3840 || c.Height > 2160 {
		return nil, fmt.Errorf("encoder: %dx%d pixels, want even numbers from 16x16 to 3840x2160", c.Width, c.Height)
	}
	if c.FPS <= 0 {
		c.FPS = defaultFPS
	}
	if c.BitRate <= 0 {
		c.BitRate = int(0.1 * float64(c.Width*c.Height) * c.FPS)
	}
	if c.KeyInterval <= 0 {
		c.KeyInterval = int(2 * c.FPS)
	}
	e := &H264Encoder{config: c}
	params, err := openh264.NewParams()
	if err != nil {
		return nil, fmt.Errorf("encoder: %w", err)
	}
	params.BitRate = c.BitRate
	params.RCMode = openh264.RCBitrateMode
	// Too many bits become a coarser picture first and, at the coarsest, a picture left out: without that
	// the codec overshoots a poor network's rate threefold, and what queues up there is delay.
	params.EnableFrameSkip = !c.Whole
	if c.Whole {
		params.RCMode = openh264.RCOffMode
	}
	params.IntraPeriod = uint(c.KeyInterval)
	// One slice, one thread: fewer packets, and the other cores are the tracker's.
	params.MultipleThreadIdc = 1
	params.SliceMode, params.SliceNum, params.SliceSizeConstraint = openh264.SMSingleSlice, 1, 0
	e.codec, err = params.BuildVideoEncoder(video.ReaderFunc(e.read), prop.Media{Video: prop.Video{
		Width: c.Width, Height: c.Height, FrameRate: float32(c.FPS)}})
	if err != nil {
		return nil, fmt.Errorf("encoder: %dx%d at %g fps and %d bit/s: %w", c.Width, c.Height, c.FPS, c.BitRate, err)
	}
	return e, nil
}

// read is how the codec takes its picture.
func (e *H264Encoder) read() (image.Image, func(), error) { return e.next, func() {}, nil }

// Encode returns the picture's access unit in Annex B, in memory of its own, and whether it is a key
// frame, which carries its parameter sets. An empty unit means that the codec left this picture out.
func (e *H264Encoder) Encode(p *image.YCbCr) (annexB []byte, key bool, err error) {
	switch {
	case e.codec == nil:
		return nil, false, errEncoderClosed
	case p.Rect.Dx() != e.config.Width || p.Rect.Dy() != e.config.Height:
		return nil, false, fmt.Errorf("encoder: picture of %dx%d, made for %dx%d", p.Rect.Dx(), p.Rect.Dy(), e.config.Width, e.config.Height)
	case p.SubsampleRatio != image.YCbCrSubsampleRatio420:
		return nil, false, fmt.Errorf("encoder: picture is %v, want 4:2:0", p.SubsampleRatio)
	}
	e.next = p
	annexB, _, err = e.codec.Read()
	e.next = nil
	if err != nil {
		return nil, false, fmt.Errorf("encoder: %w", err)
	}
	if !hasKeyFrame(annexB) {
		return annexB, false, nil
	}
	return withFullRange(annexB), true, nil
}

var errEncoderClosed = errors.New("the encoder is closed")

// ForceKeyFrame makes the next picture a key frame.
func (e *H264Encoder) ForceKeyFrame() {
	if c, ok := e.controller().(codec.KeyFrameController); ok {
		_ = c.ForceKeyFrame() // only sets a flag
	}
}

// SetBitRate sets the target from the next picture on, in bits per second; less than 50,000 is taken as
// that.
func (e *H264Encoder) SetBitRate(bitsPerSecond int) {
	if c, ok := e.controller().(codec.BitRateController); ok {
		_ = c.SetBitRate(max(bitsPerSecond, 50_000)) // has no way to fail
	}
}

func (e *H264Encoder) controller() codec.EncoderController {
	if e.codec == nil {
		return nil
	}
	return e.codec.Controller()
}

// Close frees the encoder.
func (e *H264Encoder) Close() error {
	if e.codec == nil {
		return nil
	}
	c := e.codec
	e.codec = nil
	return c.Close()
}
