// Package send brings pictures and sound to the relay: it encodes them and hands them to the tracks.
package send

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"sync/atomic"

	"sightline/field/internal/capture"
	"sightline/field/internal/latest"
	"sightline/relay/client"
)

// VideoTrack is where access units go (relay/client's LocalTrack).
type VideoTrack interface {
	WriteFrame(annexB []byte, captured int64) error
}

// Video encodes frames, in several sizes where they are asked for. Run has a goroutine of its own; everything else may be
// called from any.
type Video struct {
	// OnSize hears how large the picture of each size is, before its first; Record gets the largest size that is
	// encoded, as it is sent. Both are called by Run, and set before; nil: nobody hears.
	OnSize func(i int, size image.Point)
	Record func(annexB []byte, captured int64)

	log    *slog.Logger
	fps    float64
	frames *latest.Box[capture.Frame]
	sizes  []*size
	best   int // the largest size that was encoded last; Run's

	encoded, skipped, sent, offline atomic.Int64
}

// NewVideo makes the encoder's end. fps is the most that is expected, bitrates the bits per second to begin with: of
// the whole picture, of half its width and height, and so on.
func NewVideo(fps float64, log *slog.Logger, bitrates ...int) *Video {
	v := &Video{log: log, fps: fps, frames: latest.New(capture.Frame.Release)}
	for _, rate := range bitrates {
		s := &size{}
		s.rate.Store(int64(rate))
		v.sizes = append(v.sizes, s)
	}
	return v
}

// Put hands over a frame, which is released when it is encoded, or when a newer one comes first.
func (v *Video) Put(f capture.Frame) { v.frames.Put(f) }

// End lets Run return after the last frame.
func (v *Video) End() { v.frames.End() }

// ForceKeyFrame makes the next picture of a size a key frame.
func (v *Video) ForceKeyFrame(i int) { v.sizes[i].key.Store(true) }

// ForceKeyFrames makes the next picture of every size one.
func (v *Video) ForceKeyFrames() {
	for i := range v.sizes {
		v.ForceKeyFrame(i)
	}
}

// SetBitRate sets the bits per second to encode a size at; 0: it is not encoded.
func (v *Video) SetBitRate(i, bps int) { v.sizes[i].rate.Store(int64(bps)) }

// Run encodes and sends until End, each size on its track. An error means that the codec cannot be used for this picture.
func (v *Video) Run(tracks ...VideoTrack) (err error) {
	defer func() {
		for _, s := range v.sizes {
			err = errors.Join(err, s.close())
		}
		v.frames.End()
		if f, ok, _ := v.frames.Take(); ok {
			f.Release()
		}
	}()
	for {
		f, ok := v.frames.Get(context.Background())
		if !ok {
			return nil
		}
		err := v.frame(f, tracks)
		f.Release()
		if err != nil {
			return err
		}
	}
}

// frame encodes one frame in all the sizes that are wanted.
func (v *Video) frame(f capture.Frame, tracks []VideoTrack) error {
	for _, s := range v.sizes {
		s.made = false
	}
	best := -1
	for i, s := range v.sizes {
		if !s.fit(f.Picture, i) || s.rate.Load() == 0 {
			s.idle = true
			continue
		}
		if best < 0 {
			if best = i; best != v.best { // what is recorded goes on with a key frame
				s.key.Store(true)
			}
			v.best = best
		}
		au, err := v.encode(i, f)
		if err != nil {
			return fmt.Errorf("frame %d: %w", f.Index, err)
		}
		v.send(au, f.Captured, tracks[i], i == best)
	}
	return nil
}

// encode encodes a frame in one size.
func (v *Video) encode(i int, f capture.Frame) ([]byte, error) {
	s, picture := v.sizes[i], v.smaller(i, f.Picture)
	fresh, err := s.open(picture.Rect.Size(), v.fps)
	if err != nil {
		return nil, err
	}
	if fresh && v.OnSize != nil {
		v.OnSize(i, picture.Rect.Size())
	}
	au, _, err := s.encoder.Encode(picture)
	return au, err
}

func (v *Video) send(au []byte, captured int64, track VideoTrack, best bool) {
	if len(au) == 0 {
		if best {
			v.skipped.Add(1)
		}
		return
	}
	if best && v.Record != nil {
		v.Record(au, captured)
	}
	err := track.WriteFrame(au, captured)
	if err != nil && !errors.Is(err, client.ErrOffline) && !errors.Is(err, client.ErrClosed) {
		v.log.Warn("a frame was not sent", "err", err)
	}
	if !best {
		return
	}
	v.encoded.Add(1)
	switch {
	case err == nil:
		v.sent.Add(1)
	case errors.Is(err, client.ErrOffline):
		v.offline.Add(1)
	}
}

// VideoCounts is what became of the frames, in the largest size that was sent.
type VideoCounts struct {
	Dropped int   `json:"encoder_dropped"` // not taken in time
	Encoded int64 `json:"encoded"`
	Skipped int64 `json:"encoded_skipped"` // left out by the codec to keep the rate
	Sent    int64 `json:"sent"`
	Offline int64 `json:"offline"` // encoded while there was nowhere to send to
}

// Counts returns what became of the frames so far.
func (v *Video) Counts() VideoCounts {
	return VideoCounts{v.frames.Dropped(), v.encoded.Load(), v.skipped.Load(), v.sent.Load(), v.offline.Load()}
}
