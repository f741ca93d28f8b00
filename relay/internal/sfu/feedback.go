package sfu

import (
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// feedback reads what the receiver says of a slot until the sender ends.
func (d *Down) feedback(sender *webrtc.RTPSender) {
	var seqs []uint16
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			switch p := p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				d.mu.Lock()
				u := d.layer
				d.mu.Unlock()
				if u != nil {
					u.RequestKey()
				}
			case *rtcp.TransportLayerNack:
				seqs = seqs[:0]
				for _, pair := range p.Nacks {
					pair.Range(func(seq uint16) bool { seqs = append(seqs, seq); return len(seqs) < keptSent })
				}
				d.resend(seqs)
				d.link.flush()
			case *rtcp.ReceiverReport:
				for _, r := range p.Reports {
					d.heard(r)
				}
			case *rtcp.TransportLayerCC:
				d.link.heard(p)
			}
		}
	}
}

// heard takes a report on the slot: the round trip (RFC 3550, section 6.4.1).
func (d *Down) heard(r rtcp.ReceptionReport) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bound == nil || r.SSRC != d.bound.ssrc || r.LastSenderReport == 0 {
		return
	}
	if trip := middle(ntp(d.link.Now())) - r.LastSenderReport - r.Delay; trip < 1<<20 { // 16 s
		d.rtt = time.Duration(trip) * time.Second / 65536
	}
}

// senderReport says where the slot's stream is on the relay's clock; ok is false before its first packet.
func (d *Down) senderReport(now time.Time) (rtcp.SenderReport, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bound == nil || d.packets == 0 || d.up == nil {
		return rtcp.SenderReport{}, false
	}
	since := now.Sub(d.out.lastAt).Seconds() * float64(d.up.ClockRate)
	return rtcp.SenderReport{SSRC: d.bound.ssrc, NTPTime: ntp(now), RTPTime: d.out.lastTS + uint32(since),
		PacketCount: d.packets, OctetCount: d.octets}, true
}

// ntp returns a time as NTP has it (RFC 5905): seconds since 1900, and 2^32nds.
func ntp(t time.Time) uint64 {
	const since1900 = 2_208_988_800
	return uint64(t.Unix()+since1900)<<32 | uint64(t.Nanosecond())<<32/1_000_000_000
}

// middle returns the middle 32 bits of a time, as reports carry it.
func middle(ntp uint64) uint32 { return uint32(ntp >> 16) }
