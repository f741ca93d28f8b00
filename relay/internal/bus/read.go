package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sightline/relay/wire"
)

// reader reads the log in order. The consumer that it has in JetStream lives on one server; where that is lost, or a
// message on the way, the reader makes another and goes on after the last message that it has.
type reader struct {
	b        *Bus
	subjects []string
	fn       func(wire.Envelope, uint64) bool // with how many wait after it; false: enough
	ifAny    bool                             // end where there is nothing
	last     uint64                           // place in the log of the latest message
}

// How soon a reader knows that its consumer is lost: after two heartbeats that have not come.
const (
	pullTime  = 10 * time.Second
	heartbeat = 1500 * time.Millisecond
	readAhead = 256
)

var (
	errEnough = errors.New("enough")
	errGap    = errors.New("a message is missing")
)

// read calls fn with each message and how many wait after it, until it returns false. With ifAny it
// returns at once where there is none.
func (b *Bus) read(ctx context.Context, subjects []string, fn func(wire.Envelope, uint64) bool, ifAny bool) error {
	r := reader{b: b, subjects: subjects, fn: fn, ifAny: ifAny}
	for good := time.Now(); ; {
		before := r.last
		err := r.session(ctx)
		var bad *badMessage
		switch {
		case errors.Is(err, errEnough):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &bad):
			return err
		}
		if r.last > before || errors.Is(err, jetstream.ErrNoHeartbeat) {
			good = time.Now() // it worked until just now
		}
		if time.Since(good) > patience {
			return fmt.Errorf("read the log: %w", err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// session reads with one consumer.
func (r *reader) session(ctx context.Context) error {
	cfg := jetstream.ConsumerConfig{FilterSubjects: r.subjects, AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1,
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, InactiveThreshold: time.Minute, MaxDeliver: 1}
	if r.last > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, r.last+1
	}
	late, cancel := context.WithTimeout(ctx, timeout/2)
	defer cancel()
	consumer, err := r.b.log.CreateConsumer(late, cfg)
	if err != nil {
		return err
	}
	defer r.forget(consumer)
	if r.ifAny && consumer.CachedInfo().NumPending == 0 {
		return errEnough
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(readAhead), jetstream.PullExpiry(pullTime), jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		return err
	}
	defer messages.Stop()
	stop := context.AfterFunc(ctx, messages.Stop)
	defer stop()
	for next := uint64(1); ; next++ {
		m, err := messages.Next()
		if err != nil {
			return err
		}
		e, meta, err := decode(m)
		if err != nil {
			return err
		}
		if meta.Sequence.Consumer != next {
			return errGap
		}
		r.last = meta.Sequence.Stream
		if !r.fn(e, meta.NumPending) {
			return errEnough
		}
	}
}

// forget takes a consumer away; where that fails it goes by itself.
func (r *reader) forget(c jetstream.Consumer) {
	if !r.b.conn.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = r.b.log.DeleteConsumer(ctx, c.CachedInfo().Name)
}

// badMessage is a message that cannot be read, however often it comes.
type badMessage struct{ error }

func (e *badMessage) Unwrap() error { return e.error }
