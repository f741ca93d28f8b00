package sfu

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// twoSizes is a picture that is sent in two sizes, 2 Mbit/s and 400 kbit/s, on one clock.
type twoSizes struct {
	layers *layers
	ups    [2]*Up
	now    time.Time
	seqs   [2]uint16
	asked  [2]bool // for a key frame
}

func newSized() *twoSizes {
	s := &twoSizes{now: time.Unix(100, 0)}
	l := testLink()
	l.Now = func() time.Time { return s.now }
	for i := range s.ups {
		u := &Up{Name: "camera", Kind: wire.Video, Codec: media.H264, ClockRate: 90000, Pool: l.Pool, link: l, ssrc: uint32(i + 1), done: make(chan struct{})}
		u.tell = func(packets ...rtcp.Packet) {
			if _, ok := packets[0].(*rtcp.PictureLossIndication); ok {
				s.asked[i] = true
			}
		}
		u.group.pool, u.received.clock = u.Pool, u.ClockRate
		s.ups[i] = u
		s.seqs[i] = uint16(1000 * (i + 1))
	}
	s.layers = newLayers(sized{names: []string{"f", "h"}}, s.ups[0])
	for rank, u := range s.ups {
		s.layers.join(u, rank)
	}
	return s
}

// play sends so many frames of a thirtieth of a second, of both sizes or only the smaller; key frames where they are
// asked for.
func (s *twoSizes) play(frames int, both bool) {
	for range frames {
		s.now = s.now.Add(time.Second / 30)
		for i, u := range s.ups {
			if i == 0 && !both {
				continue
			}
			packets := []int{7, 1}[i]
			for k := range packets {
				s.seqs[i]++
				payload := make([]byte, []int{1120, 1590}[i]-overhead)
				payload[0] = 0x61
				if s.asked[i] && k == 0 {
					payload[0], s.asked[i] = 0x67, false
				}
				raw, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: s.seqs[i], Timestamp: uint32(int(s.seqs[i])/packets*3000) + uint32(i)<<20,
					SSRC: u.ssrc, Marker: k == packets-1}, Payload: payload[:min(len(payload), 1400)]}).Marshal()
				if err != nil {
					panic(err)
				}
				p := u.Pool.get()
				copy(p.buffer[:], raw)
				if err := p.parse(len(raw)); err != nil {
					panic(err)
				}
				u.forward(p)
				p.Release(u.Pool)
			}
		}
	}
}

// sizesOf says of which layer each of the packets was.
func sizesOf(w *written) (out []int) {
	for _, p := range w.payloads {
		if len(p) > 1100 {
			out = append(out, 1)
		} else {
			out = append(out, 0)
		}
	}
	return out
}

// A receiver gets the size that its link bears, as one stream, and a key frame wherever the size changes.
func TestAReceiverGetsTheSizeItsLinkBears(t *testing.T) {
	s := newSized()
	s.play(60, true)
	out := &written{}
	d := testDown(out)
	d.link.Now = func() time.Time { return s.now }
	var rungs []string
	d.link.OnRung = func(u *Up, rung string) {
		if u != s.layers.face {
			t.Errorf("a rung of %v", u)
		}
		rungs = append(rungs, rung)
	}
	d.attach(s.layers.face)
	settle := func(rest float64) {
		for range 4 {
			d.settle(rest, s.now)
			d.follow()
			s.play(15, true)
		}
	}
	for _, step := range []struct {
		rest float64
		size int
	}{{5e6, 0}, {1e6, 1}, {5e6, 0}} {
		settle(step.rest)
		all := sizesOf(out)
		if got := all[len(all)-1]; got != step.size {
			t.Fatalf("at %.0f Mbit/s: size %d, want %d", step.rest/1e6, got, step.size)
		}
	}
	if want := []string{wire.RungSmall, wire.RungFull}; !slices.Equal(rungs, want) {
		t.Errorf("rungs %v, want %v", rungs, want)
	}
	sizes := sizesOf(out)
	for i := 1; i < len(sizes); i++ {
		h, before := out.headers[i], out.headers[i-1]
		if sizes[i] != sizes[i-1] && out.payloads[i][0] != 0x67 {
			t.Errorf("packet %d: another size without a key frame", i)
		}
		if step := h.SequenceNumber - before.SequenceNumber; step != 1 && step != 2 || int32(h.Timestamp-before.Timestamp) < 0 {
			t.Fatalf("packet %d: number %d after %d, time %d after %d", i, h.SequenceNumber, before.SequenceNumber, h.Timestamp, before.Timestamp)
		}
	}
	d.detach()
	n := len(out.headers)
	if s.play(5, true); len(out.headers) != n || len(s.ups[0].sinks)+len(s.ups[1].sinks) != 0 {
		t.Error("packets after the end")
	}
}

// Who shows a picture small gets it small, however good the link.
func TestAReceiverGetsTheSizeItShows(t *testing.T) {
	s := newSized()
	s.play(60, true)
	out := &written{}
	d := testDown(out)
	d.link.Now = func() time.Time { return s.now }
	d.Want(0.5)
	d.attach(s.layers.face)
	for range 4 {
		d.settle(10e6, s.now)
		d.follow()
		s.play(15, true)
	}
	sizes := sizesOf(out)
	if sizes[len(sizes)-1] != 1 || d.rung != wire.RungFull {
		t.Errorf("size %d on rung %s", sizes[len(sizes)-1], d.rung)
	}
}

// heard is a recorder: it gets one stream, of the best size that comes.
type heard struct{ packets []rtp.Header }

func (h *heard) Write(p *Packet) { h.packets = append(h.packets, p.Header) }

func TestTheFaceShowsTheBestSizeThatComes(t *testing.T) {
	s := newSized()
	h := &heard{}
	s.layers.face.Add(h)
	s.layers.face.RequestKey()
	s.play(30, true)
	if len(h.packets) != 30*7 {
		t.Fatalf("%d packets in a second, want those of the larger size", len(h.packets))
	}
	s.play(45, false) // the publisher has switched the larger off
	s.layers.face.RequestKey()
	s.play(30, false)
	if n := len(h.packets); n < 30*7+30 {
		t.Fatalf("%d packets after the larger size was gone", n-30*7)
	}
	for i := 1; i < len(h.packets); i++ {
		if step := h.packets[i].SequenceNumber - h.packets[i-1].SequenceNumber; step != 1 {
			t.Fatalf("packet %d: number goes on by %d", i, step)
		}
	}
	for _, u := range s.ups {
		u.group.end()
		s.layers.left()
	}
	select {
	case <-s.layers.face.Done():
	default:
		t.Error("the face outlives its layers")
	}
}

// A size that comes when all have gone, as where pion has stopped them one by one, is of no picture that has ended.
func TestNoSizeJoinsWhatHasEnded(t *testing.T) {
	s := newSized()
	l := newLayers(sized{names: []string{"f", "h"}}, s.ups[0])
	for rank, u := range s.ups {
		if joined := l.join(u, rank); joined != (rank == 0) {
			t.Errorf("rank %d: joined %v", rank, joined)
		} else if joined {
			l.left()
		}
	}
	if !l.isOver() {
		t.Error("the picture outlives its sizes")
	}
}

func TestRids(t *testing.T) {
	for line, want := range map[string][]string{
		"send q;h;f":             {"f", "h", "q"},
		"send f;~h,x;q recv a":   {"f", "h", "q"},
		"recv 1;2 send one;two":  {"one", "two"},
		"recv 1;2":               nil,
		"send":                   nil,
		"send a;b;c;d;e;f;g;h;i": {"a", "b", "c", "d"},
	} {
		if got := rids(line); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}
