package sfu

import (
	"slices"
	"time"
)

// maxResent is how often one packet is sent again: some receivers go on asking for what has come long since.
const maxResent = 5

// keptSent is how many sent packets are kept for one receiver: two seconds of 2.5 Mbit/s.
const keptSent = 512

// history are the packets that were sent on a slot, by their sequence numbers there, to be sent again. It
// holds references: the packets themselves are shared by all receivers. The slot's lock guards it.
type history struct{ ring []sent }

// sent is small: to write one for each packet to each receiver is waiting for memory.
type sent struct {
	packet    *Packet
	up        *Up
	at        time.Duration // when it was sent first, since the link began; so is again
	again     time.Duration
	timestamp uint32
	seq       uint16
	transport uint16 // transport-wide number
	back      uint16 // by how much its picture ID is lowered
	times     uint8
}

func (h *history) add(s sent) {
	if h.ring == nil {
		h.ring = make([]sent, keptSent)
	}
	e := &h.ring[s.seq%keptSent]
	if e.packet != nil {
		e.packet.Release(e.up.Pool)
	}
	s.packet.Retain()
	*e = s
}

// get returns a packet that is to be sent again, unless it was just now.
func (h *history) get(seq uint16, now, pause time.Duration) *sent {
	if h.ring == nil {
		return nil
	}
	e := &h.ring[seq%keptSent]
	if e.packet == nil || e.seq != seq || e.times > 0 && now-e.again < pause || e.times == maxResent {
		return nil
	}
	e.again, e.times = now, e.times+1
	return e
}

// missedLong says whether one of the packets was sent before a moment and was not asked for until now.
func (h *history) missedLong(seqs []uint16, before time.Duration) bool {
	if h.ring == nil {
		return false
	}
	return slices.ContainsFunc(seqs, func(seq uint16) bool {
		e := &h.ring[seq%keptSent]
		return e.packet != nil && e.seq == seq && e.times == 0 && e.at < before
	})
}

func (h *history) clear() {
	for i := range h.ring {
		if e := &h.ring[i]; e.packet != nil {
			e.packet.Release(e.up.Pool)
		}
		h.ring[i] = sent{}
	}
}
