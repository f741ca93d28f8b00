package sfu

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// queued is how many packets wait for one receiver: about a second of 4 Mbit/s.
const queued = 512

// Down is a media section on which a receiver gets tracks, one after another: it is a slot that stays
// when its track goes. pion sees it as a local track. Write is called by up tracks, the queue is emptied
// by one goroutine of its own.
type Down struct {
	kind  webrtc.RTPCodecType
	codec string // what it carries; empty: whatever the receiver takes
	id    string
	queue chan item

	mu      sync.Mutex
	up      *Up
	waiting bool // for a key frame
	fresh   bool // the next packet does not follow the one before
	bound   *bound

	dropped *atomic.Int64 // of all slots of the receiver

	out sequence // owned by run
}

// item is a queued packet. first says that the stream goes on here after a break.
type item struct {
	packet *Packet
	up     *Up
	first  bool
	moved  bool // another track begins
}

type bound struct {
	id        string
	out       webrtc.TrackLocalWriter
	ssrc      uint32
	payloads  map[string]uint8 // by codec
	extension uint8
}

func newDown(codec string, kind webrtc.RTPCodecType, id string, dropped *atomic.Int64) *Down {
	return &Down{codec: codec, kind: kind, id: id, dropped: dropped, queue: make(chan item, queued)}
}

// attach begins to carry a track, from its next key frame on.
func (d *Down) attach(u *Up) {
	d.mu.Lock()
	d.up, d.waiting, d.fresh = u, true, true
	d.mu.Unlock()
	u.Add(d)
	u.RequestKey()
}

// detach makes the slot idle.
func (d *Down) detach() {
	d.mu.Lock()
	u := d.up
	d.up = nil
	d.mu.Unlock()
	if u != nil {
		u.Remove(d)
	}
}

// Write queues a packet, or drops it: while a key frame is waited for, or when the queue is full, which
// breaks the stream up to the next key frame.
func (d *Down) Write(p *Packet) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.up == nil || d.bound == nil {
		return
	}
	if d.waiting && !p.Key {
		d.up.RequestKey()
		return
	}
	p.Retain()
	select {
	case d.queue <- item{packet: p, up: d.up, first: d.waiting, moved: d.fresh}:
		d.waiting, d.fresh = false, false
	default:
		p.Release(d.up.Pool)
		d.dropped.Add(1)
		d.waiting = true
		d.up.RequestKey()
	}
}

// run sends what is queued until stop is closed.
func (d *Down) run(stop <-chan struct{}) {
	var h rtp.Header
	var capture [wire.AbsCaptureTimeSize]byte
	for {
		select {
		case it := <-d.queue:
			d.mu.Lock()
			b := d.bound
			d.mu.Unlock()
			if b != nil {
				capture = it.packet.Capture
				d.send(b, &h, capture[:], it)
			}
			it.packet.Release(it.up.Pool)
		case <-stop:
			return
		}
	}
}

func (d *Down) send(b *bound, h *rtp.Header, capture []byte, it item) {
	if it.first {
		d.out.resume(&it.packet.Header, it.moved, it.packet.Arrived, it.up.ClockRate)
	}
	seq, ts, ok := d.out.next(&it.packet.Header, it.packet.Arrived)
	if !ok {
		return
	}
	*h = rtp.Header{Version: 2, Marker: it.packet.Header.Marker, PayloadType: b.payloads[it.up.Codec], SequenceNumber: seq,
		Timestamp: ts, SSRC: b.ssrc, Extensions: h.Extensions[:0]}
	if b.extension != 0 {
		_ = h.SetExtension(b.extension, capture)
	}
	_, _ = b.out.WriteRTP(h, it.packet.Payload) // it fails only while the connection ends
}

// feedback passes the receiver's requests for key frames on until the sender ends.
func (d *Down) feedback(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			switch p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				d.mu.Lock()
				u := d.up
				d.mu.Unlock()
				if u != nil {
					u.RequestKey()
				}
			}
		}
	}
}

var errCodec = errors.New("the receiver does not take this codec")

// Bind is called by pion when the connection can carry the slot.
func (d *Down) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := &bound{id: c.ID(), out: c.WriteStream(), ssrc: uint32(c.SSRC()), payloads: map[string]uint8{},
		extension: media.ExtensionID(c.HeaderExtensions(), wire.AbsCaptureTimeURI)}
	var first *webrtc.RTPCodecParameters
	for _, codec := range c.CodecParameters() {
		name := canonicalCodec(codec.MimeType)
		if _, ok := b.payloads[name]; ok || d.codec != "" && name != d.codec {
			continue
		}
		b.payloads[name] = uint8(codec.PayloadType)
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
