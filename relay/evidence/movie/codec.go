package movie

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/vp9"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4/seekablebuffer"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4"
)

// ErrFrame says that a frame is left out: it is not what its codec says.
var ErrFrame = errors.New("frame is not valid")

// CanRecord says whether frames of a codec can go into a case.
func CanRecord(codec string) bool {
	switch codec {
	case H264, VP8, VP9, AV1, Opus:
		return true
	}
	return false
}

// Format is what a file says of its track before the first frame. A key frame tells it.
type Format struct {
	codec         mp4.Codec
	vp8           bool
	width, height int
	timescale     int
}

// SameAs says whether frames of one format may follow those of the other in one file.
func (f Format) SameAs(o Format) bool { return f.width == o.width && f.height == o.height }

// FormatOf reads the format from a key frame.
func FormatOf(codec string, u Unit) (Format, error) {
	f := Format{timescale: 90000}
	switch codec {
	case Opus:
		return Format{codec: &mp4.CodecOpus{ChannelCount: 2}, timescale: 48000}, nil
	case H264:
		sps, pps := parameterSets(u)
		var s h264.SPS
		if sps == nil || pps == nil || s.Unmarshal(sps) != nil {
			return f, ErrFrame
		}
		f.codec, f.width, f.height = &mp4.CodecH264{SPS: sps, PPS: pps}, s.Width(), s.Height()
	case VP8:
		return formatVP8(u.Data)
	case VP9:
		var h vp9.Header
		if h.Unmarshal(u.Data) != nil || h.ColorConfig == nil || h.FrameSize == nil {
			return f, ErrFrame
		}
		f.width, f.height = h.Width(), h.Height()
		f.codec = &mp4.CodecVP9{Width: f.width, Height: f.height, Profile: h.Profile, BitDepth: h.ColorConfig.BitDepth,
			ChromaSubsampling: h.ChromaSubsampling(), ColorRange: h.ColorConfig.ColorRange}
	case AV1:
		return formatAV1(u.Data)
	default:
		return f, fmt.Errorf("codec %s cannot be recorded", codec)
	}
	return f, nil
}

// formatVP8 reads the size of a key frame (RFC 6386, section 9.1).
func formatVP8(data []byte) (Format, error) {
	if len(data) < 10 || data[0]&1 != 0 || !bytes.Equal(data[3:6], []byte{0x9d, 0x01, 0x2a}) {
		return Format{}, ErrFrame
	}
	f := Format{vp8: true, timescale: 90000, width: int(data[6]) | int(data[7]&0x3f)<<8, height: int(data[8]) | int(data[9]&0x3f)<<8}
	if f.width == 0 || f.height == 0 {
		return Format{}, ErrFrame
	}
	f.codec = &mp4.CodecVP9{Width: f.width, Height: f.height, BitDepth: 8, ChromaSubsampling: 1}
	return f, nil
}

// head returns the beginning of the file.
func (f Format) head() ([]byte, error) {
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
func sampleOf(codec string, u Unit) (*fmp4.Sample, error) {
	s := &fmp4.Sample{Payload: u.Data}
	switch codec {
	case H264:
		units, ok := unitsH264(u.Data)
		if !ok || s.FillH264(0, units) != nil {
			return nil, ErrFrame
		}
	case AV1:
		if !unitsAV1(u.Data, func(byte, []byte) {}) { // the file holds them as they are
			return nil, ErrFrame
		}
	}
	s.IsNonSyncSample = !u.Key
	return s, nil
}

// unitsH264 returns the NAL units of a frame in the byte stream format (ITU-T H.264, annex B), and false where it is none.
// They are parts of it. mediacommon's AnnexB returns the same, and looks at each byte twice.
func unitsH264(data []byte) (units [][]byte, ok bool) {
	parts := bytes.Split(data, startCode)
	if before := bytes.TrimPrefix(parts[0], zero); len(before) > 0 || len(parts) == 1 || len(data) > h264.MaxAccessUnitSize {
		return nil, false
	}
	for i, unit := range parts[1:] {
		if i < len(parts)-2 {
			unit = bytes.TrimSuffix(unit, zero) // of the next one's start code, which may be longer
		}
		if len(unit) > 0 {
			units = append(units, unit)
		}
	}
	return units, len(units) > 0
}

var startCode, zero = []byte{0, 0, 1}, []byte{0}

// parameterSets returns the SPS and PPS of a key frame.
func parameterSets(u Unit) (sps, pps []byte) {
	units, _ := unitsH264(u.Data)
	for _, n := range units {
		switch h264.NALUType(n[0] & 0x1f) {
		case h264.NALUTypeSPS:
			sps = n
		case h264.NALUTypePPS:
			pps = n
		}
	}
	return sps, pps
}
