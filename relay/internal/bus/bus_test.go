package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sightline/relay/wire"
)

func open(t *testing.T, dir string) *Bus {
	t.Helper()
	b, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func message(id, msg string, at int64) wire.Envelope {
	return wire.Envelope{V: 1, Kind: "mark", ID: id, Msg: msg, From: "p-1", Time: at}
}

func TestLogOutlivesTheServer(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	b := open(t, dir)
	if last, err := b.Last(ctx, "hall"); err != nil || len(last) != 0 {
		t.Fatalf("a new room has %v, %v", last, err)
	}
	began, err := b.Began(ctx, "hall", 1000)
	if err != nil || began != 1000 {
		t.Fatal(began, err)
	}
	for i, id := range []string{"a", "b.*> ü", "", "a"} {
		if _, _, err := b.Append(ctx, "hall", message(id, fmt.Sprint(i), int64(i)), false); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := b.Append(ctx, "hall", message("a", "late", 0), true); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Append(ctx, "hall-2", message("other", "x", 0), false); err != nil {
		t.Fatal(err)
	}
	b.Close()

	b = open(t, dir)
	defer b.Close()
	if began, err := b.Began(ctx, "hall", 2000); err != nil || began != 1000 {
		t.Fatalf("session began at %d (%v) after a restart, want 1000", began, err)
	}
	last, err := b.Last(ctx, "hall")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range last {
		got = append(got, e.ID+"="+e.Msg)
	}
	if want := "[b.*> ü=1 =2 a=3]"; fmt.Sprint(got) != want {
		t.Fatalf("last values are %v, want %s", got, want)
	}
	if seq, again, err := b.Append(ctx, "hall", message("a", "3", 3), false); err != nil || !again || seq != 4 {
		t.Fatalf("a message sent again after a restart: seq %d, again %v, %v", seq, again, err)
	}
}

func TestFollowHearsAllInOrder(t *testing.T) {
	b := open(t, t.TempDir())
	defer b.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	const n = 500
	done := make(chan error, 1)
	stop := errors.New("enough")
	var heard []uint64
	go func() {
		done <- b.Follow(ctx, "hall", func(e wire.Envelope) error {
			heard = append(heard, e.Seq)
			if len(heard)%100 == 0 {
				time.Sleep(20 * time.Millisecond) // a slow reader loses nothing
			}
			if e.Msg == "end" {
				return stop
			}
			return nil
		})
	}()
	time.Sleep(100 * time.Millisecond)
	for i := range n {
		if _, _, err := b.Append(ctx, "hall", message("a", fmt.Sprint(i), int64(i)), i%7 == 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := b.Append(ctx, "hall", message("a", "end", n), false); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if len(heard) != n+1 {
		t.Fatalf("heard %d of %d", len(heard), n+1)
	}
	for i := range heard {
		if i > 0 && heard[i] <= heard[i-1] {
			t.Fatalf("%d after %d", heard[i], heard[i-1])
		}
	}
}

// NATS lets in a thousand readers where it is not told otherwise; each participant is one.
func TestMoreThanAThousandRead(t *testing.T) {
	b := open(t, t.TempDir())
	defer b.Close()
	if _, _, err := b.Append(t.Context(), "hall", message("m", "1", 1), false); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	const n = 1200
	heard := make(chan bool, n)
	done := make(chan error, n)
	for range n {
		go func() { done <- b.Follow(ctx, "hall", func(wire.Envelope) error { heard <- true; return nil }) }()
	}
	for i := range n {
		select {
		case <-heard:
		case <-ctx.Done():
			t.Fatalf("%d of %d read", i, n)
		}
	}
	cancel()
	for range n {
		<-done
	}
}

func TestTokensOfIDsAreDistinctAndSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		if (a == b) != (token(a) == token(b)) {
			t.Fatalf("%q and %q become %q and %q", a, b, token(a), token(b))
		}
		if token(a) == "" || strings.ContainsAny(token(a), ".*> \t\r\n\x00") {
			t.Fatalf("%q becomes %q", a, token(a))
		}
	})
}
