package send

import (
	"image"
	"sync/atomic"

	"sightline/devices/media"
)

// size is one of the sizes in which a picture is sent. What is not atomic is Run's.
type size struct {
	key  atomic.Bool
	rate atomic.Int64 // bits per second; 0: it is not encoded

	encoder *media.H264Encoder
	of      image.Point
	set     int64 // the rate that the encoder has
	idle    bool  // it was not encoded for a while
	scaled  *image.YCbCr
	made    bool // scaled is of the frame that is encoded
}

// leastWidth is what a size must have, in pixels: smaller ones show nothing.
const leastWidth = 80

// fit says whether the picture is large enough for the size, which is halved so many times.
func (s *size) fit(p *image.YCbCr, halved int) bool {
	return halved == 0 || p.Rect.Dx()>>halved >= leastWidth && p.Rect.Dy()>>halved >= leastWidth/2
}

// open sees that there is an encoder for the picture, with its rate, and says whether it is a new one.
func (s *size) open(of image.Point, fps float64) (fresh bool, err error) {
	rate := s.rate.Load()
	if of != s.of || s.encoder == nil {
		if err := s.close(); err != nil {
			return false, err
		}
		s.encoder, err = media.NewH264Encoder(media.EncoderConfig{Width: of.X, Height: of.Y, FPS: fps, BitRate: int(rate)})
		if err != nil {
			return false, err
		}
		s.of, s.set, fresh = of, rate, true
	}
	if rate != s.set && rate > 0 {
		s.set = rate
		s.encoder.SetBitRate(int(rate))
	}
	if s.key.Swap(false) || s.idle {
		s.encoder.ForceKeyFrame()
	}
	s.idle = false
	return fresh, nil
}

func (s *size) close() error {
	if s.encoder == nil {
		return nil
	}
	e := s.encoder
	s.encoder = nil
	return e.Close()
}

// smaller returns the picture halved i times. Each size is made of the next larger one, once for each picture.
func (v *Video) smaller(i int, p *image.YCbCr) *image.YCbCr {
	if i == 0 {
		return p
	}
	s := v.sizes[i]
	if !s.made {
		s.scaled, s.made = media.Halve(s.scaled, v.smaller(i-1, p)), true
	}
	return s.scaled
}
