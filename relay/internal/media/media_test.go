package media

import (
	"bytes"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"pgregory.net/rapid"

	"sightline/relay/wire"
)

func packet(seq uint16) *rtp.Packet { return &rtp.Packet{Header: rtp.Header{SequenceNumber: seq}} }

// Whatever the order of arrival within the window, and wherever the numbers wrap, all come out in order.
func TestReorderRestoresTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.Uint16().Draw(t, "first")
		n := rapid.IntRange(1, 300).Draw(t, "n")
		var r Reorder
		r.Patience = time.Second
		now := time.Unix(1, 0)
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		for i := 1; i < n; i++ { // the first is first; others are up to 8 early
			j := max(1, i-rapid.IntRange(0, 8).Draw(t, "early"))
			order[i], order[j] = order[j], order[i]
		}
		var out []uint16
		for _, i := range order {
			r.Push(packet(first+uint16(i)), now)
			if rapid.Bool().Draw(t, "twice") {
				r.Push(packet(first+uint16(i)), now)
			}
			for {
				p, lost, ok := r.Pop(now)
				if !ok {
					break
				}
				if lost > 0 {
					t.Fatalf("%d lost before %d", lost, p.SequenceNumber)
				}
				out = append(out, p.SequenceNumber-first)
			}
		}
		if len(out) != n {
			t.Fatalf("%d of %d came out", len(out), n)
		}
		for i, s := range out {
			if int(s) != i {
				t.Fatalf("%v", out)
			}
		}
	})
}

func TestReorderGivesUpWhatIsLost(t *testing.T) {
	r := Reorder{Patience: 100 * time.Millisecond}
	now := time.Unix(1, 0)
	pop := func() (uint16, int, bool) {
		p, lost, ok := r.Pop(now)
		if !ok {
			return 0, 0, false
		}
		return p.SequenceNumber, lost, true
	}
	r.Push(packet(65535), now)
	r.Push(packet(2), now) // 0 and 1 are missing
	if s, lost, ok := pop(); s != 65535 || lost != 0 || !ok {
		t.Fatal(s, lost, ok)
	}
	now = now.Add(99 * time.Millisecond)
	if s, _, ok := pop(); ok {
		t.Fatalf("%d came before its time", s)
	}
	r.Push(packet(0), now) // retransmitted in time
	if s, lost, ok := pop(); s != 0 || lost != 0 || !ok {
		t.Fatal(s, lost, ok)
	}
	now = now.Add(101 * time.Millisecond)
	if s, lost, ok := pop(); s != 2 || lost != 1 || !ok {
		t.Fatal(s, lost, ok)
	}
	r.Push(packet(1), now) // too late
	if _, _, ok := pop(); ok {
		t.Fatal("a packet that was given up came out")
	}
	r.Push(packet(20000), now) // another stream
	now = now.Add(time.Second)
	if s, lost, ok := pop(); s != 20000 || lost == 0 || !ok {
		t.Fatal(s, lost, ok)
	}
}

// film makes three pictures, the first and the last with parameter sets, as packets.
func film() (units [][]byte, packets []*rtp.Packet) {
	nalu := func(kind byte, n int) []byte {
		return append([]byte{0, 0, 0, 1, kind}, bytes.Repeat([]byte{0xab}, n)...)
	}
	key := bytes.Join([][]byte{nalu(0x67, 12), nalu(0x68, 4), nalu(0x65, 3000)}, nil)
	units = [][]byte{key, nalu(0x61, 500), key}
	var payloader codecs.H264Payloader
	seq := uint16(65530)
	for i, u := range units {
		parts := payloader.Payload(1000, u)
		for j, part := range parts {
			p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: uint32(i * 3000),
				Marker: j == len(parts)-1}, Payload: part}
			capture := wire.AbsCaptureTime(int64(1000 + i))
			_ = p.Header.SetExtension(3, capture[:])
			packets = append(packets, p)
			seq++
		}
	}
	return units, packets
}

func TestAssemblerGivesWholeFramesOrNone(t *testing.T) {
	units, packets := film()
	for lostAt := -1; lostAt < len(packets); lostAt++ {
		a := NewAssembler("video/h264", 3)
		var got []Unit
		lost := 0
		for i, p := range packets {
			if i == lostAt {
				lost = 1
				continue
			}
			a.Push(p, lost, func(u Unit) { got = append(got, u) })
			lost = 0
		}
		for _, u := range got {
			i := u.Captured - 1000
			if i < 0 || i > 2 || !bytes.Equal(u.Data, units[i]) || u.Key != (i != 1) {
				t.Fatalf("lost %d: frame %d is not whole", lostAt, i)
			}
		}
		switch {
		case lostAt < 0 && len(got) != 3:
			t.Fatalf("%d frames of 3", len(got))
		case lostAt >= 0 && len(got) == 3:
			t.Fatalf("lost %d, and yet all frames", lostAt)
		case lostAt >= 0 && packets[lostAt].Timestamp == 3000 && len(got) != 2:
			t.Fatalf("lost %d: %d frames, want both key frames", lostAt, len(got))
		}
	}
}

func TestStartsKey(t *testing.T) {
	for _, c := range []struct {
		codec   string
		payload []byte
		want    bool
	}{
		{H264, []byte{0x67, 1}, true},
		{H264, []byte{0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 1}, true},
		{H264, []byte{0x78, 0, 2, 0x06, 1, 0, 2, 0x67, 1}, true},
		{H264, []byte{0x78, 0xff, 0xff, 0x06}, false},
		{H264, []byte{0x61, 1}, false},
		{H264, nil, false},
		{VP8, []byte{0x10, 0x00}, true},
		{VP8, []byte{0x10, 0x01}, false},
		{VP8, []byte{0x00, 0x00}, false},
		{VP8, []byte{0x90, 0xe0, 0x81, 1, 2, 3, 0x00}, true},
		{VP8, []byte{0x90, 0xe0}, false},
		{VP9, []byte{0x08, 0}, true},
		{VP9, []byte{0x48, 0}, false},
		{AV1, []byte{0x18, 1}, true},
		{AV1, []byte{0x90, 1}, false},
		{Opus, []byte{1}, true},
	} {
		if got := StartsKey(c.codec, c.payload); got != c.want {
			t.Errorf("%s % x: %v", c.codec, c.payload, got)
		}
	}
}

// No payload makes the assembler fail or grow without bound.
func FuzzAssembler(f *testing.F) {
	_, packets := film()
	for i, codec := range []string{H264, VP8, VP9, AV1, Opus} {
		f.Add(byte(i), packets[0].Payload, packets[1].Payload, true)
		_ = codec
	}
	f.Fuzz(func(t *testing.T, which byte, first, second []byte, marker bool) {
		codec := []string{H264, VP8, VP9, AV1, Opus}[int(which)%5]
		Width(codec, first)
		Temporal(codec, first)
		ShiftVP8(bytes.Clone(first), 3)
		(&Dependencies{}).Temporal(first)
		a := NewAssembler(codec, 1)
		for i, payload := range [][]byte{first, second, first} {
			a.Push(&rtp.Packet{Header: rtp.Header{Timestamp: uint32(i), Marker: marker}, Payload: payload}, 0, func(u Unit) {
				if len(u.Data) == 0 {
					t.Fatal("an empty frame")
				}
			})
		}
	})
}
