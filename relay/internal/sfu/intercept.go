package sfu

import (
	"encoding/binary"

	"sightline/relay/internal/direct"
)

// intercept takes what comes from the far end, on the goroutine that has read it. pion sees RTCP too, by which it knows
// that the path lives, and RTP until a track is made of it.
func (l *link) intercept(datagram []byte) direct.Verdict {
	if direct.IsRTCP(datagram) {
		packets, err := l.tap.OpenRTCP(datagram)
		if err != nil {
			return direct.Foreign
		}
		l.control(packets)
		return l.alive()
	}
	u, again := l.source(direct.SSRC(datagram))
	p := l.Pool.get()
	defer p.Release(l.Pool)
	n, err := l.tap.OpenRTP(p.buffer[:0], datagram)
	switch {
	case u != nil && err != nil && (again || u.isDirect()):
		return direct.Forged // pion would take what comes twice for new
	case err != nil:
		return direct.Foreign
	case u == nil:
		return direct.Known
	case again:
		if p.original(n, u.ssrc) {
			u.forward(p)
		}
	case u.leave(binary.BigEndian.Uint16(datagram[2:])):
		return direct.Known
	case p.parse(n) == nil:
		u.forward(p)
	}
	return direct.Taken
}

// alive lets pion see a packet of RTCP from time to time.
func (l *link) alive() direct.Verdict {
	now, last := l.Now().UnixMilli(), l.seen.Load()
	if now-last >= l.Alive.Milliseconds() && l.seen.CompareAndSwap(last, now) {
		return direct.Known
	}
	return direct.Taken
}

// source finds the up track that a stream is, or whose retransmissions it is; nil where there is none yet.
func (l *link) source(ssrc uint32) (u *Up, again bool) {
	ups, _ := l.tracks()
	for _, u := range ups {
		if u.ssrc == ssrc {
			return u, false
		}
	}
	for _, u := range ups {
		if uint32(u.remote.RtxSSRC()) == ssrc {
			return u, true
		}
	}
	return nil, false
}

// original makes a retransmission (RFC 4588) of n bytes the packet that it repeats; false where it repeats none.
func (p *Packet) original(n int, ssrc uint32) bool {
	if p.parse(n) != nil || len(p.Payload) < 2 {
		return false
	}
	at := len(p.buffer) - cap(p.Payload)
	copy(p.buffer[2:4], p.Payload[:2])
	binary.BigEndian.PutUint32(p.buffer[8:12], ssrc)
	copy(p.buffer[at:], p.buffer[at+2:n])
	return p.parse(n-2) == nil
}

// leave says whether a packet is left to pion, because run has not caught up with those before it.
func (u *Up) leave(seq uint16) bool {
	u.turn.Lock()
	defer u.turn.Unlock()
	if !u.direct {
		u.passed = seq
	}
	return !u.direct
}

// caught is called by run when it has forwarded a packet. When it was the last that was left to pion, the next ones
// come straight from the socket.
func (u *Up) caught(seq uint16) {
	u.turn.Lock()
	defer u.turn.Unlock()
	u.direct = u.direct || u.passed == seq
}

func (u *Up) isDirect() bool {
	u.turn.Lock()
	defer u.turn.Unlock()
	return u.direct
}
