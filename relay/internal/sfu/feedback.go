package sfu

import (
	"time"

	"github.com/pion/rtcp"
)

// control takes what the far end says of what it gets and of what it sends.
func (l *link) control(packets []rtcp.Packet) {
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.PictureLossIndication:
			l.slot(p.MediaSSRC).requestKey()
		case *rtcp.FullIntraRequest:
			for _, f := range p.FIR {
				l.slot(f.SSRC).requestKey()
			}
		case *rtcp.TransportLayerNack:
			l.missed(p)
		case *rtcp.ReceiverReport:
			l.reported(p.Reports)
		case *rtcp.SenderReport:
			l.reported(p.Reports)
			l.sends(p)
		case *rtcp.TransportLayerCC:
			l.heard(p)
		}
	}
}

// slot finds a slot by its stream, or nil.
func (l *link) slot(ssrc uint32) *Down {
	_, downs := l.tracks()
	for _, d := range downs {
		if d.is(ssrc) {
			return d
		}
	}
	return nil
}

func (d *Down) is(ssrc uint32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bound != nil && d.bound.ssrc == ssrc
}

func (d *Down) requestKey() {
	if d == nil {
		return
	}
	d.mu.Lock()
	u := d.layer
	d.mu.Unlock()
	if u != nil {
		u.RequestKey()
	}
}

// missed sends again what the receiver misses.
func (l *link) missed(p *rtcp.TransportLayerNack) {
	d := l.slot(p.MediaSSRC)
	if d == nil {
		return
	}
	var seqs []uint16
	for _, pair := range p.Nacks {
		pair.Range(func(seq uint16) bool { seqs = append(seqs, seq); return len(seqs) < keptSent })
	}
	d.resend(seqs)
	l.flush()
}

func (l *link) reported(reports []rtcp.ReceptionReport) {
	for _, r := range reports {
		if d := l.slot(r.SSRC); d != nil {
			d.heard(r)
		}
	}
}

// sends takes what the publisher says of a track.
func (l *link) sends(r *rtcp.SenderReport) {
	ups, _ := l.tracks()
	for _, u := range ups {
		if u.ssrc == r.SSRC {
			u.mu.Lock()
			u.received.reportNTP, u.received.reportAt = middle(r.NTPTime), l.Now()
			u.mu.Unlock()
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
