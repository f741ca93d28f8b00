package media

import "strings"

// is compares the MIME type of a codec, whose case is free.
func is(codec, mime string) bool { return strings.EqualFold(codec, mime) }

// The codecs that this package can put together, by their MIME types.
const (
	H264 = "video/H264"
	VP8  = "video/VP8"
	VP9  = "video/VP9"
	AV1  = "video/AV1"
	Opus = "audio/opus"
)

// StartsKey says whether an RTP payload begins a key frame: a place where a decoder that has seen
// nothing yet can begin. For H.264 that is the packet with the sequence parameter set. Audio always can.
func StartsKey(codec string, payload []byte) bool {
	switch {
	case is(codec, H264):
		return startsH264(payload)
	case is(codec, VP8):
		return startsVP8(payload)
	case is(codec, VP9):
		return startsVP9(payload)
	case is(codec, AV1):
		// AV1 RTP payload 1.0, section 4.4: Z=0 and N=1.
		return len(payload) > 1 && payload[0]&0x88 == 0x08
	}
	return strings.HasPrefix(strings.ToLower(codec), "audio/")
}

// startsH264 looks for a sequence parameter set: alone, or in a STAP-A (RFC 6184, section 5.7.1).
func startsH264(p []byte) bool {
	const sps, stapA = 7, 24
	if len(p) == 0 {
		return false
	}
	switch p[0] & 0x1f {
	case sps:
		return true
	case stapA:
		for p = p[1:]; len(p) > 2; {
			size := int(p[0])<<8 | int(p[1])
			if p[2]&0x1f == sps {
				return true
			}
			if 2+size > len(p) {
				return false
			}
			p = p[2+size:]
		}
	}
	return false
}

// startsVP8 reads the payload descriptor (RFC 7741, section 4.2) and the frame's inverse key bit.
func startsVP8(p []byte) bool {
	if len(p) < 1 || p[0]&0x10 == 0 || p[0]&0x07 != 0 {
		return false
	}
	n := 1
	if p[0]&0x80 != 0 {
		if len(p) < 2 {
			return false
		}
		x := p[1]
		n = 2
		if x&0x80 != 0 {
			if len(p) < 3 {
				return false
			}
			n++
			if p[2]&0x80 != 0 {
				n++
			}
		}
		if x&0x40 != 0 {
			n++
		}
		if x&0x30 != 0 {
			n++
		}
	}
	return len(p) > n && p[n]&1 == 0
}

// startsVP9 reads the first octet of the payload descriptor (RFC 9628, section 4.2): not predicted from
// another picture (P=0) and the beginning of a frame (B=1), in the base spatial layer where layers are.
func startsVP9(p []byte) bool {
	if len(p) < 1 || p[0]&0x40 != 0 || p[0]&0x08 == 0 {
		return false
	}
	if p[0]&0x20 == 0 {
		return true
	}
	n := 1
	if p[0]&0x80 != 0 {
		if len(p) < 2 {
			return false
		}
		n++
		if p[1]&0x80 != 0 {
			n++
		}
	}
	return len(p) > n && p[n]&0x0e == 0
}
