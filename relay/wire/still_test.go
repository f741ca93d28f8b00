package wire

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func TestStill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		head := StillHead{Participant: "p-1", Name: "camera", Codec: "video/H264", Captured: rapid.Int64().Draw(t, "captured")}
		frame := rapid.SliceOfN(rapid.Byte(), 0, 5000).Draw(t, "frame")
		chunks, err := Chunks(7, head, frame)
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		for i, c := range chunks {
			got, err := DecodeStillChunk(c.Encode())
			if err != nil || got.Still != 7 || int(got.Index) != i || int(got.Count) != len(chunks) || len(got.Data) > MaxStillChunk {
				t.Fatalf("chunk %d: %+v, %v", i, got, err)
			}
			all = append(all, got.Data...)
		}
		gotHead, gotFrame, err := ParseStill(all)
		if err != nil || gotHead != head || !bytes.Equal(gotFrame, frame) {
			t.Fatalf("%+v, %d bytes, %v", gotHead, len(gotFrame), err)
		}
	})
	if _, err := Chunks(1, StillHead{}, make([]byte, MaxStill)); err == nil {
		t.Error("a still that is too large was cut up")
	}
}

func FuzzStill(f *testing.F) {
	chunks, _ := Chunks(7, StillHead{Participant: "p", Name: "camera"}, []byte{0, 0, 0, 1, 0x65})
	f.Add(chunks[0].Encode())
	f.Add([]byte{1, 0, 0, 0, 7, 0, 0, 0, 1, 0, 200})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := DecodeStillChunk(data)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Encode(), data) {
			t.Fatal("changed on the way")
		}
		_, _, _ = ParseStill(c.Data)
	})
}
