// Package bus is the relay's backbone: NATS with JetStream, embedded in the process and on disk under
// the data directory, or a cluster that runs elsewhere. It keeps the log of every room and the directory
// of rooms. Nothing of NATS leaves this package.
//
// The log is one stream. A message is kept under
//
//	room.<room>.<kind>.<id>   it holds its register: the last one of a subject is a late joiner's state
//	late.<room>.<kind>.<id>   it came after a newer one for the same register, and is kept as evidence
//
// where bytes of an id that NATS would read as syntax are written %XX.
package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sightline/relay/wire"
)

// Bus is the backbone. Its methods may be called from any goroutine.
type Bus struct {
	embedded *server.Server // nil where NATS runs elsewhere
	conn     *nats.Conn
	js       jetstream.JetStream
	log      jetstream.Stream
	rooms    jetstream.KeyValue
	replicas int // of what is made in JetStream

	stop, looked chan struct{} // of lookAfter
}

const (
	streamName = "ROOMS"
	bucketName = "rooms"
	// dedup is for how long a message that is sent again is known again.
	dedup = 10 * time.Minute
	// maxReaders is how many may read the log of a cluster at once: participants and recordings. NATS lets in 1,000 where
	// nothing is said.
	maxReaders = 1_000_000
	// timeout is for one call to the backbone.
	timeout = 10 * time.Second
)

// Open starts NATS under dir, or connects to the one elsewhere that o names.
func Open(ctx context.Context, dir string, o Options) (*Bus, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	b := &Bus{replicas: o.Replicas}
	if err := b.connect(ctx, dir, o); err != nil {
		b.Close()
		return nil, err
	}
	if err := b.prepare(ctx); err != nil {
		b.Close()
		return nil, fmt.Errorf("prepare the backbone: %w", err)
	}
	return b, nil
}

func (b *Bus) connect(ctx context.Context, dir string, o Options) error {
	var err error
	if o.URL != "" {
		if b.conn, err = o.connect("sightline relay"); err != nil {
			return err
		}
	} else if err = b.embed(dir); err != nil {
		return fmt.Errorf("start NATS under %s: %w", dir, err)
	} else {
		b.stop, b.looked = make(chan struct{}), make(chan struct{})
		go b.lookAfter(filepath.Clean(dir), cmp.Or(o.Log, slog.Default()))
	}
	if b.js, err = jetstream.New(b.conn); err != nil {
		return err
	}
	if b.replicas == 0 {
		b.replicas = 1
		if o.URL != "" && b.conn.ConnectedClusterName() != "" {
			b.replicas = clusterReplicas
		}
	}
	return nil
}

// embed starts a server without a listener: only this process reaches it.
func (b *Bus) embed(dir string) error {
	var err error
	b.embedded, err = server.NewServer(&server.Options{ServerName: "sightline", DontListen: true, JetStream: true,
		StoreDir: filepath.Clean(dir), NoSigs: true, NoLog: true, SyncInterval: time.Second,
		MaxPayload: wire.MaxMessage + 64<<10, JetStreamLimits: server.JSLimitOpts{DefaultMaxConsumers: -1}})
	if err != nil {
		return err
	}
	go b.embedded.Start() // returns when it is ready; Close waits for its end
	if !b.embedded.ReadyForConnections(20 * time.Second) {
		return errors.New("not ready after 20 s; is the directory on a slow or full disk, or used by another relay?")
	}
	b.conn, err = nats.Connect("", nats.InProcessServer(b.embedded), nats.Name("sightline relay"))
	return err
}

func (b *Bus) prepare(ctx context.Context) error {
	cfg := jetstream.StreamConfig{Name: streamName, Subjects: []string{"room.>", "late.>"},
		Storage: jetstream.FileStorage, Duplicates: dedup, AllowDirect: true, DenyPurge: true, DenyDelete: true}
	if b.embedded == nil {
		cfg.MaxConsumers = maxReaders
	}
	var err error
	b.log, err = b.stream(ctx, cfg)
	if err != nil {
		return err
	}
	b.rooms, err = b.bucket(ctx, jetstream.KeyValueConfig{Bucket: bucketName, Storage: jetstream.FileStorage})
	return err
}

// Close ends the connection and the embedded server, and waits for both.
func (b *Bus) Close() {
	if b.stop != nil {
		close(b.stop)
		<-b.looked
	}
	if b.conn != nil {
		b.conn.Close()
	}
	if b.embedded != nil {
		b.embedded.Shutdown()
		b.embedded.WaitForShutdown()
	}
}
