package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
)

// StillChunk is a part of a still picture on its data channel; each is one message:
//
//	byte  0      the version, 1
//	      1-4    the number of the still, of this connection, big endian
//	      5-6    which chunk this is, from 0
//	      7-8    how many there are
//	      9-     its data
//
// The data of all chunks is a still: two bytes with the length of a head in JSON, the head, and the key frame.
type StillChunk struct {
	Still        uint32
	Index, Count uint16
	Data         []byte
}

// StillHead says what a still is of.
type StillHead struct {
	Participant string `json:"participant"`
	Name        string `json:"name"`     // of the track
	Codec       string `json:"codec"`    // as in an offer
	Captured    int64  `json:"captured"` // the frame's name: µs on the publisher's clock
}

const (
	stillVersion = 1
	stillHeader  = 9
	// MaxStillChunk is the most data in a chunk: with what goes around it, it fits into one packet.
	MaxStillChunk = 1100
	// MaxStill is the largest still.
	MaxStill = 1 << 20
)

// Chunks cuts a still into chunks. It fails where it is too large.
func Chunks(still uint32, head StillHead, frame []byte) ([]StillChunk, error) {
	raw, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	all := append(append(binary.BigEndian.AppendUint16(nil, uint16(len(raw))), raw...), frame...)
	if len(all) > MaxStill || len(raw) > MaxStillChunk {
		return nil, fmt.Errorf("a still of %d bytes, at most %d", len(all), MaxStill)
	}
	count := (len(all) + MaxStillChunk - 1) / MaxStillChunk
	var out []StillChunk
	for i := range count {
		out = append(out, StillChunk{still, uint16(i), uint16(count), all[i*MaxStillChunk : min((i+1)*MaxStillChunk, len(all))]})
	}
	return out, nil
}

// Encode writes the chunk.
func (c StillChunk) Encode() []byte {
	b := append(make([]byte, 0, stillHeader+len(c.Data)), stillVersion)
	b = binary.BigEndian.AppendUint32(b, c.Still)
	b = binary.BigEndian.AppendUint16(b, c.Index)
	b = binary.BigEndian.AppendUint16(b, c.Count)
	return append(b, c.Data...)
}

var errStill = errors.New("a chunk of a still is not as it should be")

// DecodeStillChunk reads one message. The chunk shares its memory.
func DecodeStillChunk(b []byte) (StillChunk, error) {
	if len(b) < stillHeader || b[0] != stillVersion || len(b) > stillHeader+MaxStillChunk {
		return StillChunk{}, errStill
	}
	c := StillChunk{binary.BigEndian.Uint32(b[1:]), binary.BigEndian.Uint16(b[5:]), binary.BigEndian.Uint16(b[7:]), b[stillHeader:]}
	if c.Index >= c.Count || int(c.Count) > (MaxStill+MaxStillChunk-1)/MaxStillChunk {
		return StillChunk{}, errStill
	}
	return c, nil
}

// ParseStill takes a still apart that was put together of all its chunks.
func ParseStill(all []byte) (head StillHead, frame []byte, err error) {
	if len(all) < 2 || int(binary.BigEndian.Uint16(all)) > len(all)-2 {
		return head, nil, errStill
	}
	n := 2 + int(binary.BigEndian.Uint16(all))
	if err := json.Unmarshal(all[2:n], &head); err != nil {
		return head, nil, fmt.Errorf("%w: %w", errStill, err)
	}
	return head, all[n:], nil
}
