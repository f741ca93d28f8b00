package sfu

import (
	"testing"

	"github.com/pion/rtp"
)

// sink counts what it is given.
type sink struct{ packets []rtp.Header }

func (s *sink) Write(p *Packet) { s.packets = append(s.packets, p.Header) }

// A muted track reaches nobody; afterwards it goes on with a key frame, and receivers see no number missing.
func TestMute(t *testing.T) {
	keys := 0
	u := testUp(&keys)
	send(u, 0, true)
	out, all := &written{}, &sink{}
	testDown(out).attach(u)
	u.Add(all)
	send(u, 1, false)
	u.Mute(true)
	u.Mute(true)
	for seq := 2; seq < 20; seq++ {
		send(u, seq, seq == 10)
	}
	if len(out.headers) != 2 || len(all.packets) != 1 {
		t.Fatalf("muted: %d packets to the receiver, %d to the sink", len(out.headers), len(all.packets))
	}
	late := &written{}
	testDown(late).attach(u)
	if len(late.headers) != 0 {
		t.Error("who comes while it is muted sees a picture")
	}
	for range 15 { // past the pause between two requests
		u.link.Now()
	}
	asked := keys
	u.Mute(false)
	if keys == asked {
		t.Error("no key frame was asked for")
	}
	send(u, 20, false)
	send(u, 21, true)
	send(u, 22, false)
	if n := len(out.headers); n != 4 {
		t.Fatalf("%d packets after, want two more", n)
	}
	// One number is left out where the break may have cut a frame.
	if first, next := out.headers[1], out.headers[2]; next.SequenceNumber != first.SequenceNumber+2 || next.Timestamp != 21*3000 {
		t.Errorf("went on with %d, %d after %d", next.SequenceNumber, next.Timestamp, first.SequenceNumber)
	}
	if len(late.headers) != 2 || len(all.packets) != 4 {
		t.Errorf("%d packets to the late one, %d to the sink", len(late.headers), len(all.packets))
	}
}
