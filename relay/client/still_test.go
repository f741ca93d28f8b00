package client

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"sightline/relay/wire"
)

// Stills whose chunks come in any order, twice, and mixed with those of others, come whole or not at all.
func TestStillsAreCollected(t *testing.T) {
	var coming []*still
	r := rand.New(rand.NewPCG(1, 2))
	for n := range uint32(100) {
		frame := make([]byte, r.IntN(9000))
		for i := range frame {
			frame[i] = byte(r.Uint32())
		}
		chunks, err := wire.Chunks(n, wire.StillHead{Captured: int64(n)}, frame)
		if err != nil {
			t.Fatal(err)
		}
		if n%10 == 9 { // lost: it stays until it is the oldest of too many
			coming, _ = collect(coming, chunks[0])
			continue
		}
		chunks = append(chunks, chunks[0])
		r.Shuffle(len(chunks), func(i, j int) { chunks[i], chunks[j] = chunks[j], chunks[i] })
		var got [][]byte
		for _, c := range chunks {
			var whole []byte
			if coming, whole = collect(coming, c); whole != nil {
				got = append(got, whole)
			}
		}
		if len(got) == 0 {
			t.Fatalf("still %d did not come", n)
		}
		if head, data, err := wire.ParseStill(got[0]); err != nil || head.Captured != int64(n) || !bytes.Equal(data, frame) {
			t.Fatalf("still %d: %+v, %d bytes of %d, %v", n, head, len(data), len(frame), err)
		}
	}
	if len(coming) > maxStills {
		t.Errorf("%d stills are waited for", len(coming))
	}
}
