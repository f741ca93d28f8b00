package sfu

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// Sink takes the packets of an up track. It must not block; to keep a packet it retains it.
type Sink interface {
	Write(*Packet)
}

// Up is a track that a participant publishes. Its methods may be called from any goroutine.
type Up struct {
	Participant, Role, Name, Kind, Codec string
	ClockRate                            uint32
	Pool                                 *Pool

	link   *link
	remote *webrtc.TrackRemote
	ssrc   uint32
	tell   func(...rtcp.Packet) // the publisher

	capture, transport uint8 // the numbers of the header extensions; 0: not negotiated
	marks              [2]uint8
	dependency         uint8 // dependency descriptors, which AV1 has

	meter meter
	voice voice        // of sound
	heard atomic.Int64 // when the last packet came, unix ms
	width atomic.Int64 // of the picture, pixels, as its key frames say; 0: not known

	of    *layers // whose layer it is, or nil
	rank  int     // among those, 0 is the best
	sizes *layers // whose face it is, or nil: then it has no stream of its own

	mu       sync.Mutex // held while a packet is written to the sinks
	sinks    []Sink
	group    group
	received reception
	muted    bool  // nothing is written to the sinks
	late     int64 // packets that came twice, or when they were given up

	asked   atomic.Int64 // when a key frame was last asked for, unix ms
	packets atomic.Int64
	done    chan struct{}

	turn   sync.Mutex
	direct bool   // packets come straight from the socket
	passed uint16 // the last one that was left to pion

	coming sync.Mutex // held while a packet is forwarded
	// Owned by who forwards: where capture times are reckoned from, for packets that have none.
	anchorCapture int64
	anchorRTP     uint32
	anchored      bool
	dependencies  media.Dependencies
}

// askPause is the least time between two requests for a key frame.
const askPause = 400 * time.Millisecond

func newUp(l *link, remote *webrtc.TrackRemote, extensions []webrtc.RTPHeaderExtensionParameter) *Up {
	id := func(uri string) uint8 { return media.ExtensionID(extensions, uri) }
	u := &Up{Participant: l.Participant, Role: l.Role, Kind: remote.Kind().String(), Codec: canonicalCodec(remote.Codec().MimeType),
		ClockRate: max(remote.Codec().ClockRate, 1), Pool: l.Pool, link: l, remote: remote, ssrc: uint32(remote.SSRC()),
		dependency: id(media.DependencyURI), capture: id(wire.AbsCaptureTimeURI), transport: id(media.TransportCCURI),
		marks: [2]uint8{id(media.AudioLevelURI), id(media.OrientationURI)}, done: make(chan struct{})}
	u.tell = func(packets ...rtcp.Packet) { _ = l.pc.WriteRTCP(packets) }
	u.group.pool, u.received.clock = u.Pool, u.ClockRate
	return u
}

// Add begins to write the track to a sink.
func (u *Up) Add(s Sink) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sinks = append(u.sinks, s)
}

// addDown begins to write the track to a slot, from its last key frame on where it is kept.
func (u *Up) addDown(d *Down) (shown bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sinks = append(u.sinks, d)
	if u.silent(u.link.Now()) {
		u.group.clear() // long ago
	}
	shown = d.begin(u, &u.group)
	u.link.flush()
	return shown
}

// Remove ends writing to a sink. When it returns, no write is under way.
func (u *Up) Remove(s Sink) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sinks = slices.DeleteFunc(u.sinks, func(x Sink) bool { return x == s })
}

// RequestKey asks the publisher for a key frame, at most every askPause; who needs one asks again until
// it comes.
func (u *Up) RequestKey() {
	if u.Kind != wire.Video {
		return
	}
	if u.sizes != nil {
		for _, l := range u.sizes.coming(u.link.Now()) {
			l.RequestKey()
		}
		return
	}
	now, last := u.link.Now().UnixMilli(), u.asked.Load()
	if now-last >= askPause.Milliseconds() && u.asked.CompareAndSwap(last, now) {
		u.tell(&rtcp.PictureLossIndication{SenderSSRC: ownSSRC, MediaSSRC: u.ssrc})
	}
}

// bits returns what the track takes, per second.
func (u *Up) bits() float64 {
	if u.of != nil {
		return u.of.bits(u)
	}
	return u.meter.rate()
}

// choices are the streams that a receiver may get of the track, the best first.
func (u *Up) choices(now time.Time) []*Up {
	if u.sizes != nil {
		return u.sizes.choices(now)
	}
	return []*Up{u}
}

// lastKey returns the packets of the last whole key frame, retained for the caller; of layers the smallest's.
func (u *Up) lastKey() []*Packet {
	if u.sizes != nil {
		all := u.sizes.coming(u.link.Now())
		if len(all) == 0 {
			return nil
		}
		return all[len(all)-1].lastKey()
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, p := range u.group.key {
		p.Retain()
	}
	return slices.Clone(u.group.key)
}

// Packets returns how many packets have come, of all sizes.
func (u *Up) Packets() (n int64) {
	if u.sizes == nil {
		return u.packets.Load()
	}
	for _, l := range u.sizes.all() {
		n += l.Packets()
	}
	return n
}

// Done is closed when the track has ended.
func (u *Up) Done() <-chan struct{} { return u.done }

// run reads what pion has of the track until the connection ends: its first packets, after which they come straight
// from the socket.
func (u *Up) run() {
	defer u.end()
	for {
		p := u.Pool.get()
		n, _, err := u.remote.Read(p.buffer[:])
		if err == nil && p.parse(n) == nil {
			u.forward(p)
			u.caught(p.Header.SequenceNumber)
		}
		p.Release(u.Pool)
		if err != nil {
			return
		}
	}
}

// end is called once, when nothing more comes of the track.
func (u *Up) end() {
	u.mu.Lock()
	u.group.end()
	u.mu.Unlock()
	u.link.forget(u)
	if u.of != nil {
		u.of.left()
	}
	close(u.done)
}

// forward writes a packet to everybody, and asks for what is missing before it. Packets come one after another.
func (u *Up) forward(p *Packet) {
	u.coming.Lock()
	defer u.coming.Unlock()
	p.Arrived, p.from = u.link.Now(), u
	u.heard.Store(p.Arrived.UnixMilli())
	if u.Kind == wire.Video {
		p.layer, p.up = media.Temporal(u.Codec, p.Payload)
		if raw := p.Header.GetExtension(u.dependency); u.dependency != 0 && raw != nil {
			if layer := u.dependencies.Temporal(raw); p.layer == 0 { // with it, Chromium leaves the layer out of VP8's payload
				p.layer, p.up = layer, true
			}
		}
	}
	u.meter.add(p.layer, len(p.Payload)+overhead, p.Arrived)
	if u.note(p); u.Kind == wire.Audio && p.has[0] {
		u.voice.take(p.marks[0], p.Arrived)
	}
	u.mu.Lock()
	gap, afresh, late := u.received.take(p.Header.SequenceNumber, p.Header.Timestamp, p.Arrived)
	if late {
		u.late++
		u.mu.Unlock()
		return
	}
	u.packets.Add(1)
	p.afresh = afresh && u.Kind == wire.Video
	if p.Key = media.StartsKey(u.Codec, p.Payload); p.Key && u.Kind == wire.Video {
		if w := media.Width(u.Codec, p.Payload); w > 0 {
			u.width.Store(int64(w))
		}
	}
	u.stamp(p)
	u.write(p)
	muted := u.muted
	u.mu.Unlock()
	if u.of != nil && !muted {
		u.of.take(u, p)
	}
	if p.Header.Marker || u.Kind == wire.Audio {
		u.link.flush()
	}
	switch {
	case gap:
		u.askMissing(p.Arrived)
	case p.afresh && !p.Key:
		u.RequestKey()
	}
}

// write hands a packet to everybody. The caller holds mu.
func (u *Up) write(p *Packet) {
	if u.muted {
		return
	}
	for _, s := range u.sinks {
		s.Write(p)
	}
	if u.Kind == wire.Video {
		u.group.take(p)
	}
}

// show writes a packet that a face takes from its layers.
func (u *Up) show(p *Packet) {
	u.meter.add(p.layer, len(p.Payload)+overhead, p.Arrived)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.write(p)
}

// note takes the marks of a packet, and acknowledges it.
func (u *Up) note(p *Packet) {
	for i, id := range u.marks {
		if raw := p.Header.GetExtension(id); id != 0 && len(raw) == 1 {
			p.marks[i], p.has[i] = raw[0], true
		}
	}
	if raw := p.Header.GetExtension(u.transport); u.transport != 0 && len(raw) == 2 {
		u.link.arrive(u.ssrc, uint16(raw[0])<<8|uint16(raw[1]), p.Arrived)
	}
}

// askMissing asks the publisher to send again what has not come.
func (u *Up) askMissing(now time.Time) {
	if u.Kind != wire.Video {
		return
	}
	u.mu.Lock()
	due := u.received.due(now)
	u.mu.Unlock()
	if len(due) > 0 {
		u.tell(&rtcp.TransportLayerNack{SenderSSRC: ownSSRC, MediaSSRC: u.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(due)})
	}
}

func (u *Up) receptionReport(now time.Time) (rtcp.ReceptionReport, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.received.report(u.ssrc, now)
}

// stamp sees that the packet has a capture time: the publisher's own, or reckoned by the RTP clock from
// the last that it sent, or, where it sends none at all, from the first packet's arrival.
func (u *Up) stamp(p *Packet) {
	if raw := p.Header.GetExtension(u.capture); u.capture != 0 && len(raw) >= len(p.Capture) {
		copy(p.Capture[:], raw)
		u.anchorCapture, _ = wire.ParseAbsCaptureTime(raw)
		u.anchorRTP, u.anchored = p.Header.Timestamp, true
		return
	}
	if !u.anchored {
		u.anchorCapture, u.anchorRTP, u.anchored = p.Arrived.UnixMicro(), p.Header.Timestamp, true
	}
	ticks := int64(int32(p.Header.Timestamp - u.anchorRTP))
	p.Capture = wire.AbsCaptureTime(u.anchorCapture + ticks*1_000_000/int64(u.ClockRate))
}

// canonicalCodec spells a MIME type as this project does, whatever a browser makes of its case.
func canonicalCodec(mime string) string {
	for _, c := range []string{media.H264, media.VP8, media.VP9, media.AV1, media.Opus, webrtc.MimeTypeRTX} {
		if strings.EqualFold(c, mime) {
			return c
		}
	}
	return mime
}
