package record

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/vp9"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4/seekablebuffer"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4"

	"sightline/relay/internal/media"
)

// errFrame says that a frame is left out: it is not what its codec says.
var errFrame = errors.New("frame is not valid")

func canRecord(codec string) bool {
	switch codec {
	case media.H264, media.VP8, media.VP9, media.AV1, media.Opus:
		return true
	}
	return false
}

// format is what a file says of its track before the first frame. A key frame tells it.
type format struct {
	codec         mp4.Codec
	vp8           bool
	width, height int
	timescale     int
}

// sameAs says whether frames of one format may follow those of the other in one file.
func (f format) sameAs(o format) bool { return f.width == o.width && f.height == o.height }

// formatOf reads the format from a key frame.
func formatOf(codec string, u media.Unit) (format, error) {
	f := format{timescale: 90000}
	switch codec {
	case media.Opus:
		return format{codec: &mp4.CodecOpus{ChannelCount: 2}, timescale: 48000}, nil
	case media.H264:
		sps, pps := parameterSets(u)
		var s h264.SPS
		if sps == nil || pps == nil || s.Unmarshal(sps) != nil {
			return f, errFrame
		}
		f.codec, f.width, f.height = &mp4.CodecH264{SPS: sps, PPS: pps}, s.Width(), s.Height()
	case media.VP8:
		return formatVP8(u.Data)
	case media.VP9:
		var h vp9.Header
		if h.Unmarshal(u.Data) != nil || h.ColorConfig == nil || h.FrameSize == nil {
			return f, errFrame
		}
		f.width, f.height = h.Width(), h.Height()
		f.codec = &mp4.CodecVP9{Width: f.width, Height: f.height, Profile: h.Profile, BitDepth: h.ColorConfig.BitDepth,
			ChromaSubsampling: h.ChromaSubsampling(), ColorRange: h.ColorConfig.ColorRange}
	case media.AV1:
		return formatAV1(u.Data)
	default:
		return f, fmt.Errorf("codec %s cannot be recorded", codec)
	}
	return f, nil
}

// formatVP8 reads the size of a key frame (RFC 6386, section 9.1).
func formatVP8(data []byte) (format, error) {
	if len(data) < 10 || data[0]&1 != 0 || !bytes.Equal(data[3:6], []byte{0x9d, 0x01, 0x2a}) {
		return format{}, errFrame
	}
	f := format{vp8: true, timescale: 90000, width: int(data[6]) | int(data[7]&0x3f)<<8, height: int(data[8]) | int(data[9]&0x3f)<<8}
	if f.width == 0 || f.height == 0 {
		return format{}, errFrame
	}
	f.codec = &mp4.CodecVP9{Width: f.width, Height: f.height, BitDepth: 8, ChromaSubsampling: 1}
	return f, nil
}

func formatAV1(data []byte) (format, error) {
	var units av1.Bitstream
	if units.Unmarshal(data) != nil {
		return format{}, errFrame
	}
	for _, u := range units {
		if len(u) == 0 || av1.OBUType(u[0]>>3&0x0f) != av1.OBUTypeSequenceHeader {
			continue
		}
		var h av1.SequenceHeader
		if h.Unmarshal(u) != nil {
			return format{}, errFrame
		}
		return format{codec: &mp4.CodecAV1{SequenceHeader: u}, timescale: 90000, width: h.Width(), height: h.Height()}, nil
	}
	return format{}, errFrame
}

// head returns the beginning of the file.
func (f format) head() ([]byte, error) {
	var out seekablebuffer.Buffer
	init := fmp4.Init{Tracks: []*fmp4.InitTrack{{ID: 1, TimeScale: uint32(f.timescale), Codec: f.codec}}}
	if err := init.Marshal(&out); err != nil {
		return nil, fmt.Errorf("begin the file: %w", err)
	}
	head := out.Bytes()
	if f.vp8 { // VP8 is carried as VP9 is (VP Codec ISO Media File Format Binding), but for the name
		head = bytes.Replace(head, []byte("vp09"), []byte("vp08"), 1)
	}
	return head, nil
}

// sampleOf makes a frame what the file holds.
func sampleOf(codec string, u media.Unit) (*fmp4.Sample, error) {
	s := &fmp4.Sample{Payload: u.Data}
	switch codec {
	case media.H264:
		var nalus h264.AnnexB
		if nalus.Unmarshal(u.Data) != nil || s.FillH264(0, nalus) != nil {
			return nil, errFrame
		}
	case media.AV1:
		var units av1.Bitstream
		if units.Unmarshal(u.Data) != nil || s.FillAV1(units) != nil {
			return nil, errFrame
		}
	}
	s.IsNonSyncSample = !u.Key
	return s, nil
}

// parameterSets returns the SPS and PPS of a key frame.
func parameterSets(u media.Unit) (sps, pps []byte) {
	var nalus h264.AnnexB
	if nalus.Unmarshal(u.Data) != nil {
		return nil, nil
	}
	for _, n := range nalus {
		switch h264.NALUType(n[0] & 0x1f) {
		case h264.NALUTypeSPS:
			sps = n
		case h264.NALUTypePPS:
			pps = n
		}
	}
	return sps, pps
}
