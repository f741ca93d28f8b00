// Package send brings pictures and sound to the relay: it encodes them and hands them to the tracks.
package send

import (
	"context"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"sync/atomic"

	"sightline/devices/media"
	"sightline/field/internal/capture"
	"sightline/field/internal/latest"
	"sightline/relay/client"
)

// VideoTrack is where access units go (relay/client's LocalTrack).
type VideoTrack interface {
	WriteFrame(annexB []byte, captured int64) error
}

// Video encodes frames. Run has a goroutine of its own; everything else may be called from any.
type Video struct {
	log    *slog.Logger
	fps    float64
	frames *latest.Box[capture.Frame]

	key  atomic.Bool
	rate atomic.Int64

	encoded, skipped, sent, offline atomic.Int64
}

// NewVideo makes the encoder's end. fps is the most that is expected, bitrate the bits per second to begin with.
func NewVideo(fps float64, bitrate int, log *slog.Logger) *Video {
	v := &Video{log: log, fps: fps, frames: latest.New(capture.Frame.Release)}
	v.rate.Store(int64(bitrate))
	return v
}

// Put hands over a frame, which is released when it is encoded, or when a newer one comes first.
func (v *Video) Put(f capture.Frame) { v.frames.Put(f) }

// End lets Run return after the last frame.
func (v *Video) End() { v.frames.End() }

// ForceKeyFrame makes the next picture a key frame.
func (v *Video) ForceKeyFrame() { v.key.Store(true) }

// SetBitRate sets the bits per second to encode at.
func (v *Video) SetBitRate(bps int) { v.rate.Store(int64(bps)) }

// Run encodes and sends until End. An error means that the codec cannot be used for this picture.
func (v *Video) Run(track VideoTrack) (err error) {
	var enc *media.H264Encoder
	var size image.Point
	rate := int64(0)
	defer func() {
		if enc != nil {
			err = errors.Join(err, enc.Close())
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
		if s := f.Picture.Rect.Size(); s != size {
			if enc != nil {
				err = enc.Close()
			}
			rate = v.rate.Load()
			enc, err = media.NewH264Encoder(media.EncoderConfig{Width: s.X, Height: s.Y, FPS: v.fps, BitRate: int(rate)})
			if err != nil {
				f.Release()
				return err
			}
			size = s
		}
		if now := v.rate.Load(); now != rate {
			rate = now
			enc.SetBitRate(int(rate))
		}
		err := v.frame(enc, f, track)
		f.Release()
		if err != nil {
			return err
		}
	}
}

func (v *Video) frame(enc *media.H264Encoder, f capture.Frame, track VideoTrack) error {
	if v.key.Swap(false) {
		enc.ForceKeyFrame()
	}
	au, _, err := enc.Encode(f.Picture)
	if err != nil {
		return fmt.Errorf("frame %d: %w", f.Index, err)
	}
	if len(au) == 0 {
		v.skipped.Add(1)
		return nil
	}
	v.encoded.Add(1)
	switch err := track.WriteFrame(au, f.Captured); {
	case err == nil:
		v.sent.Add(1)
	case errors.Is(err, client.ErrOffline):
		v.offline.Add(1)
	case errors.Is(err, client.ErrClosed):
	default:
		v.log.Warn("a frame was not sent", "err", err)
	}
	return nil
}

// VideoCounts is what became of the frames.
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
