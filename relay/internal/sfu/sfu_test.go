package sfu

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"pgregory.net/rapid"

	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// Across any changes of track, what a receiver gets is one stream: numbers grow, one is left out at each
// change, timestamps never go back.
func TestSequenceIsOneStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s sequence
		at := time.Unix(1, 0)
		var lastSeq uint16
		var lastTS uint32
		any := false
		for range rapid.IntRange(1, 4).Draw(t, "tracks") {
			seq, ts := rapid.Uint16().Draw(t, "seq"), rapid.Uint32().Draw(t, "ts")
			for i := range rapid.IntRange(1, 60000).Draw(t, "packets") {
				h := &rtp.Header{SequenceNumber: seq + uint16(i), Timestamp: ts + uint32(i)*3000}
				if i == 0 {
					s.resume(h, true, at, 90000)
				}
				gotSeq, gotTS, ok := s.next(h, at)
				step := uint16(1)
				if i == 0 {
					step = 2
				}
				if !ok || any && (gotSeq != lastSeq+step || int32(gotTS-lastTS) <= 0) {
					t.Fatalf("packet %d: %d %d after %d %d, %v", i, gotSeq, gotTS, lastSeq, lastTS, ok)
				}
				lastSeq, lastTS, any = gotSeq, gotTS, true
				at = at.Add(time.Second / 30)
			}
		}
	})
}

func TestSequenceDropsWhatIsFromBeforeTheBreak(t *testing.T) {
	var s sequence
	at := time.Unix(1, 0)
	s.resume(&rtp.Header{SequenceNumber: 10}, true, at, 90000)
	if _, _, ok := s.next(&rtp.Header{SequenceNumber: 9}, at); ok {
		t.Error("a packet from before the break was sent")
	}
	if seq, _, ok := s.next(&rtp.Header{SequenceNumber: 12}, at); !ok || seq != 12 {
		t.Error(seq, ok)
	}
	if seq, _, ok := s.next(&rtp.Header{SequenceNumber: 11}, at); !ok || seq != 11 {
		t.Error("a late packet was not sent", seq, ok)
	}
}

func testUp(keys *int) *Up {
	now := time.Unix(1, 0)
	u := &Up{Kind: wire.Video, Codec: media.H264, ClockRate: 90000, Pool: NewPool(), done: make(chan struct{}),
		ask: func() { *keys++ }, now: func() time.Time { now = now.Add(time.Second / 30); return now }}
	u.sinks.Store(&[]Sink{})
	return u
}

func testPacket(u *Up, seq int, key bool) *Packet {
	p := u.Pool.get()
	p.Header = rtp.Header{SequenceNumber: uint16(seq), Timestamp: uint32(seq) * 3000}
	p.Payload = []byte{0x61, 1}
	if key {
		p.Payload = []byte{0x67, 1}
	}
	return p
}

type written struct{ seqs []uint16 }

func (w *written) WriteRTP(h *rtp.Header, p []byte) (int, error) {
	w.seqs = append(w.seqs, h.SequenceNumber)
	return len(p), nil
}

func (w *written) Write(b []byte) (int, error) { return len(b), nil }

// A receiver that does not keep up loses packets, is counted, asks for a key frame and goes on with it;
// who forwards never waits.
func TestSlowReceiverLosesUpToTheNextKeyFrame(t *testing.T) {
	keys := 0
	u := testUp(&keys)
	d := newDown(media.H264, webrtc.RTPCodecTypeVideo, "slot-0", new(atomic.Int64))
	out := &written{}
	d.bound = &bound{out: out}
	d.attach(u)
	send := func(seq int, key bool) {
		p := testPacket(u, seq, key)
		u.forward(p)
		p.Release(u.Pool)
	}
	send(0, false) // before any key frame
	if len(d.queue) != 0 || keys == 0 {
		t.Fatalf("%d queued, %d key frames asked for", len(d.queue), keys)
	}
	for i := 1; i <= queued+10; i++ {
		send(i, i == 1)
	}
	if len(d.queue) != queued || d.dropped.Load() != 1 {
		t.Fatalf("%d queued, %d dropped", len(d.queue), d.dropped.Load())
	}
	asked := keys
	for i := range 30 {
		send(queued+11+i, false)
	}
	if keys == asked {
		t.Error("no key frame was asked for again")
	}
	var h rtp.Header
	for len(d.queue) > 0 {
		it := <-d.queue
		d.send(d.bound, &h, make([]byte, 8), it)
	}
	send(2000, true)
	send(2001, false)
	for len(d.queue) > 0 {
		d.send(d.bound, &h, make([]byte, 8), <-d.queue)
	}
	n := len(out.seqs)
	if n != queued+2 || out.seqs[n-2] != out.seqs[n-3]+2 || out.seqs[n-1] != out.seqs[n-2]+1 {
		t.Fatalf("%d sent, the last %v", n, out.seqs[n-3:])
	}
}

// A publisher that does not say when frames were captured is given times that follow its RTP clock.
func TestCaptureTimeIsFilledIn(t *testing.T) {
	keys := 0
	u := testUp(&keys)
	u.extension = 3
	captured := func(p *Packet) int64 {
		u.stamp(p)
		at, err := wire.ParseAbsCaptureTime(p.Capture[:])
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	first := testPacket(u, 0, true)
	first.Arrived = time.UnixMicro(5_000_000)
	if got := captured(first); got != 5_000_000 {
		t.Errorf("first packet captured %d, want its arrival", got)
	}
	if got := captured(testPacket(u, 30, false)); got != 6_000_000 {
		t.Errorf("a second later: %d", got)
	}
	named := testPacket(u, 60, false)
	own := wire.AbsCaptureTime(123_456_789)
	if err := named.Header.SetExtension(3, own[:]); err != nil {
		t.Fatal(err)
	}
	if got := captured(named); got != 123_456_789 {
		t.Errorf("the publisher's own time became %d", got)
	}
	if got := captured(testPacket(u, 57, false)); got != 123_356_789 {
		t.Errorf("reckoned from the publisher's own: %d", got)
	}
}

func BenchmarkForward(b *testing.B) {
	keys := 0
	u := testUp(&keys)
	var stops []func()
	for range 10 {
		d := newDown(media.H264, webrtc.RTPCodecTypeVideo, "slot", new(atomic.Int64))
		d.bound = &bound{out: discard{}, extension: 1}
		d.attach(u)
		stop := make(chan struct{})
		go d.run(stop)
		stops = append(stops, func() { close(stop) })
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p := testPacket(u, i, i%30 == 0)
		u.forward(p)
		p.Release(u.Pool)
	}
	for _, stop := range stops {
		stop()
	}
}

type discard struct{}

func (discard) WriteRTP(_ *rtp.Header, p []byte) (int, error) { return len(p), nil }
func (discard) Write(b []byte) (int, error)                   { return len(b), nil }

var _ webrtc.TrackLocalWriter = discard{}
