package sfu

import (
	"testing"
	"time"
)

// carried is a track and the slot that carries it, by a clock that the test sets.
func carried(keys *int, at *time.Time) (*Up, *Down, *written) {
	u, out := testUp(keys), &written{}
	d := testDown(out)
	u.link.Now = func() time.Time { return *at }
	d.link.Now = u.link.Now
	d.attach(u)
	return u, d, out
}

// After an outage the receiver asks for all that it missed: it gets nothing of that, but the next key frame, and what it
// misses from there on.
func TestWhatAnOutageTookIsNotSentAgain(t *testing.T) {
	keys, at := 0, time.Unix(1000, 0)
	u, d, out := carried(&keys, &at)
	play := func(from, to, key int) {
		for seq := from; seq < to; seq++ {
			at = at.Add(10 * time.Millisecond)
			send(u, seq, seq == key)
		}
	}
	play(0, 300, 0)
	var missed []uint16
	for _, h := range out.headers[100:300] {
		missed = append(missed, h.SequenceNumber)
	}
	keys = 0
	d.resend(missed)
	d.resend(missed)
	if len(out.headers) != 300 || keys != 1 {
		t.Fatalf("%d sent again, %d key frames asked for", len(out.headers)-300, keys)
	}
	play(300, 320, 310)
	if len(out.headers) != 310 || out.headers[300].SequenceNumber != out.headers[299].SequenceNumber+1 && out.headers[300].SequenceNumber != out.headers[299].SequenceNumber+2 {
		t.Fatalf("%d packets went out, the key frame under %d", len(out.headers), out.headers[300].SequenceNumber)
	}
	d.resend([]uint16{out.headers[305].SequenceNumber})
	if len(out.headers) != 311 {
		t.Errorf("%d sent again of what was missed later", len(out.headers)-310)
	}
}

// What a publisher could not send for a while is not asked for, and receivers go on with its next key frame; of less, or where
// packets come all the time, it is.
func TestWhatAPublisherCouldNotSend(t *testing.T) {
	for _, x := range []struct {
		quiet  time.Duration
		lost   int
		afresh bool
	}{{2 * time.Second, 200, true}, {2 * time.Second, 10, false}, {100 * time.Millisecond, 100, false}, {100 * time.Millisecond, 300, true}} {
		r, at := reception{clock: 90000}, time.Unix(1000, 0)
		r.take(0, 0, at)
		at = at.Add(x.quiet)
		ask, afresh, late := r.take(uint16(x.lost+1), 90000, at)
		if late || afresh != x.afresh || ask == x.afresh || len(r.due(at)) > 0 == x.afresh {
			t.Errorf("%d lost in %v: ask %v, afresh %v, late %v", x.lost, x.quiet, ask, afresh, late)
		}
	}
}

func TestReceiversGoOnWithAKeyFrame(t *testing.T) {
	keys, at := 0, time.Unix(1000, 0)
	u, _, out := carried(&keys, &at)
	send(u, 0, true)
	send(u, 1, false)
	keys, at = 0, at.Add(time.Second)
	for seq := 200; seq < 220; seq++ {
		send(u, seq, seq == 210)
	}
	if len(out.headers) != 12 || keys != 1 {
		t.Errorf("%d packets went out, %d key frames were asked for", len(out.headers), keys)
	}
}
