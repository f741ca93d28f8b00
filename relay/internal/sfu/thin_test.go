package sfu

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"

	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// layered plays VP8 in three temporal layers, 0 2 1 2, as Chromium sends L1T3: 30 frames a second of two packets each, with
// picture IDs of 15 bits. Payloads end with the number of their frame.
type layered struct {
	up    *Up
	now   time.Time
	frame int
	seq   uint16
	keys  int
	late  bool // a packet of each fifth frame comes in the middle of the next frame
}

func newLayered() *layered {
	s := &layered{now: time.Unix(100, 0), seq: 65000}
	s.up = testUp(&s.keys)
	s.up.Codec, s.up.Name = media.VP8, "camera"
	s.up.link.Now = func() time.Time { return s.now }
	return s
}

func (s *layered) play(frames int) {
	var kept *Packet
	for range frames {
		s.now = s.now.Add(time.Second / 30)
		layer := []byte{0, 2, 1, 2}[s.frame%4]
		for k := range 2 {
			payload := make([]byte, 1000)
			payload[0], payload[1] = 0x80, 0xe0 // X; I, L, T
			if k == 0 {
				payload[0] |= 0x10 // S
			}
			binary.BigEndian.PutUint16(payload[2:], 0x8000|uint16(s.frame+32760)&0x7fff)
			payload[4], payload[5] = byte(s.frame/4), layer<<6
			if s.frame%4 == 1 || layer == 1 {
				payload[5] |= 0x20 // Y
			}
			payload[6] = 1 // a frame that is predicted
			if s.keys > 0 && layer == 0 && k == 0 {
				payload[6], s.keys = 0, 0
			}
			binary.BigEndian.PutUint32(payload[996:], uint32(s.frame))
			p := s.packet(payload, k == 1)
			if s.late && s.frame%5 == 3 && k == 1 {
				kept = p
				continue
			}
			s.up.forward(p)
			p.Release(s.up.Pool)
			if kept != nil {
				s.up.forward(kept)
				kept.Release(s.up.Pool)
				kept = nil
			}
		}
		s.frame++
	}
}

func (s *layered) packet(payload []byte, marker bool) *Packet {
	s.seq++
	raw, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: s.seq, Timestamp: uint32(s.frame) * 3000, Marker: marker}, Payload: payload}).Marshal()
	if err != nil {
		panic(err)
	}
	p := s.up.Pool.get()
	copy(p.buffer[:], raw)
	if err := p.parse(len(raw)); err != nil {
		panic(err)
	}
	return p
}

// wholeStream checks that the numbers of what was sent follow one another, whatever was late, and that picture IDs do; it
// returns the frames.
func wholeStream(t *testing.T, w *written) (frames []int) {
	t.Helper()
	type packet struct {
		h       rtp.Header
		payload []byte
	}
	var all []packet
	for i, h := range w.headers {
		all = append(all, packet{h, w.payloads[i]})
	}
	slices.SortFunc(all, func(a, b packet) int { return int(int16(a.h.SequenceNumber - b.h.SequenceNumber)) })
	last := -1
	for i, p := range all {
		if i > 0 && p.h.SequenceNumber != all[i-1].h.SequenceNumber+1 {
			t.Fatalf("number %d after %d", p.h.SequenceNumber, all[i-1].h.SequenceNumber)
		}
		if len(p.payload) == 0 {
			continue // fills a place
		}
		id, frame := int(binary.BigEndian.Uint16(p.payload[2:])&0x7fff), int(binary.BigEndian.Uint32(p.payload[996:]))
		if n := len(frames); n == 0 || frames[n-1] != frame {
			if last >= 0 && id != (last+1)&0x7fff {
				t.Fatalf("frame %d: picture %d after %d", frame, id, last)
			}
			frames, last = append(frames, frame), id
		} else if id != last {
			t.Fatalf("frame %d has the pictures %d and %d", frame, last, id)
		}
	}
	return frames
}

// A receiver whose link does not bear all gets the lower temporal layers, and is told so; numbers and picture IDs follow
// one another all the time, and it gets more again only where the codec lets it.
func TestALinkGetsFewerPicturesASecond(t *testing.T) {
	for _, late := range []bool{false, true} {
		s := newLayered()
		s.late = late
		s.keys = 1
		s.play(60)
		out := &written{}
		d := testDown(out)
		d.bound.payloads[media.VP8] = payload{98, 99}
		d.link.Now = func() time.Time { return s.now }
		var rungs []string
		d.link.OnRung = func(_ *Up, rung string) { rungs = append(rungs, rung) }
		d.attach(s.up)
		all := s.up.bits()
		rate := func(share float64) int { // frames a second
			for range 4 {
				d.settle(share*all, s.now)
				d.follow()
				s.play(15)
			}
			before := len(wholeStream(t, out))
			s.play(60)
			return (len(wholeStream(t, out)) - before) / 2
		}
		for _, c := range []struct {
			share     float64
			least, at int
		}{{1.5, 29, 30}, {0.7, 14, 15}, {0.4, 7, 8}, {0.7, 14, 15}, {2, 29, 30}} {
			if got := rate(c.share); got < c.least || got > c.at {
				t.Errorf("late %v, a link of %.1f: %d pictures a second, want %d", late, c.share, got, c.at)
			}
		}
		if want := []string{wire.RungFewer, wire.RungFull}; !slices.Equal(rungs, want) {
			t.Errorf("told of %v, want %v", rungs, want)
		}
		if rate(0.1); d.rung != wire.RungKeyFrames && d.rung != wire.RungOff {
			t.Errorf("on a link of 0.1: rung %s", d.rung)
		}
		sent := map[int]bool{}
		for _, f := range wholeStream(t, out) {
			if sent[f] = true; f%4 == 3 && !sent[f-1] && len(sent) > 1 {
				t.Fatalf("frame %d was sent without the one that it needs", f)
			}
		}
	}
}
