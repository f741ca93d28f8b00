package media

import "testing"

// The payloads are built by hand; the tests with Chromium have its own.
func TestWidth(t *testing.T) {
	sps := []byte{0x67, 0x42, 0xc0, 0x1e, 0x8c, 0x8d, 0x40, 0x50, 0x1e, 0xd0, 0x0f, 0x08, 0x84, 0x6a}
	stap := append([]byte{24, 0, byte(len(sps))}, sps...)
	for name, c := range map[string]struct {
		codec   string
		payload []byte
		want    int
	}{
		"H.264":           {H264, sps, 640},
		"H.264 in STAP-A": {H264, stap, 640},
		"H.264, no SPS":   {H264, []byte{0x65, 1, 2, 3}, 0},
		"VP8":             {VP8, []byte{0x10, 0xd0, 0x1b, 0x02, 0x9d, 0x01, 0x2a, 0x40, 0x41, 0xf0, 0x00, 0, 0}, 320},
		"VP8, cut":        {VP8, []byte{0x10, 0xd0, 0x1b, 0x02, 0x9d}, 0},
		"VP9 with sizes":  {VP9, []byte{0x8a, 0x80, 0x01, 0x10, 0x02, 0x80, 0x01, 0x68, 0x82, 0x49, 0x83, 0x42}, 640},
		"nothing":         {AV1, nil, 0},
	} {
		if got := Width(c.codec, c.payload); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
