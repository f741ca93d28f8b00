package media

import (
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"sightline/relay/wire"
)

// Unit is one access unit: a picture, or a packet of sound.
type Unit struct {
	// Data is Annex B with four-byte start codes for H.264, the codec's own frame otherwise.
	Data []byte
	// Captured is when it was captured, µs on the publisher's clock; 0 where the publisher does not say.
	Captured int64
	RTPTime  uint32
	Key      bool
}

// maxUnit is the size past which a picture is let go rather than put together.
const maxUnit = 8 << 20

// Assembler puts the packets of one stream, in order, together to access units. One goroutine uses it.
// After a loss it gives nothing out until the next key frame, so that a decoder never sees a broken
// picture; Broken says so, and its user asks the publisher for a key frame.
type Assembler struct {
	codec     string
	extension uint8 // the number of abs-capture-time on this stream; 0 when it was not agreed on
	depacket  rtp.Depacketizer

	unit    Unit
	open    bool // unit has begun
	size    int  // of the unit before: about what the next will need
	waiting bool // for a key frame
}

// NewAssembler puts frames of a codec together. extension is the negotiated number of abs-capture-time.
func NewAssembler(codec string, extension uint8) *Assembler {
	a := &Assembler{codec: codec, extension: extension, waiting: true}
	a.begin()
	return a
}

// begin starts with a clean depacketizer: those of pion keep the pieces of the last frame.
func (a *Assembler) begin() {
	a.unit, a.open = Unit{}, false
	switch {
	case is(a.codec, H264):
		a.depacket = &codecs.H264Packet{}
	case is(a.codec, VP8):
		a.depacket = &codecs.VP8Packet{}
	case is(a.codec, VP9):
		a.depacket = &codecs.VP9Packet{}
	case is(a.codec, AV1):
		a.depacket = &codecs.AV1Depacketizer{}
	default:
		a.depacket = &codecs.OpusPacket{}
	}
}

// Broken says that frames are let go until a key frame comes.
func (a *Assembler) Broken() bool { return a.waiting }

// Break lets frames go until the next key frame: what was given out did not all reach the decoder.
func (a *Assembler) Break() {
	if !is(a.codec, Opus) {
		a.begin()
		a.waiting = true
	}
}

// Push takes the next packet in order; lost is how many before it were given up. It calls out for every
// unit that is whole.
func (a *Assembler) Push(p *rtp.Packet, lost int, out func(Unit)) {
	if is(a.codec, Opus) {
		a.sound(p, out)
		return
	}
	if lost > 0 {
		a.Break()
	}
	if a.open && p.Timestamp != a.unit.RTPTime {
		a.finish(out) // its publisher does not set the marker
	}
	if len(p.Payload) == 0 {
		return // padding
	}
	key := StartsKey(a.codec, p.Payload)
	if a.waiting && !key {
		return
	}
	a.waiting = false
	data, err := a.depacket.Unmarshal(p.Payload)
	if err != nil || len(a.unit.Data)+len(data) > maxUnit {
		a.Break()
		return
	}
	a.open = true
	a.unit.RTPTime = p.Timestamp
	a.unit.Key = a.unit.Key || key
	if a.unit.Captured == 0 {
		a.unit.Captured = Captured(&p.Header, a.extension)
	}
	if a.unit.Data == nil {
		a.unit.Data = make([]byte, 0, a.size+a.size/4+1<<10)
	}
	a.unit.Data = append(a.unit.Data, data...)
	if p.Marker {
		a.finish(out)
	}
}

func (a *Assembler) finish(out func(Unit)) {
	unit := a.unit
	a.unit, a.open, a.size = Unit{}, false, len(unit.Data)
	if len(unit.Data) > 0 {
		out(unit)
	}
}

func (a *Assembler) sound(p *rtp.Packet, out func(Unit)) {
	a.waiting = false
	if len(p.Payload) > 0 {
		out(Unit{Data: p.Payload, RTPTime: p.Timestamp, Key: true, Captured: Captured(&p.Header, a.extension)})
	}
}

// Captured reads the capture time of a packet, or 0 where there is none.
func Captured(h *rtp.Header, extension uint8) int64 {
	if extension == 0 {
		return 0
	}
	captured, err := wire.ParseAbsCaptureTime(h.GetExtension(extension))
	if err != nil {
		return 0
	}
	return captured
}
