package media

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4/seekablebuffer"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4"
)

// MP4Writer writes one H.264 track into a fragmented MP4: whatever was flushed can be played, also after
// a crash. One goroutine uses it.
type MP4Writer struct {
	file    io.WriteCloser
	first   int64        // captured of the first sample; times in the file count from it
	last    int64        // captured of pending
	pending *fmp4.Sample // waits for the next one, which gives its duration
	part    []*fmp4.Sample
	base    int64 // captured of the first sample of part
	number  uint32
	started bool
}

const (
	mp4TimeScale = 90000
	// partLength bounds what a crash can lose, in microseconds.
	partLength = 1_000_000
	// lastDuration is how long the last picture stands, in microseconds.
	lastDuration = 33_333
)

// NewMP4Writer creates the file, over an old one of that name.
func NewMP4Writer(path string) (*MP4Writer, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("mp4: %w", err)
	}
	return &MP4Writer{file: f}, nil
}

// Write adds one access unit in Annex B, captured at that microsecond, later than the one before. Units
// before the first key frame cannot be played and are passed over, empty ones as well.
func (w *MP4Writer) Write(annexB []byte, captured int64) error {
	if w.file == nil {
		return errors.New("mp4: the writer is closed")
	}
	if len(annexB) == 0 {
		return nil
	}
	var sps, pps []byte
	var unit [][]byte
	key := false
	nals(annexB, func(nal []byte) bool {
		if len(nal) == 0 {
			return true
		}
		switch nal[0] & 0x1f {
		case nalSPS:
			sps = nal
		case nalPPS:
			pps = nal
		case nalIDR:
			key = true
		}
		unit = append(unit, bytes.Clone(nal))
		return true
	})
	if !w.started {
		if !key || sps == nil || pps == nil {
			return nil
		}
		if err := w.start(sps, pps, captured); err != nil {
			return err
		}
	}
	return w.add(unit, key, captured)
}

// start writes the header.
func (w *MP4Writer) start(sps, pps []byte, captured int64) error {
	init := fmp4.Init{Tracks: []*fmp4.InitTrack{{ID: 1, TimeScale: mp4TimeScale, Codec: &mp4.CodecH264{SPS: sps, PPS: pps}}}}
	var buf seekablebuffer.Buffer
	if err := init.Marshal(&buf); err != nil {
		return fmt.Errorf("mp4: header: %w", err)
	}
	if _, err := w.file.Write(buf.Bytes()); err != nil {
		return fmt.Errorf("mp4: %w", err)
	}
	w.started, w.first, w.base, w.last = true, captured, captured, captured
	return nil
}

// ticks is a time of the file.
func (w *MP4Writer) ticks(captured int64) int64 {
	return (captured - w.first) * mp4TimeScale / 1_000_000
}

func (w *MP4Writer) add(unit [][]byte, key bool, captured int64) error {
	if w.pending != nil {
		if captured <= w.last {
			return fmt.Errorf("mp4: picture of %d comes after that of %d", captured, w.last)
		}
		w.settle(captured)
		if key || captured-w.base >= partLength {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	payload, err := h264.AVCC(unit).Marshal()
	if err != nil {
		return fmt.Errorf("mp4: picture of %d: %w", captured, err)
	}
	if len(w.part) == 0 {
		w.base = captured
	}
	w.pending, w.last = &fmp4.Sample{IsNonSyncSample: !key, Payload: payload}, captured
	return nil
}

// settle gives the pending sample its duration.
func (w *MP4Writer) settle(until int64) {
	w.pending.Duration = uint32(w.ticks(until) - w.ticks(w.last))
	w.part = append(w.part, w.pending)
	w.pending = nil
}

// flush writes the part.
func (w *MP4Writer) flush() error {
	if len(w.part) == 0 {
		return nil
	}
	w.number++
	part := fmp4.Part{SequenceNumber: w.number, Tracks: []*fmp4.PartTrack{{ID: 1, BaseTime: uint64(w.ticks(w.base)), Samples: w.part}}}
	var buf seekablebuffer.Buffer
	if err := part.Marshal(&buf); err != nil {
		return fmt.Errorf("mp4: part %d: %w", w.number, err)
	}
	w.part = nil
	if _, err := w.file.Write(buf.Bytes()); err != nil {
		return fmt.Errorf("mp4: %w", err)
	}
	return nil
}

// Close writes what is left and closes the file. A file without a picture stays empty.
func (w *MP4Writer) Close() error {
	if w.file == nil {
		return nil
	}
	if w.pending != nil {
		w.settle(w.last + lastDuration)
	}
	err := errors.Join(w.flush(), w.file.Close())
	w.file = nil
	return err
}
