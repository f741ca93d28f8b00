package sfu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// Down is a media section on which a receiver gets tracks, one after another: it is a slot that stays
// when its track goes. pion sees it as a local track. Write is called by up tracks and never waits.
type Down struct {
	kind  webrtc.RTPCodecType
	codec string // what it carries; empty: whatever the receiver takes
	id    string
	link  *link

	joining sync.Mutex // held while sinks are joined and left; comes before an up track's lock

	mu      sync.Mutex
	up      *Up
	layer   *Up   // the stream of it that is sent: up itself, or one of its layers
	next    *Up   // the layer that is sent from its next key frame on
	on      []*Up // the streams that are written here
	sent    *Up   // the one that the last packet was of
	wish    wish  // what the receiver has a use for
	waiting bool  // for a key frame
	fresh   bool  // the next packet does not follow the one before
	cut     bool  // the last packet was not its frame's end
	bound   *bound
	out     sequence
	kept    history
	rtt     time.Duration

	thin    thin   // which temporal layers are sent
	rung    string // wire.RungFull and below; see ladder.go
	bears   string // the one that the link bears; rung may be lower, as the receiver wishes
	settled time.Time
	budget  float64 // bits per second for key frames
	credit  float64 // bytes that may be sent now
	still   []*Packet
	stillOf *Up
	stillAt time.Time
	stillTS uint32
	chunks  []wire.StillChunk // of a still, on the rung of that name

	header  rtp.Header // reused for every packet
	number  [2]byte    // its transport-wide number
	again   []byte     // a retransmission's payload
	changed []byte     // a payload with another picture ID
	rtx     uint16     // its sequence number
	packets uint32
	octets  uint32
	counts  Counts
}

// Counts are the packets of a receiver. Those that came are those that were sent, skipped, or failed.
type Counts struct {
	Came     int64 `json:"came"`     // from the streams that it is given
	Sent     int64 `json:"sent"`     // for the first time
	Skipped  int64 `json:"skipped"`  // while a key frame is waited for, or on a rung without moving pictures
	Failed   int64 `json:"failed"`   // that could not be written
	Repeated int64 `json:"repeated"` // sent from what is kept: to who comes in the middle, and as stills
	Again    int64 `json:"again"`    // sent again, because they were missed
}

func (c *Counts) add(o Counts) {
	c.Came, c.Sent, c.Skipped, c.Failed = c.Came+o.Came, c.Sent+o.Sent, c.Skipped+o.Skipped, c.Failed+o.Failed
	c.Repeated, c.Again = c.Repeated+o.Repeated, c.Again+o.Again
}

// outcome is what became of a packet.
type outcome int

const (
	notSent outcome = iota
	notWritten
	wasSent
)

// writer sends packets to the receiver.
type writer interface {
	WriteRTP(h *rtp.Header, payload []byte) (int, error)
}

type bound struct {
	out       writer
	ssrc      uint32
	rtx       uint32 // the SSRC of retransmissions; 0: they go in the stream itself
	payloads  map[string]payload
	capture   uint8 // the numbers of the header extensions; 0: not negotiated
	transport uint8
	marks     [2]uint8
}

// payload are the payload types of a codec and of its retransmissions.
type payload struct{ media, rtx uint8 }

func newDown(codec string, kind webrtc.RTPCodecType, id string, l *link) *Down {
	return &Down{codec: codec, kind: kind, id: id, link: l, rung: wire.RungFull, bears: wire.RungFull, thin: thin{most: everyLayer, now: everyLayer}}
}

// attach begins to carry a track: with the frames since its last key frame where the up track has them,
// else from its next key frame on.
func (d *Down) attach(u *Up) {
	choices := u.choices(d.link.Now())
	if len(choices) == 0 {
		return
	}
	d.joining.Lock()
	defer d.joining.Unlock()
	d.mu.Lock()
	first := d.wish.useful(choices)[0]
	d.up, d.on, d.next = u, []*Up{first}, nil
	d.rung = lower(d.bears, d.wish.most)
	d.mu.Unlock()
	if !first.addDown(d) {
		first.RequestKey()
	}
}

// begin is called by the up track before the first Write, with what it has kept.
func (d *Down) begin(u *Up, g *group) (shown bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.layer, d.waiting, d.fresh = u, true, true
	d.drop()
	if d.bound == nil || !g.whole || !moving(d.rung) {
		return false
	}
	now := d.link.Now()
	g.each(u.ClockRate, func(p *Packet, timestamp uint32) { d.repeat(p, timestamp, p.Arrived, now) })
	return true
}

// detach makes the slot idle.
func (d *Down) detach() {
	d.mu.Lock()
	d.drop()
	d.up, d.layer, d.next = nil, nil, nil
	d.mu.Unlock()
	d.follow()
}

// follow begins to take the layers that are wanted, and leaves those that are not.
func (d *Down) follow() {
	d.joining.Lock()
	defer d.joining.Unlock()
	d.mu.Lock()
	was, now := d.on, []*Up(nil)
	for _, u := range []*Up{d.layer, d.next} {
		if u != nil && d.rung != wire.RungOff {
			now = append(now, u)
		}
	}
	d.on = now
	d.mu.Unlock()
	for _, u := range was {
		if !slices.Contains(now, u) {
			u.Remove(d)
		}
	}
	for _, u := range now {
		if !slices.Contains(was, u) {
			u.Add(d)
			u.RequestKey()
		}
	}
}

// close lets go of what is kept.
func (d *Down) close() {
	d.detach()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept.clear()
}

// Write sends a packet, or drops it while a key frame is waited for.
func (d *Down) Write(p *Packet) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts.Came++
	switch d.write(p) {
	case wasSent:
		d.counts.Sent++
	case notWritten:
		d.counts.Failed++
	default:
		d.counts.Skipped++
	}
}

func (d *Down) write(p *Packet) outcome {
	if d.up == nil || d.bound == nil || !moving(d.rung) {
		return notSent
	}
	switch p.from {
	case d.layer:
	case d.next:
		if !p.Key {
			d.next.RequestKey()
			return notSent
		}
		d.layer, d.next = d.next, nil // the one before is left when there is time
		d.waiting = true
	default:
		return notSent
	}
	d.waiting = d.waiting || p.afresh
	if d.waiting && !p.Key {
		d.layer.RequestKey()
		return notSent
	}
	if !d.waiting && d.thin.leaves(p, d.out.isLate(p.Header.SequenceNumber)) {
		return d.leave(p)
	}
	return d.forward(p, p.Header.Timestamp, p.Arrived, p.Arrived)
}

// repeat sends a packet that was kept. The caller holds mu.
func (d *Down) repeat(p *Packet, timestamp uint32, at, now time.Time) {
	if d.forward(p, timestamp, at, now) == wasSent {
		d.counts.Repeated++
	}
}

// forward renumbers a packet and sends it now. at is when the stream's clock was at timestamp. The caller holds mu.
func (d *Down) forward(p *Packet, timestamp uint32, at, now time.Time) outcome {
	if d.waiting {
		d.out.resume(p.Header.SequenceNumber, timestamp, d.fresh || p.from != d.sent, d.cut, at, d.up.ClockRate)
		d.waiting, d.fresh, d.sent = false, false, p.from
	}
	seq, ts, ok := d.out.next(p.Header.SequenceNumber, timestamp, at)
	if !ok {
		return notSent
	}
	b := d.bound
	h := &d.header
	*h = rtp.Header{Version: 2, Marker: p.Header.Marker, PayloadType: b.payloads[d.up.Codec].media, SequenceNumber: seq,
		Timestamp: ts, SSRC: b.ssrc, Extensions: h.Extensions[:0]}
	number := d.extend(h, p, now)
	back := uint16(0)
	if d.up.Codec == media.VP8 {
		back = d.out.framesBefore(p.Header.SequenceNumber)
	}
	became := wasSent
	if _, err := b.out.WriteRTP(h, d.payload(p, back)); err != nil {
		became = notWritten
	}
	d.cut = !p.Header.Marker
	d.packets++
	d.octets += uint32(len(p.Payload))
	if d.kind == webrtc.RTPCodecTypeVideo {
		d.kept.add(sent{packet: p, up: d.up, timestamp: ts, at: d.link.since(now), seq: seq, transport: number, back: back})
	}
	return became
}

// extend puts the header extensions on a packet and returns its transport-wide number.
func (d *Down) extend(h *rtp.Header, p *Packet, now time.Time) (number uint16) {
	if d.bound.transport != 0 {
		number = d.link.numbers.Next(len(p.Payload)+overhead, now)
		d.extendAs(h, p, number)
		return number
	}
	d.extendAs(h, p, 0)
	return 0
}

// overhead is what a packet has besides its payload, roughly: IP, UDP, RTP with extensions, SRTP.
const overhead = 20 + 8 + 12 + 20 + 16

func (d *Down) extendAs(h *rtp.Header, p *Packet, number uint16) {
	b := d.bound
	if b.capture != 0 {
		_ = h.SetExtension(b.capture, p.Capture[:])
	}
	if b.transport != 0 {
		binary.BigEndian.PutUint16(d.number[:], number)
		_ = h.SetExtension(b.transport, d.number[:])
	}
	for i, id := range b.marks {
		if id != 0 && p.has[i] {
			_ = h.SetExtension(id, p.marks[i:i+1])
		}
	}
}

// resend sends packets again that the receiver misses: on the stream for retransmissions (RFC 4588), or as
// they were where there is none.
func (d *Down) resend(seqs []uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.bound
	if b == nil {
		return
	}
	now := d.link.Now()
	if moving(d.rung) && d.kept.missedLong(seqs, d.link.since(now)-longMissed-d.rtt) {
		d.restart()
		return
	}
	pause := min(max(d.rtt, 10*time.Millisecond), 500*time.Millisecond)
	for _, seq := range seqs {
		s := d.kept.get(seq, d.link.since(now), pause)
		if s == nil {
			continue
		}
		pt := b.payloads[s.up.Codec]
		h := &d.header
		*h = rtp.Header{Version: 2, Marker: s.packet.Header.Marker, PayloadType: pt.media, SequenceNumber: s.seq,
			Timestamp: s.timestamp, SSRC: b.ssrc, Extensions: h.Extensions[:0]}
		if b.rtx == 0 || pt.rtx == 0 {
			// Under the old numbers, all of them: what is encrypted under one number must not differ.
			d.extendAs(h, s.packet, s.transport)
			d.sentAgain(b.out.WriteRTP(h, d.payload(s.packet, s.back)))
			continue
		}
		h.PayloadType, h.SSRC, h.SequenceNumber = pt.rtx, b.rtx, d.rtx
		d.rtx++
		d.extend(h, s.packet, now)
		d.again = append(binary.BigEndian.AppendUint16(d.again[:0], s.seq), d.payload(s.packet, s.back)...)
		d.sentAgain(b.out.WriteRTP(h, d.again))
	}
	d.link.resent.Add(int64(len(seqs)))
}

// longMissed is when a packet is asked for the first time at most, besides the round trip, where the link is only lossy.
const longMissed = 500 * time.Millisecond

// restart goes on with a key frame: all that was lost in an outage, sent again at once, would fill the link, be lost
// again, and be of no use to who sees the picture as it is now. The caller holds mu.
func (d *Down) restart() {
	d.kept.clear()
	if d.up != nil && d.layer != nil {
		d.waiting = true
		d.layer.RequestKey()
	}
}

func (d *Down) sentAgain(_ int, err error) {
	if err == nil {
		d.counts.Again++
	}
}

var errCodec = errors.New("the receiver does not take this codec")

// Bind is called by pion when the connection can carry the slot.
func (d *Down) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	extensions := c.HeaderExtensions()
	b := &bound{out: d.link.tap, ssrc: uint32(c.SSRC()), rtx: uint32(c.SSRCRetransmission()), payloads: map[string]payload{},
		capture: media.ExtensionID(extensions, wire.AbsCaptureTimeURI), transport: media.ExtensionID(extensions, media.TransportCCURI),
		marks: [2]uint8{media.ExtensionID(extensions, media.AudioLevelURI), media.ExtensionID(extensions, media.OrientationURI)}}
	codecs := c.CodecParameters()
	var first *webrtc.RTPCodecParameters
	for _, codec := range codecs {
		name := canonicalCodec(codec.MimeType)
		if _, ok := b.payloads[name]; ok || d.codec != "" && name != d.codec {
			continue
		}
		b.payloads[name] = payload{uint8(codec.PayloadType), retransmits(codecs, codec.PayloadType)}
		if first == nil {
			first = &codec
		}
	}
	if first == nil {
		return webrtc.RTPCodecParameters{}, errCodec
	}
	d.bound = b
	return *first, nil
}

// retransmits returns the payload type of a codec's retransmissions, or 0.
func retransmits(codecs []webrtc.RTPCodecParameters, of webrtc.PayloadType) uint8 {
	for _, c := range codecs {
		if canonicalCodec(c.MimeType) == webrtc.MimeTypeRTX && c.SDPFmtpLine == fmt.Sprintf("apt=%d", of) {
			return uint8(c.PayloadType)
		}
	}
	return 0
}

// Unbind is called by pion when the connection ends.
func (d *Down) Unbind(webrtc.TrackLocalContext) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bound = nil
	return nil
}

// ID names the slot.
func (d *Down) ID() string { return d.id }

// takes says whether the slot is bound and its receiver takes a codec.
func (d *Down) takes(codec string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bound == nil {
		return false
	}
	_, ok := d.bound.payloads[codec]
	return ok
}

// RID is empty: there is one layer.
func (d *Down) RID() string { return "" }

// StreamID names the slot too: what it carries changes.
func (d *Down) StreamID() string { return d.id }

// Kind is video or audio, in pion's words.
func (d *Down) Kind() webrtc.RTPCodecType { return d.kind }
