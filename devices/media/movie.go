package media

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4/seekablebuffer"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4"
)

// Movie writes a fragmented MP4 of one H.264 track and any number of Opus tracks, all on one timeline in
// microseconds. What came since the last Flush is written by the next one, as one fragment. One goroutine
// uses it.
type Movie struct {
	out    io.Writer
	video  strip
	sounds []strip
	number uint32 // of the last fragment
}

// strip is what waits of one track.
type strip struct {
	scale   int64 // ticks per second
	base    int64 // of the first sample, ticks
	next    int64 // where the last sample ends, ticks
	samples []*fmp4.Sample
}

const (
	opusScale = 48000
	// opusHold is the longest pause in a fragment's sound that its last packet is stretched over, in ticks.
	opusHold = opusScale / 10
)

// NewMovie writes the header. key is a key frame in Annex B with its parameter sets, as the film begins with.
func NewMovie(out io.Writer, key []byte, sounds int) (*Movie, error) {
	var sps, pps []byte
	nals(key, func(nal []byte) bool {
		switch {
		case len(nal) > 0 && nal[0]&0x1f == nalSPS:
			sps = bytes.Clone(nal)
		case len(nal) > 0 && nal[0]&0x1f == nalPPS:
			pps = bytes.Clone(nal)
		}
		return true
	})
	if sps == nil || pps == nil {
		return nil, errors.New("movie: the first picture has no parameter sets")
	}
	init := fmp4.Init{Tracks: []*fmp4.InitTrack{{ID: 1, TimeScale: mp4TimeScale, Codec: &mp4.CodecH264{SPS: sps, PPS: pps}}}}
	for i := range sounds {
		init.Tracks = append(init.Tracks, &fmp4.InitTrack{ID: 2 + i, TimeScale: opusScale, Codec: &mp4.CodecOpus{ChannelCount: 2}})
	}
	var buf seekablebuffer.Buffer
	if err := init.Marshal(&buf); err != nil {
		return nil, fmt.Errorf("movie: header: %w", err)
	}
	if _, err := out.Write(buf.Bytes()); err != nil {
		return nil, fmt.Errorf("movie: %w", err)
	}
	return ResumeMovie(out, sounds, 0), nil
}

// ResumeMovie goes on with a movie whose header and fragments, up to that number, are in out.
func ResumeMovie(out io.Writer, sounds int, fragments uint32) *Movie {
	m := &Movie{out: out, number: fragments, video: strip{scale: mp4TimeScale}, sounds: make([]strip, sounds)}
	for i := range m.sounds {
		m.sounds[i].scale = opusScale
	}
	return m
}

// Fragments is how many were written.
func (m *Movie) Fragments() uint32 { return m.number }

// Video adds a picture in Annex B that stands from at until another time.
func (m *Movie) Video(annexB []byte, key bool, at, until int64) error {
	var unit [][]byte
	nals(annexB, func(nal []byte) bool {
		if len(nal) > 0 {
			unit = append(unit, bytes.Clone(nal))
		}
		return true
	})
	payload, err := h264.AVCC(unit).Marshal()
	if err != nil {
		return fmt.Errorf("movie: picture at %d µs: %w", at, err)
	}
	m.video.add(&fmp4.Sample{IsNonSyncSample: !key, Payload: payload}, at, until)
	return nil
}

// Sound adds a packet of Opus to the sound of that number. Where the packet before ended earlier, the pause
// belongs to it.
func (m *Movie) Sound(number int, opus []byte, at, until int64) error {
	s := &m.sounds[number]
	if from := s.ticks(at); len(s.samples) > 0 && from-s.next > opusHold {
		if err := m.Flush(); err != nil {
			return err
		}
	}
	s.add(&fmp4.Sample{Payload: bytes.Clone(opus)}, at, until)
	return nil
}

func (s *strip) ticks(at int64) int64 { return at * s.scale / 1_000_000 }

// add puts a sample at its time; a little gap before it is closed, and an overlap pushes it on.
func (s *strip) add(sample *fmp4.Sample, at, until int64) {
	from, to := s.ticks(at), s.ticks(until)
	if n := len(s.samples); n == 0 {
		s.base = max(from, s.next)
		from = s.base
	} else if from > s.next {
		s.samples[n-1].Duration += uint32(from - s.next)
	} else {
		from = s.next
	}
	sample.Duration = uint32(max(1, to-from))
	s.next = from + int64(sample.Duration)
	s.samples = append(s.samples, sample)
}

// Flush writes what waits as one fragment.
func (m *Movie) Flush() error {
	part := fmp4.Part{SequenceNumber: m.number + 1}
	for i := range 1 + len(m.sounds) {
		s := &m.video
		if i > 0 {
			s = &m.sounds[i-1]
		}
		if len(s.samples) > 0 {
			part.Tracks = append(part.Tracks, &fmp4.PartTrack{ID: 1 + i, BaseTime: uint64(s.base), Samples: s.samples})
			s.samples = nil
		}
	}
	if part.Tracks == nil {
		return nil
	}
	var buf seekablebuffer.Buffer
	if err := part.Marshal(&buf); err != nil {
		return fmt.Errorf("movie: fragment %d: %w", m.number+1, err)
	}
	m.number++
	if _, err := m.out.Write(buf.Bytes()); err != nil {
		return fmt.Errorf("movie: %w", err)
	}
	return nil
}
