package record_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
	"sightline/relay/internal/record"
	"sightline/relay/wire"
)

// room is a room's log, and a wall clock that can be set.
type room struct {
	began time.Time
	off   atomic.Int64 // of the wall clock, ns
	head  atomic.Uint64
	log   chan wire.Envelope

	mu   sync.Mutex
	told []string
}

func (r *room) now() time.Time {
	return time.Now().Round(0).Add(time.Duration(r.off.Load()))
}

// session is session time, whatever the wall clock says.
func (r *room) session(time.Time) int64 { return time.Since(r.began).Microseconds() }

func (r *room) follow(ctx context.Context, _ string, fn func(wire.Envelope) error) error {
	for {
		select {
		case e := <-r.log:
			if err := fn(e); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *room) tell(kind, _ string, body any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, fmt.Sprintf("%s %+v", kind, body))
}

func (r *room) say(text string) {
	seq := r.head.Add(1)
	r.log <- wire.Envelope{V: 1, Kind: wire.KindChat, Msg: fmt.Sprint(seq), From: "p-1", Time: r.session(time.Time{}), Seq: seq, Body: []byte(fmt.Sprintf("{%q:%q}", "text", text))}
}

// The wall clock is set back by an hour in the middle. The recording goes on in session time, says so, and is proven;
// nothing of the recorder is left running.
func TestClockIsSet(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s, err := seal.Open(t.TempDir(), seal.Relay)
	if err != nil {
		t.Fatal(err)
	}
	x := &room{began: time.Now(), log: make(chan wire.Envelope)}
	r, err := record.Start(record.Config{Dir: t.TempDir(), Room: "hall", Began: x.began.UnixMicro(), Time: x.session, Now: x.now,
		Log: slog.New(slog.DiscardHandler), Follow: x.follow, Head: x.head.Load, Tell: x.tell, Seal: s})
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"before", "after", "later"} {
		x.say(text)
		time.Sleep(700 * time.Millisecond) // a commit lies between
		if i == 0 {
			x.off.Store(-int64(time.Hour))
		}
	}
	r.Close()
	report, err := evidence.Verify(r.Dir(), evidence.VerifyConfig{Key: s.Key()})
	if err != nil || !report.Proven || report.Messages != 3 {
		t.Fatalf("%+v %v", report, err)
	}
	if len(report.Remarks) != 1 || !strings.Contains(report.Remarks[0], "the wall clock was set by -1h0m0") && !strings.Contains(report.Remarks[0], "-59m59.") {
		t.Errorf("%q", report.Remarks)
	}
	if len(x.told) != 1 || !strings.Contains(x.told[0], "recorded {On:true") {
		t.Errorf("the room heard %q", x.told)
	}
	goleak.VerifyNone(t, before)
}
