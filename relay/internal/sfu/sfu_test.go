package sfu

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
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
				inSeq, inTS := seq+uint16(i), ts+uint32(i)*3000
				if i == 0 {
					s.resume(inSeq, inTS, true, true, at, 90000)
				}
				gotSeq, gotTS, ok := s.next(inSeq, inTS, at)
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
	s.resume(10, 0, true, true, at, 90000)
	if _, _, ok := s.next(9, 0, at); ok {
		t.Error("a packet from before the break was sent")
	}
	if seq, _, ok := s.next(12, 0, at); !ok || seq != 12 {
		t.Error(seq, ok)
	}
	if seq, _, ok := s.next(11, 0, at); !ok || seq != 11 {
		t.Error("a late packet was not sent", seq, ok)
	}
}

func testLink() *link {
	now := time.Unix(1, 0)
	return &link{began: now, LinkConfig: LinkConfig{Pool: NewPool(), Now: func() time.Time { now = now.Add(time.Second / 30); return now }},
		arrived: twcc.NewRecorder(ownSSRC), stop: make(chan struct{})}
}

func testUp(keys *int) *Up {
	l := testLink()
	u := &Up{Kind: wire.Video, Codec: media.H264, ClockRate: 90000, Pool: l.Pool, link: l, done: make(chan struct{}),
		tell: func(packets ...rtcp.Packet) {
			if _, ok := packets[0].(*rtcp.PictureLossIndication); ok {
				*keys++
			}
		}}
	u.group.pool, u.received.clock = u.Pool, u.ClockRate
	return u
}

func testDown(out webrtc.TrackLocalWriter) *Down {
	d := newDown("", webrtc.RTPCodecTypeVideo, "slot-0", testLink())
	d.bound = &bound{out: out, ssrc: 7, rtx: 8, payloads: map[string]payload{media.H264: {96, 97}}, capture: 1, transport: 2}
	return d
}

func testPacket(u *Up, seq int, key bool) *Packet {
	p := u.Pool.get()
	p.Header = rtp.Header{SequenceNumber: uint16(seq), Timestamp: uint32(seq) * 3000}
	p.Payload = append(p.buffer[:0], 0x61, byte(seq>>8), byte(seq))
	if key {
		p.Payload[0] = 0x67
	}
	return p
}

func send(u *Up, seq int, key bool) {
	p := testPacket(u, seq, key)
	u.forward(p)
	p.Release(u.Pool)
}

type written struct {
	headers  []rtp.Header
	payloads [][]byte
}

func (w *written) WriteRTP(h *rtp.Header, p []byte) (int, error) {
	c := *h
	c.Extensions = nil
	w.headers = append(w.headers, c)
	w.payloads = append(w.payloads, bytes.Clone(p))
	return len(p), nil
}

func (w *written) Write(b []byte) (int, error) { return len(b), nil }

// Who comes in the middle is shown the frames since the last key frame at once, in quick succession, and is
// not behind afterwards; the publisher is not asked.
func TestWhoComesInTheMiddleSeesAPictureAtOnce(t *testing.T) {
	keys := 0
	u := testUp(&keys)
	for seq := range 40 {
		send(u, seq, seq == 10)
	}
	out := &written{}
	testDown(out).attach(u)
	send(u, 40, false)
	if len(out.headers) != 31 || keys != 0 || out.payloads[0][0] != 0x67 {
		t.Fatalf("%d packets, %d key frames asked for", len(out.headers), keys)
	}
	for i, h := range out.headers[1:] {
		step, want := h.Timestamp-out.headers[i].Timestamp, uint32(90)
		if i == 29 {
			want = 3000
		}
		if step != want || h.SequenceNumber != out.headers[i].SequenceNumber+1 {
			t.Fatalf("packet %d: %d ticks after the one before, number %d", i+1, step, h.SequenceNumber)
		}
	}
}

// Where the key frame is too long ago, or something is missing since, one is asked for and waited for.
func TestWhoComesInTheMiddleWaitsForAKeyFrame(t *testing.T) {
	for name, seqs := range map[string][]int{"too long ago": count(200), "a loss since": {0, 1, 2, 4, 5}} {
		keys := 0
		u := testUp(&keys)
		for _, seq := range seqs {
			send(u, seq, seq == 0)
		}
		out := &written{}
		testDown(out).attach(u)
		send(u, 300, false)
		if len(out.headers) != 0 || keys == 0 {
			t.Errorf("%s: %d packets sent, %d key frames asked for", name, len(out.headers), keys)
		}
		send(u, 301, true)
		if len(out.headers) != 1 {
			t.Errorf("%s: the key frame was not sent", name)
		}
	}
}

func count(n int) (out []int) {
	for i := range n {
		out = append(out, i)
	}
	return out
}

// What a receiver misses is sent again, on the stream for that, under its old number; not twice within a
// round trip, and not when it is long gone.
func TestResend(t *testing.T) {
	keys := 0
	u := testUp(&keys)
	out := &written{}
	d := testDown(out)
	d.attach(u)
	for seq := range 600 {
		send(u, seq, seq == 0)
	}
	at := d.link.Now()
	d.link.Now = func() time.Time { return at }
	last := out.headers[599].SequenceNumber
	d.resend([]uint16{last - 3, last - 599})
	d.resend([]uint16{last - 3})
	if len(out.headers) != 601 {
		t.Fatalf("%d sent again", len(out.headers)-600)
	}
	h, p := out.headers[600], out.payloads[600]
	if h.SSRC != 8 || h.PayloadType != 97 || binary.BigEndian.Uint16(p) != last-3 || !bytes.Equal(p[2:], out.payloads[596]) {
		t.Errorf("sent again: %+v % x", h, p)
	}
	at = at.Add(time.Second)
	d.bound.rtx = 0 // a receiver without such a stream
	d.resend([]uint16{last - 3})
	if h := out.headers[601]; h.SSRC != 7 || h.SequenceNumber != last-3 || h.Timestamp != out.headers[596].Timestamp {
		t.Errorf("sent again in the stream: %+v", h)
	}
}

// All packets go back to the pool when nobody needs them any more.
func TestNothingIsKeptAfterTheEnd(t *testing.T) {
	keys := 0
	u := testUp(&keys)
	d := testDown(&written{})
	d.attach(u)
	var all []*Packet
	for seq := range 700 {
		p := testPacket(u, seq, seq%50 == 0)
		all = append(all, p)
		u.forward(p)
	}
	d.close()
	u.group.end()
	for i, p := range all {
		if n := p.refs.Load(); n != 1 {
			t.Fatalf("packet %d is held %d times", i, n-1)
		}
	}
}

// A publisher that does not say when frames were captured is given times that follow its RTP clock.
func TestCaptureTimeIsFilledIn(t *testing.T) {
	keys := 0
	u := testUp(&keys)
	u.capture = 3
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

// One packet to ten receivers, but for encryption and the socket.
func forwarding() func() {
	keys := 0
	u := testUp(&keys)
	for range 10 {
		testDown(discard{}).attach(u)
	}
	seq := 0
	forward := func() {
		send(u, seq, seq%30 == 0)
		seq++
	}
	for range 2 * keptSent {
		forward()
	}
	return forward
}

func TestForwardingDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(1000, forwarding()); n > 0 {
		t.Errorf("%.1f allocations a packet", n)
	}
}

func BenchmarkForward(b *testing.B) {
	forward := forwarding()
	b.ReportAllocs()
	for b.Loop() {
		forward()
	}
}

type discard struct{}

func (discard) WriteRTP(_ *rtp.Header, p []byte) (int, error) { return len(p), nil }
func (discard) Write(b []byte) (int, error)                   { return len(b), nil }

var _ webrtc.TrackLocalWriter = discard{}
