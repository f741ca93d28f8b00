package movie

import (
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4"
)

// unitsAV1 calls fn with each OBU of a frame: the first byte of its header, and its payload. It is false where the frame is
// none. OBUs may say which layer they are of, which mediacommon's reader does not take (AV1 specification, section 5.3).
func unitsAV1(data []byte, fn func(header byte, payload []byte)) bool {
	const forbidden, extended, sized = 0x80, 0x04, 0x02
	for rest := data; len(rest) > 0; {
		header, n := rest[0], 1
		if header&extended != 0 {
			n++
		}
		if header&forbidden != 0 || header&sized == 0 || len(rest) < n {
			return false
		}
		var size av1.LEB128
		m, err := size.Unmarshal(rest[n:])
		if err != nil || int64(size) > int64(len(rest)-n-m) {
			return false
		}
		fn(header, rest[n+m:n+m+int(size)])
		rest = rest[n+m+int(size):]
	}
	return len(data) > 0
}

// formatAV1 reads the sequence header, which it keeps without its size and without a layer.
func formatAV1(data []byte) (Format, error) {
	var sequence []byte
	ok := unitsAV1(data, func(header byte, payload []byte) {
		if av1.OBUType(header>>3&0x0f) == av1.OBUTypeSequenceHeader && sequence == nil {
			sequence = append([]byte{byte(av1.OBUTypeSequenceHeader) << 3}, payload...)
		}
	})
	var h av1.SequenceHeader
	if !ok || sequence == nil || h.Unmarshal(sequence) != nil {
		return Format{}, ErrFrame
	}
	return Format{codec: &mp4.CodecAV1{SequenceHeader: sequence}, timescale: 90000, width: h.Width(), height: h.Height()}, nil
}
