package media

import (
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/vp9"
	"github.com/pion/rtp/codecs"
)

// Width reads how wide a picture is, in pixels, from the packet that begins a key frame (see StartsKey); 0 where that
// does not say it.
func Width(codec string, payload []byte) int {
	switch {
	case is(codec, H264):
		return widthH264(payload)
	case is(codec, VP8):
		var p codecs.VP8Packet
		// RFC 6386, section 9.1: the width is in the seventh and eighth byte, without the scale above it.
		if frame, err := p.Unmarshal(payload); err == nil && len(frame) >= 10 && p.S == 1 && frame[0]&1 == 0 {
			return int(frame[6]) | int(frame[7]&0x3f)<<8
		}
	case is(codec, VP9):
		return widthVP9(payload)
	case is(codec, AV1):
		return widthAV1(payload)
	}
	return 0
}

func widthH264(payload []byte) int {
	var s h264.SPS
	for _, n := range nalus(payload) {
		if h264.NALUType(n[0]&0x1f) == h264.NALUTypeSPS && s.Unmarshal(n) == nil {
			return s.Width()
		}
	}
	return 0
}

// nalus are the whole units in a payload: one, or those of a STAP-A (RFC 6184, section 5.7.1).
func nalus(p []byte) (out [][]byte) {
	const stapA = 24
	if len(p) == 0 || p[0]&0x1f != stapA {
		return append(out, p)[:min(len(p), 1)]
	}
	for p = p[1:]; len(p) > 2; {
		size := int(p[0])<<8 | int(p[1])
		if size == 0 || 2+size > len(p) {
			break
		}
		out = append(out, p[2:2+size])
		p = p[2+size:]
	}
	return out
}

func widthVP9(payload []byte) int {
	var p codecs.VP9Packet
	frame, err := p.Unmarshal(payload)
	if err != nil {
		return 0
	}
	if p.V && p.Y && len(p.Width) > 0 {
		return int(p.Width[len(p.Width)-1])
	}
	var h vp9.Header
	if h.Unmarshal(frame) != nil || h.FrameSize == nil {
		return 0
	}
	return h.Width()
}

// widthAV1 reads the sequence header, which comes first (AV1 RTP payload 1.0, section 4.4).
func widthAV1(payload []byte) int {
	if len(payload) < 2 {
		return 0
	}
	count, p := int(payload[0]>>4&3), payload[1:]
	for i := 1; len(p) > 0; i++ {
		unit := p
		if i != count { // its length is before it
			var size av1.LEB128
			n, err := size.Unmarshal(p)
			if err != nil || int(size) > len(p)-n {
				return 0
			}
			unit, p = p[n:n+int(size)], p[n+int(size):]
		} else {
			p = nil
		}
		var h av1.SequenceHeader
		if len(unit) > 0 && av1.OBUType(unit[0]>>3&0x0f) == av1.OBUTypeSequenceHeader && h.Unmarshal(unit) == nil {
			return h.Width()
		}
	}
	return 0
}
