package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sightline/relay/internal/natstest"
	"sightline/relay/wire"
)

func TestMain(m *testing.M) { natstest.Main(m) }

// A cluster of three loses the leader of the log in the middle of writing: nothing is lost, nothing is twice, and who
// follows hears all.
func TestLogOutlivesItsLeader(t *testing.T) {
	servers := natstest.Start(t, 3)
	b, err := Open(t.Context(), "", Options{URL: servers.URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.replicas != 3 {
		t.Fatalf("%d replicas in a cluster of three", b.replicas)
	}
	const n = 200
	heard := make(chan string, n)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- b.Follow(ctx, "hall", func(e wire.Envelope) error { heard <- e.Msg; return nil })
	}()
	began := time.Now()
	var longest time.Duration
	for i := range n {
		if i == n/2 {
			leader := servers.Leader(streamName)
			servers.Kill(leader)
			defer servers.Run(leader)
		}
		at := time.Now()
		if _, again, err := b.Append(ctx, "hall", message(fmt.Sprint(i), fmt.Sprint(i), int64(i)), false); err != nil {
			t.Fatalf("message %d after %v: %v", i, time.Since(began), err)
		} else if again {
			t.Logf("message %d was written by a try whose answer was lost", i)
		}
		longest = max(longest, time.Since(at))
	}
	t.Logf("the longest write took %v", longest)
	for i := range n {
		select {
		case got := <-heard:
			if got != fmt.Sprint(i) {
				t.Fatalf("heard %s, want %d", got, i)
			}
		case err := <-done:
			t.Fatalf("following ended: %v", err)
		case <-ctx.Done():
			t.Fatalf("heard %d of %d", i, n)
		}
	}
	cancel()
	<-done
	last, err := b.Last(t.Context(), "hall")
	if err != nil || len(last) != n {
		t.Fatalf("%d registers: %v", len(last), err)
	}
}

func TestBucketLetsOneWin(t *testing.T) {
	b := open(t, t.TempDir())
	defer b.Close()
	ctx := t.Context()
	k, err := b.OpenBucket(ctx, "things", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Set(ctx, "a", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	if err := k.Set(ctx, "a", []byte("2"), 0); !errors.Is(err, ErrTaken) {
		t.Fatalf("made twice: %v", err)
	}
	_, rev, err := k.Get(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Set(ctx, "a", []byte("3"), rev); err != nil {
		t.Fatal(err)
	}
	if err := k.Set(ctx, "a", []byte("4"), rev); !errors.Is(err, ErrTaken) {
		t.Fatalf("changed twice: %v", err)
	}
	if err := k.Delete(ctx, "a", rev); !errors.Is(err, ErrTaken) {
		t.Fatalf("taken away by who did not know of the change: %v", err)
	}
	_, rev, _ = k.Get(ctx, "a")
	if err := k.Delete(ctx, "a", rev); err != nil {
		t.Fatal(err)
	}
	if v, rev, err := k.Get(ctx, "a"); v != nil || rev != 0 || err != nil {
		t.Fatal(v, rev, err)
	}
	if err := k.Set(ctx, "a", []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// A server that wants a password is used with it; without it the error says the mend, and no error has the password.
func TestPasswordOfNATS(t *testing.T) {
	guarded := natstest.StartGuarded(t, "open-sesame")
	b, err := Open(t.Context(), "", Options{URL: guarded.URL()})
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	for _, wrong := range []string{strings.Replace(guarded.URL(), "open", "shut", 1), strings.Replace(guarded.URL(), "relay:open-sesame@", "", 1)} {
		_, err := Open(t.Context(), "", Options{URL: wrong})
		if err == nil || !strings.Contains(err.Error(), "give nats-creds, or name and password") || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: %v", Redact(wrong), err)
		}
	}
	about, err := Check(t.Context(), Options{URL: guarded.URL()})
	if err != nil || !strings.Contains(about, "one server") || strings.Contains(about, "sesame") {
		t.Errorf("%q %v", about, err)
	}
}

func TestOptionsSayTheMend(t *testing.T) {
	for want, o := range map[string]Options{
		"several with commas":       {URL: "nats://a:4222,b:4222"},
		"both nats-cert":            {URL: "nats://a:4222", Cert: "c"},
		"want 1, 3 or 5":            {URL: "nats://a:4222", Replicas: 2},
		"for a NATS elsewhere":      {Replicas: 3},
		"start it (nats-server -js": {URL: "nats://me:secret@127.0.0.1:1"},
		"account may read it":       {URL: "nats://127.0.0.1:1", CA: "no/such/file"},
	} {
		_, err := Open(t.Context(), t.TempDir(), o)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}
