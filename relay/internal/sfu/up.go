package sfu

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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

	remote    *webrtc.TrackRemote
	extension uint8
	ask       func() // sends a picture loss indication to the publisher
	now       func() time.Time

	sinks   atomic.Pointer[[]Sink]
	adding  sync.Mutex
	asked   atomic.Int64 // when a key frame was last asked for, unix ms
	packets atomic.Int64
	done    chan struct{}

	// Owned by run: where capture times are reckoned from, for packets that have none.
	anchorCapture int64
	anchorRTP     uint32
	anchored      bool
}

// askPause is the least time between two requests for a key frame.
const askPause = 400 * time.Millisecond

// Add begins to write the track to a sink, which hears nothing before the next key frame is asked for.
func (u *Up) Add(s Sink) {
	u.adding.Lock()
	defer u.adding.Unlock()
	next := append(slices.Clone(*u.sinks.Load()), s)
	u.sinks.Store(&next)
}

// Remove ends writing to a sink. A write that is under way may still reach it.
func (u *Up) Remove(s Sink) {
	u.adding.Lock()
	defer u.adding.Unlock()
	next := slices.DeleteFunc(slices.Clone(*u.sinks.Load()), func(x Sink) bool { return x == s })
	u.sinks.Store(&next)
}

// RequestKey asks the publisher for a key frame, at most every askPause; who needs one asks again until
// it comes.
func (u *Up) RequestKey() {
	if u.Kind != wire.Video {
		return
	}
	now, last := u.now().UnixMilli(), u.asked.Load()
	if now-last >= askPause.Milliseconds() && u.asked.CompareAndSwap(last, now) {
		u.ask()
	}
}

// Packets returns how many packets have come.
func (u *Up) Packets() int64 { return u.packets.Load() }

// Done is closed when the track has ended.
func (u *Up) Done() <-chan struct{} { return u.done }

// run reads until the connection ends.
func (u *Up) run() {
	defer close(u.done)
	for {
		p := u.Pool.get()
		n, _, err := u.remote.Read(p.buffer[:])
		if err != nil {
			p.Release(u.Pool)
			return
		}
		if p.parse(n) == nil {
			u.forward(p)
		}
		p.Release(u.Pool)
	}
}

func (u *Up) forward(p *Packet) {
	u.packets.Add(1)
	p.Arrived = u.now()
	p.Key = media.StartsKey(u.Codec, p.Payload)
	u.stamp(p)
	for _, s := range *u.sinks.Load() {
		s.Write(p)
	}
}

// stamp sees that the packet has a capture time: the publisher's own, or reckoned by the RTP clock from
// the last that it sent, or, where it sends none at all, from the first packet's arrival.
func (u *Up) stamp(p *Packet) {
	if raw := p.Header.GetExtension(u.extension); u.extension != 0 && len(raw) >= len(p.Capture) {
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

func newUp(remote *webrtc.TrackRemote, extension uint8, pool *Pool, ask func(), now func() time.Time) *Up {
	u := &Up{Kind: remote.Kind().String(), Codec: canonicalCodec(remote.Codec().MimeType),
		ClockRate: max(remote.Codec().ClockRate, 1), Pool: pool, remote: remote, extension: extension, ask: ask,
		now: now, done: make(chan struct{})}
	u.sinks.Store(&[]Sink{})
	return u
}

// canonicalCodec spells a MIME type as this project does, whatever a browser makes of its case.
func canonicalCodec(mime string) string {
	for _, c := range []string{media.H264, media.VP8, media.VP9, media.AV1, media.Opus} {
		if strings.EqualFold(c, mime) {
			return c
		}
	}
	return mime
}
