package sfu

import (
	"math"

	"github.com/pion/rtp"

	"sightline/relay/internal/media"
)

// thin decides which temporal layers of a stream a receiver gets. Whole frames are left out, never parts. The slot's lock
// guards it.
type thin struct {
	most uint8 // the highest layer that is to be sent
	now  uint8 // the highest that is; it follows where the codec lets it
	from *Up
	ts   uint32
	out  bool // the frame of ts is left out
	head bool // the packet was its first
}

// everyLayer sends all.
const everyLayer = math.MaxUint8

// leaves says whether a packet is left out. One that is late decides nothing.
func (t *thin) leaves(p *Packet, late bool) bool {
	if late {
		return p.layer > t.now
	}
	if t.head = p.from != t.from || p.Header.Timestamp != t.ts; !t.head {
		return t.out
	}
	switch {
	case p.Key, t.now > t.most, p.from != t.from && t.from != nil:
		t.now = t.most
	case p.layer == t.now+1 && p.up && t.now < t.most:
		t.now++
	}
	t.from, t.ts, t.out = p.from, p.Header.Timestamp, p.layer > t.now
	return t.out
}

// leave lets a packet go so that the receiver sees no gap. One that is late already has a number: it goes under that with
// nothing in it. The caller holds mu.
func (d *Down) leave(p *Packet) outcome {
	if !d.out.skip(p.Header.SequenceNumber, d.thin.head) {
		return notSent
	}
	seq, ts, ok := d.out.next(p.Header.SequenceNumber, p.Header.Timestamp, p.Arrived)
	if !ok {
		return notSent
	}
	h := &d.header
	*h = rtp.Header{Version: 2, PayloadType: d.bound.payloads[d.up.Codec].media, SequenceNumber: seq, Timestamp: ts, SSRC: d.bound.ssrc,
		Extensions: h.Extensions[:0]}
	d.extend(h, p, p.Arrived)
	if _, err := d.bound.out.WriteRTP(h, nil); err != nil {
		return notWritten
	}
	d.packets++
	return wasSent
}

// payload is what is sent of a packet: itself, or, of VP8, with a picture ID that follows where frames were left out. It
// holds until the next call. The caller holds mu.
func (d *Down) payload(p *Packet, back uint16) []byte {
	if back == 0 {
		return p.Payload
	}
	d.changed = append(d.changed[:0], p.Payload...)
	media.ShiftVP8(d.changed, back)
	return d.changed
}
