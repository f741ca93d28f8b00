package media

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4/seekablebuffer"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4"
)

// Movie writes a fragmented MP4 of one H.264 track and, where wanted, one of AAC, on one timeline. What came since
// the last Flush is written by the next one, as one fragment. One goroutine uses it.
type Movie struct {
	out    io.Writer
	video  strip
	sound  strip
	number uint32 // of the last fragment
}

// strip is what waits of one track.
type strip struct {
	base    int64 // of the first sample, ticks
	next    int64 // where the last sample ends, ticks
	samples []*fmp4.Sample
}

// NewMovie writes the header. key is a key frame in Annex B with its parameter sets, as the film begins with; sound
// says whether there is any.
func NewMovie(out io.Writer, key []byte, sound bool) (*Movie, error) {
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
	if sound {
		config := mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: SoundRate, ChannelCount: 1}
		init.Tracks = append(init.Tracks, &fmp4.InitTrack{ID: 2, TimeScale: SoundRate, Codec: &mp4.CodecMPEG4Audio{Config: config}})
	}
	var buf seekablebuffer.Buffer
	if err := init.Marshal(&buf); err != nil {
		return nil, fmt.Errorf("movie: header: %w", err)
	}
	if _, err := out.Write(buf.Bytes()); err != nil {
		return nil, fmt.Errorf("movie: %w", err)
	}
	return ResumeMovie(out, 0), nil
}

// ResumeMovie goes on with a movie whose header and fragments, up to that number, are in out.
func ResumeMovie(out io.Writer, fragments uint32) *Movie { return &Movie{out: out, number: fragments} }

// Fragments is how many were written.
func (m *Movie) Fragments() uint32 { return m.number }

// Video adds a picture in Annex B that stands from at until another time, µs.
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
	m.video.add(&fmp4.Sample{IsNonSyncSample: !key, Payload: payload}, at*mp4TimeScale/1_000_000, until*mp4TimeScale/1_000_000)
	return nil
}

// Sound adds a packet of AAC.
func (m *Movie) Sound(p AACPacket) {
	m.sound.add(&fmp4.Sample{Payload: p.Data}, p.First, p.First+AACFrame)
}

// add puts a sample at its time, ticks; a gap before it belongs to the one before, and an overlap pushes it on.
func (s *strip) add(sample *fmp4.Sample, from, to int64) {
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
	for i, s := range []*strip{&m.video, &m.sound} {
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
