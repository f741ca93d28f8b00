package sfu

import (
	"testing"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// Whatever RTP a publisher sends, as it comes and as a retransmission, is taken or left, and what is forwarded is what was
// sent.
func FuzzPacket(f *testing.F) {
	seed := func(p rtp.Packet) {
		raw, err := p.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, false)
		f.Add(raw, true)
	}
	seed(rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 7, SSRC: 1}, Payload: []byte{0x67, 1, 2}})
	seed(rtp.Packet{Header: rtp.Header{Version: 2, Padding: true, PaddingSize: 4, Marker: true}, Payload: []byte{0, 9, 0x61, 1}})
	with := rtp.Packet{Header: rtp.Header{Version: 2}, Payload: make([]byte, 1200)}
	_ = with.Header.SetExtension(3, make([]byte, 8))
	seed(with)
	f.Fuzz(func(t *testing.T, raw []byte, again bool) {
		keys := 0
		u := testUp(&keys)
		u.ssrc, u.capture, u.transport, u.marks = 1, 3, 4, [2]uint8{5, 6}
		out := &written{}
		testDown(out).attach(u)
		send(u, 0, true)
		for _, codec := range []string{media.H264, media.VP8, media.VP9, media.AV1, media.Opus} {
			u.Codec = codec
			p := u.Pool.get()
			n := copy(p.buffer[:], raw)
			if again && p.original(n, u.ssrc) || !again && p.parse(n) == nil {
				u.forward(p)
			}
			p.Release(u.Pool)
		}
		for _, p := range out.payloads {
			if len(p) > len(raw) && len(p) > 3 {
				t.Errorf("%d bytes were made of %d", len(p), len(raw))
			}
		}
	})
}

// Whatever RTCP says, by whomever, is taken or left.
func FuzzControl(f *testing.F) {
	for _, p := range []rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: 7}, &rtcp.TransportLayerNack{MediaSSRC: 7, Nacks: []rtcp.NackPair{{PacketID: 3, LostPackets: 9}}},
		&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 7, LastSenderReport: 1}}}, &rtcp.SenderReport{SSRC: 1, NTPTime: 5},
		&rtcp.FullIntraRequest{MediaSSRC: 7, FIR: []rtcp.FIREntry{{SSRC: 7}}},
		&rtcp.TransportLayerCC{MediaSSRC: 7, BaseSequenceNumber: 0, PacketStatusCount: 2, PacketChunks: []rtcp.PacketStatusChunk{
			&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedSmallDelta, RunLength: 2}},
			RecvDeltas: []*rtcp.RecvDelta{{Type: rtcp.TypeTCCPacketReceivedSmallDelta, Delta: 250}, {Type: rtcp.TypeTCCPacketReceivedSmallDelta, Delta: 500}}}} {
		raw, err := rtcp.Marshal([]rtcp.Packet{p})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		packets, err := rtcp.Unmarshal(raw)
		if err != nil {
			return
		}
		keys := 0
		u := testUp(&keys)
		d := testDown(&written{})
		d.link.downs, d.link.ups = []*Down{d}, []*Up{u}
		d.attach(u)
		for seq := range 10 {
			send(u, seq, seq == 0)
		}
		d.link.control(packets)
		if e := d.link.Figures().Estimate; e < 0 || e != e {
			t.Errorf("the estimate is %f", e)
		}
		if d.kind.String() != wire.Video {
			t.Error(d.kind)
		}
	})
}
