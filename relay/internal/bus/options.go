package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Options say which NATS to use. The zero value is the embedded one.
type Options struct {
	URL      string // nats:// or tls://, several with commas between; empty: the embedded one
	Replicas int    // of what is made in JetStream; 0: three in a cluster, one otherwise
	Creds    string // a .creds file
	CA       string // PEM file with the root of NATS's certificate
	Cert     string // PEM files of a client's certificate; both or none
	Key      string
	Log      *slog.Logger // hears of lost connections; may be nil
}

// Check returns an error that names what cannot be, or nil.
func (o Options) Check() error {
	for one := range strings.SplitSeq(o.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(one))
		if o.URL != "" && (err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls") {
			return fmt.Errorf("%q: want nats://HOST:PORT or tls://HOST:PORT, several with commas between", Redact(one))
		}
	}
	switch {
	case o.Replicas < 0 || o.Replicas > 5 || o.Replicas != 0 && o.Replicas%2 == 0:
		return fmt.Errorf("nats-replicas %d: want 1, 3 or 5, or 0 for what fits", o.Replicas)
	case (o.Cert == "") != (o.Key == ""):
		return errors.New("a client's certificate needs both nats-cert and nats-key")
	case o.URL == "" && (o.Creds != "" || o.CA != "" || o.Cert != "" || o.Replicas != 0):
		return errors.New("nats-replicas, nats-creds, nats-ca, nats-cert and nats-key are for a NATS elsewhere: give its address")
	}
	return nil
}

// Redact takes the password out of addresses of NATS.
func Redact(addresses string) string {
	all := strings.Split(addresses, ",")
	for i, one := range all {
		scheme, rest, ok := strings.Cut(one, "://")
		if at := strings.LastIndex(rest, "@"); ok && at >= 0 {
			all[i] = scheme + "://" + rest[at+1:]
		}
	}
	return strings.Join(all, ",")
}

// How fast a server of NATS that has died is noticed, and another one taken.
const (
	pingEvery      = time.Second
	pingsLost      = 2
	reconnectWait  = 200 * time.Millisecond
	connectTime    = 3 * time.Second
	reconnectBytes = 8 << 20 // what is said while no server is there
)

func (o Options) connect(name string) (*nats.Conn, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	opts := []nats.Option{nats.Name(name), nats.MaxReconnects(-1), nats.Timeout(connectTime), nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(pingsLost),
		nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectWait/2, reconnectWait/2), nats.ReconnectBufSize(reconnectBytes),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			log.Warn("connection to NATS is lost; looking for another server", "error", err)
		}),
		nats.ReconnectHandler(func(c *nats.Conn) { log.Info("connected to NATS again", "server", c.ConnectedServerName()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Warn("NATS complains", "error", err) })}
	if o.Creds != "" {
		opts = append(opts, nats.UserCredentials(o.Creds))
	}
	if o.CA != "" {
		opts = append(opts, nats.RootCAs(o.CA))
	}
	if o.Cert != "" {
		opts = append(opts, nats.ClientCert(o.Cert, o.Key))
	}
	conn, err := nats.Connect(o.URL, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w%s", Redact(o.URL), err, mend(err))
	}
	return conn, nil
}

// mend says what to do about an error of a connection.
func mend(err error) string {
	text := err.Error()
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "; look at the path of the file, and whether the relay's account may read it"
	case errors.Is(err, nats.ErrAuthorization), strings.Contains(strings.ToLower(text), "authorization"):
		return "; give nats-creds, or name and password as nats://NAME:PASSWORD@HOST:PORT"
	case strings.Contains(text, "x509"), strings.Contains(text, "certificate"):
		return "; give the root of its certificate with nats-ca, and nats-cert with nats-key where it wants to see one"
	case errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted):
		return "; the server and the address must agree on TLS: tls://HOST:PORT, or nats://HOST:PORT"
	}
	return "; start it (nats-server -js), and let its port through"
}

// clusterReplicas is of how many servers one may be lost.
const clusterReplicas = 3

// patience is how long a call waits for the backbone to have a leader again, and a start for its cluster to be whole.
const patience = 45 * time.Second

// stream opens a stream, or makes it. What is there keeps its replicas, unless a number was asked for.
func (b *Bus) stream(ctx context.Context, cfg jetstream.StreamConfig) (s jetstream.Stream, err error) {
	err = b.made(ctx, cfg.Name, &cfg.Replicas, func(ctx context.Context) error {
		s, err = b.js.CreateOrUpdateStream(ctx, cfg)
		return err
	})
	return s, err
}

func (b *Bus) bucket(ctx context.Context, cfg jetstream.KeyValueConfig) (kv jetstream.KeyValue, err error) {
	err = b.made(ctx, "KV_"+cfg.Bucket, &cfg.Replicas, func(ctx context.Context) error {
		kv, err = b.js.CreateOrUpdateKeyValue(ctx, cfg)
		return err
	})
	return kv, err
}

// made makes something in JetStream, when its cluster is whole.
func (b *Bus) made(ctx context.Context, name string, replicas *int, make func(context.Context) error) error {
	*replicas = b.replicas
	for end := time.Now().Add(patience); ; {
		late, cancel := context.WithTimeout(ctx, timeout)
		err := make(late)
		cancel()
		var api *jetstream.APIError
		refused := errors.As(err, &api) && !isPassing(api)
		if err == nil || ctx.Err() != nil || refused || b.embedded != nil || time.Now().After(end) {
			if err != nil && b.embedded == nil {
				err = fmt.Errorf("JetStream cannot hold %s with %d replicas: %w; look whether enough servers of the cluster run with JetStream, or set nats-replicas", name, *replicas, err)
			}
			return err
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// isPassing says whether JetStream may say otherwise when its cluster is whole.
func isPassing(e *jetstream.APIError) bool {
	const noPeers, unavailable, noQuorum, insufficient, temporary = 10005, 10008, 10009, 10023, 503
	switch e.ErrorCode {
	case noPeers, unavailable, noQuorum, insufficient:
		return true
	}
	return e.Code == temporary
}

// publishTry is how long one try of publish may take: with a new leader, the answer to the old one never comes.
const publishTry = 2 * time.Second

// publish writes a message to a stream, once: the message's ID makes it safe to try again.
func (b *Bus) publish(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (ack *jetstream.PubAck, err error) {
	for end := time.Now().Add(patience); ; {
		late, cancel := context.WithTimeout(ctx, publishTry)
		ack, err = b.js.PublishMsg(late, m, opts...)
		cancel()
		if err == nil || ctx.Err() != nil || !isAbsent(err) || time.Now().After(end) {
			return ack, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// isAbsent says whether nobody has answered, or has said that he cannot for now.
func isAbsent(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return isPassing(api)
	}
	for _, one := range []error{jetstream.ErrNoStreamResponse, nats.ErrNoResponders, nats.ErrTimeout, context.DeadlineExceeded,
		nats.ErrDisconnected, nats.ErrReconnectBufExceeded, nats.ErrNoStreamResponse} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}
