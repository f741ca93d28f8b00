package movie

import (
	"bytes"
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
)

// obuFrame is the type of OBU_FRAME.
const obuFrame av1.OBUType = 6

// sequence is the payload of a real sequence header, of 1920x804.
var sequence = []byte{0, 0, 0, 66, 167, 191, 228, 96, 13, 0, 64}

// obu makes an OBU with its size, of a layer where that is not 0.
func obu(kind av1.OBUType, layer byte, payload ...byte) []byte {
	header := []byte{byte(kind)<<3 | 2}
	if layer != 0 {
		header = []byte{header[0] | 4, layer << 5}
	}
	return append(append(header, byte(len(payload))), payload...)
}

// Frames whose OBUs say which layer they are of are taken, and kept as they came.
func TestLayersOfAV1(t *testing.T) {
	for _, layer := range []byte{0, 1} {
		frame := append(obu(av1.OBUTypeSequenceHeader, 0, sequence...), obu(obuFrame, layer, 1, 2, 3)...)
		f, err := formatAV1(frame)
		if err != nil || f.width != 1920 || f.height != 804 {
			t.Errorf("layer %d: %dx%d, %v", layer, f.width, f.height, err)
		}
		s, err := sampleOf(AV1, Unit{Data: frame, Key: true})
		if err != nil || !bytes.Equal(s.Payload, frame) || s.IsNonSyncSample {
			t.Errorf("layer %d: %+v, %v", layer, s, err)
		}
	}
}

func TestWhatIsNoAV1(t *testing.T) {
	whole := obu(obuFrame, 1, 1, 2, 3)
	for what, data := range map[string][]byte{"nothing": nil, "no size": {byte(obuFrame) << 3, 1}, "the forbidden bit": {0xb2, 0},
		"half an extension": whole[:1], "no length": whole[:2], "half a payload": whole[:5], "more after it": append(bytes.Clone(whole), 0x32)} {
		if _, err := sampleOf(AV1, Unit{Data: data}); err == nil {
			t.Errorf("%s is taken", what)
		}
		if _, err := formatAV1(data); err == nil {
			t.Errorf("%s has a format", what)
		}
	}
}

func FuzzAV1(f *testing.F) {
	f.Add(append(obu(av1.OBUTypeSequenceHeader, 0, sequence...), obu(obuFrame, 1, 1, 2, 3)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		size := 0
		if unitsAV1(data, func(_ byte, payload []byte) { size += len(payload) }) && size >= len(data) {
			t.Errorf("%d bytes of payload in %d", size, len(data))
		}
		_, _ = formatAV1(data)
	})
}
