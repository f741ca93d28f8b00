// Package movie writes one track of a case as it came: a fragmented MP4 without transcoding, and the table of its
// frames. The relay's recorder and the field's use it alike, so that the same frame has the same bytes in both.
package movie

import "strings"

// The codecs that can be recorded, by their MIME types.
const (
	H264 = "video/H264"
	VP8  = "video/VP8"
	VP9  = "video/VP9"
	AV1  = "video/AV1"
	Opus = "audio/opus"
)

// Unit is one access unit: a picture, or a packet of sound.
type Unit struct {
	// Data is Annex B with start codes for H.264, the codec's own frame otherwise. It is kept until Flush.
	Data     []byte
	Captured int64 // µs on the publisher's clock
	Key      bool  // a decoder can begin here
}

// FileName makes a name that every file system takes.
func FileName(s string) string {
	var b strings.Builder
	for _, c := range s {
		if b.Len() > 60 {
			break
		}
		if strings.ContainsRune(`/\:*?"<>|`, c) || c <= ' ' || c == 0x7f || c == 0xfffd {
			c = '_'
		}
		b.WriteRune(c)
	}
	if name := strings.Trim(b.String(), "."); name != "" {
		return name
	}
	return "_"
}
