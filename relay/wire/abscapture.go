package wire

import (
	"encoding/binary"
	"fmt"
)

// AbsCaptureTimeURI names the RTP header extension that carries the capture time of a frame, on every
// packet of the frame: http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time, the short form.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           seconds since 1900-01-01 00:00:00 UTC               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           fraction of a second, in 2^-32 s                    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
const AbsCaptureTimeURI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"

// AbsCaptureTimeSize is the size of the extension in bytes; the long form's clock offset is not read.
const AbsCaptureTimeSize = 8

// ntpUnix is the Unix epoch in NTP seconds (RFC 5905, figure 4).
const ntpUnix = 2208988800

// AbsCaptureTime writes a capture time, in microseconds since the Unix epoch, as the extension has it.
// One microsecond is 4295 units, so every one from 1970 to 2106 comes back exactly.
func AbsCaptureTime(captured int64) [AbsCaptureTimeSize]byte {
	seconds, micros := captured/1e6, captured%1e6
	if micros < 0 {
		seconds, micros = seconds-1, micros+1e6
	}
	fraction := (uint64(micros)<<32 + 5e5) / 1e6
	var b [AbsCaptureTimeSize]byte
	binary.BigEndian.PutUint32(b[:4], uint32(seconds+ntpUnix))
	binary.BigEndian.PutUint32(b[4:], uint32(fraction))
	return b
}

// ParseAbsCaptureTime reads the extension: microseconds since the Unix epoch. NTP's seconds wrap in
// 2036; seconds before 1970 are taken as the era after.
func ParseAbsCaptureTime(b []byte) (int64, error) {
	if len(b) < AbsCaptureTimeSize {
		return 0, fmt.Errorf("abs-capture-time of %d bytes, want %d or more", len(b), AbsCaptureTimeSize)
	}
	seconds := int64(binary.BigEndian.Uint32(b[:4]))
	if seconds < ntpUnix {
		seconds += 1 << 32
	}
	micros := (uint64(binary.BigEndian.Uint32(b[4:8]))*1e6 + 1<<31) >> 32
	return (seconds-ntpUnix)*1e6 + int64(micros), nil
}
