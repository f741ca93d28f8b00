package movie

import (
	"bytes"
	"slices"
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// A frame falls into the units that mediacommon finds in it.
func FuzzUnitsH264(f *testing.F) {
	for _, s := range []string{"", "\x00\x00\x01", "\x00\x00\x01\x65\x88", "\x00\x00\x00\x01\x67\x42\x00\x00\x00\x01\x68\x00\x00\x00\x00\x01\x65\x00\x00",
		"\x00\x00\x00\x00\x01\x65", "\x00\x00\x01\x00\x00\x01\x00\x00\x00\x01\x09"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		units, ok := unitsH264(data)
		var want h264.AnnexB
		err := want.Unmarshal(data)
		if !bytes.HasPrefix(data, []byte{0, 0, 1}) && !bytes.HasPrefix(data, []byte{0, 0, 0, 1}) {
			if ok {
				t.Errorf("what does not begin with a start code is taken: % x", data)
			}
			return // mediacommon takes some of it
		}
		if short := len(data) < 4; ok != (err == nil) && !short || ok && !short && !slices.EqualFunc(units, [][]byte(want), bytes.Equal) {
			t.Errorf("% x: % x, %v; mediacommon % x, %v", data, units, ok, want, err)
		}
	})
}
