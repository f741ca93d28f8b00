package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Queue keeps jobs on disk until they are done, in lanes that do not hold one another up. Several relays on one NATS
// share the work.
type Queue struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	name   string
	try    time.Duration
}

const (
	fetchTime = 20 * time.Second
	maxQueue  = 256 << 20 // bytes; past it the oldest jobs go
)

// OpenQueue opens a queue, or makes it. Jobs that are older than keep are let go. A job whose try has not ended after a
// time is given out again: its worker is gone. name has letters only.
func (b *Bus) OpenQueue(ctx context.Context, name string, keep, try time.Duration) (*Queue, error) {
	stream, err := b.stream(ctx, jetstream.StreamConfig{Name: "QUEUE_" + name, Subjects: []string{"queue." + name + ".>"},
		Storage: jetstream.FileStorage, Retention: jetstream.WorkQueuePolicy, MaxAge: keep, MaxBytes: maxQueue, Discard: jetstream.DiscardOld,
		Duplicates: min(dedup, keep)})
	if err != nil {
		return nil, fmt.Errorf("queue %s: %w", name, err)
	}
	return &Queue{b.js, stream, name, try}, nil
}

// Put puts a job in a lane, once under an id. When it returns, the job is on the disk.
func (q *Queue) Put(ctx context.Context, lane, id string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m := nats.NewMsg("queue." + q.name + "." + lane)
	m.Data = data
	if _, err := q.js.PublishMsg(ctx, m, jetstream.WithMsgID(lane+"/"+id)); err != nil {
		return fmt.Errorf("queue %s: %w", q.name, err)
	}
	return nil
}

// Job is one thing to do. One of Done, Later and Drop ends the try.
type Job struct {
	Data []byte
	Put  time.Time // when it was put in the queue
	Try  int       // counted from 1
	m    jetstream.Msg
}

// Done takes the job out of the queue.
func (j Job) Done() error { return j.m.Ack() }

// Later gives the job out again after a time.
func (j Job) Later(d time.Duration) error { return j.m.NakWithDelay(d) }

// Drop takes the job out undone.
func (j Job) Drop() error { return j.m.Term() }

// Work calls do with the jobs of a lane, one after another, until ctx ends.
func (q *Queue) Work(ctx context.Context, lane string, do func(Job)) error {
	consumer, err := q.stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{Durable: q.name + "_" + lane,
		FilterSubject: "queue." + q.name + "." + lane, AckPolicy: jetstream.AckExplicitPolicy, AckWait: q.try, MaxAckPending: 10_000})
	if err != nil {
		return fmt.Errorf("queue %s: %w", q.name, err)
	}
	for {
		// One at a time: what is fetched and not worked on would wait for the try's time when this process ends.
		late, cancel := context.WithTimeout(ctx, fetchTime)
		m, err := consumer.Next(jetstream.FetchContext(late))
		cancel()
		switch {
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), q.js.Conn().FlushTimeout(time.Second)) // what was said of the last job
		case errors.Is(err, nats.ErrTimeout), errors.Is(err, jetstream.ErrNoMessages), errors.Is(err, context.DeadlineExceeded):
			continue
		case err != nil:
			return fmt.Errorf("queue %s: %w", q.name, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return errors.Join(m.Term(), err)
		}
		do(Job{Data: m.Data(), Put: meta.Timestamp, Try: int(meta.NumDelivered), m: m})
	}
}
