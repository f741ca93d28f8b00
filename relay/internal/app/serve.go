package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"sightline/devices/mqtt"
	"sightline/relay/internal/bus"
	"sightline/relay/internal/cert"
	"sightline/relay/internal/config"
	"sightline/relay/internal/s3"
	"sightline/relay/internal/server"
	"sightline/relay/internal/staff"
)

// serve are the settings of a relay, each with the same name on the command line (--tls-cert), in the
// environment (SIGHTLINE_TLS_CERT) and in the configuration file (tls-cert:).
type serve struct {
	Config     string        `type:"path" placeholder:"FILE" help:"A YAML file with any of these settings; relay config prints one. Flags and environment go before it."`
	Listen     string        `default:"127.0.0.1:8080" help:"host:port of HTTP; port 0 takes a free one."`
	Data       string        `required:"" type:"path" help:"Directory for keys, logs and recordings."`
	MQTT       string        `name:"mqtt" placeholder:"tcp://HOST:PORT" help:"The plant's MQTT broker; without it an embedded one is run."`
	MQTTListen string        `name:"mqtt-listen" default:"127.0.0.1:1883" help:"Where the embedded MQTT broker listens; port 0 takes a free one."`
	MediaPort  int           `help:"UDP port of all media; the same number as HTTP's by default."`
	Advertise  string        `placeholder:"HOST:PORT" help:"Where media reaches the relay from outside, behind a NAT that forwards the port."`
	NATS       string        `name:"nats" placeholder:"nats://HOST:PORT,..." help:"A NATS with JetStream elsewhere, best a cluster of three servers; without it an embedded one is run. All relays on it are one: see relay-url."`
	Replicas   int           `name:"nats-replicas" default:"0" help:"On how many servers of NATS everything is kept: 1, 3 or 5; 0 for three in a cluster."`
	NATSCreds  string        `name:"nats-creds" type:"path" placeholder:"FILE" help:"The .creds file by which NATS knows the relay."`
	NATSCA     string        `name:"nats-ca" type:"path" placeholder:"FILE" help:"PEM file with the root of NATS's certificate."`
	NATSCert   string        `name:"nats-cert" type:"path" placeholder:"FILE" help:"PEM file with the relay's certificate for NATS."`
	NATSKey    string        `name:"nats-key" type:"path" placeholder:"FILE" help:"PEM file with its key."`
	RelayURL   string        `name:"relay-url" placeholder:"https://HOST" help:"With many relays: where clients and the other relays reach this very one, not a balancer before all. By default public-url, or where it listens."`
	TLSCert    string        `name:"tls-cert" type:"path" help:"PEM file; needed to listen on more than this machine."`
	TLSKey     string        `name:"tls-key" type:"path" help:"PEM file."`
	ACMEDomain string        `name:"acme-domain" placeholder:"HOST" help:"Get the certificate for this name by ACME, and agree to the authority's terms; it looks at port 443, which must lead to the relay's."`
	ACMEEmail  string        `name:"acme-email" placeholder:"ADDRESS" help:"Where the authority writes when something is wrong."`
	ACMECA     string        `name:"acme-ca" placeholder:"https://HOST/DIRECTORY" help:"The authority's directory; Let's Encrypt's by default."`
	ACMERoot   string        `name:"acme-root" type:"path" placeholder:"FILE" help:"PEM file with the root of an authority of your own."`
	Proxy      string        `placeholder:"ADDRESS" help:"Where a proxy stands that speaks TLS to the outside (an address, or a network as 10.0.0.0/24), and sets X-Forwarded-For and X-Forwarded-Proto. With it the relay may listen with plain HTTP on more than this machine, and lets only the proxy in."`
	Drain      time.Duration `default:"5m" help:"How long rooms may go on after SIGTERM, which opens no new ones; a second SIGTERM ends them at once."`
	Joins      int           `name:"joins-per-minute" default:"120" help:"How often one address may join in a minute; 0 for any number."`
	Requests   int           `name:"requests-per-minute" default:"1200" help:"How often one address may ask the REST API, and whatever else wants a token, in a minute; 0 for any number. An open console asks about 60 times."`
	Messages   int           `name:"messages-per-second" default:"500" help:"How many messages one participant may send in a second; 0 for any number."`
	Conns      int           `name:"connections-per-address" default:"512" help:"How many TCP connections one address may have at once; 0 for any number. Not without TLS, where a proxy on this machine counts for all."`
	Authority  string        `name:"timestamp-authority" placeholder:"URL" help:"A timestamp authority (RFC 3161) that stamps every recording's end."`
	PublicURL  string        `name:"public-url" placeholder:"https://HOST" help:"Where people reach the relay: for links, and for signing in. By default as they have asked."`
	Issuer     string        `name:"oidc-issuer" placeholder:"https://HOST" help:"The OpenID provider at which staff sign in to the console; its client's redirect is PUBLIC-URL/signin/callback. See the section staff."`
	ClientID   string        `name:"oidc-client-id" placeholder:"ID" help:"As the provider has given it."`
	Secret     string        `name:"oidc-client-secret" placeholder:"SECRET" help:"As the provider has given it; best in the environment or in a file that only the relay reads."`
	Claim      string        `name:"oidc-claim" default:"groups" help:"The claim whose values the section staff names."`
	AuditMB    int           `name:"audit-megabytes" default:"100" help:"The size past which the audit log is put aside, as audit-TIME.jsonl, and begun anew; 0 for never. Nothing of it is deleted."`
	EncryptTo  []string      `name:"encrypt-to" placeholder:"age1..." help:"Encrypt recordings to these age recipients; the relay itself cannot read them then."`
	CaseStore  string        `default:"nats" enum:"nats,s3,none" help:"Where finished recordings are put: into the object store of NATS, into a bucket of S3, or nowhere."`
	CaseLocal  time.Duration `default:"168h" help:"How long they stay in the data directory after that."`
	S3Endpoint string        `name:"s3-endpoint" placeholder:"https://HOST" help:"The S3 server."`
	S3Bucket   string        `name:"s3-bucket" placeholder:"NAME" help:"The bucket, which must be there."`
	S3Prefix   string        `name:"s3-prefix" placeholder:"sightline/" help:"What the names of objects begin with."`
	S3Region   string        `name:"s3-region" placeholder:"REGION" help:"Its region, where it has one."`
	S3Key      string        `name:"s3-access-key" placeholder:"KEY" help:"As the server has given it."`
	S3Secret   string        `name:"s3-secret-key" placeholder:"SECRET" help:"As the server has given it; best in the environment or in a file that only the relay reads."`
	StandbyMB  int           `name:"standby-megabytes" default:"8192" help:"The most that one case of a second recorder may take."`
	Profile    string        `placeholder:"127.0.0.1:PORT" help:"Serve the Go profiler, to this machine only."`
	Verbose    bool          `short:"v" help:"Log more."`

	sections sections          `kong:"-"`
	place    func(error) error // puts the place of a setting before an error about it
}

// gcPercent lets the garbage of a small heap grow to some tens of megabytes before it is collected: packets
// come from a pool, and little else is alive.
const gcPercent = 400

func (c serve) run(ctx context.Context, drain <-chan struct{}, stdout, stderr io.Writer) error {
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	stop, err := serveProfile(c.Profile)
	if err != nil {
		return c.place(err)
	}
	defer stop()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	cfg, err := c.server(log)
	if err != nil {
		return c.place(err)
	}
	s, err := server.Start(ctx, cfg)
	if err != nil {
		return c.place(err)
	}
	fmt.Fprintf(stdout, "listening url=%s mqtt=%s media=%d\n", s.URL(), mqtt.Redact(s.MQTT()), s.MediaPort())
	select {
	case <-drain:
		log.Info("draining: no new rooms; running ones go on until they are empty", "for", c.Drain)
		s.Drain(ctx, c.Drain)
	case <-ctx.Done():
	}
	log.Info("closing")
	s.Close()
	return nil
}

// server is the configuration in the server's words.
func (c serve) server(log *slog.Logger) (server.Config, error) {
	proxy, err := network(c.Proxy)
	if err != nil {
		return server.Config{}, config.Bad("proxy", err)
	}
	return server.Config{Listen: c.Listen, Data: c.Data, MQTT: c.MQTT, MQTTAddr: c.MQTTListen, MQTTUsers: c.sections.machines,
		MediaPort: c.MediaPort, Advertise: c.Advertise, NATS: c.backbone(), RelayURL: c.RelayURL, TLSCert: c.TLSCert, TLSKey: c.TLSKey, Proxy: proxy, Log: log,
		ACME:  cert.ACMEConfig{Domain: c.ACMEDomain, Email: c.ACMEEmail, CA: c.ACMECA, Root: c.ACMERoot},
		Rooms: c.sections.rooms, Webhooks: c.sections.webhooks, PublicURL: c.PublicURL,
		Staff:      staff.Config{Issuer: c.Issuer, ClientID: c.ClientID, Secret: c.Secret, Claim: c.Claim, Rules: c.sections.staff},
		AuditBytes: int64(c.AuditMB) << 20,
		Recording: server.Recording{Authority: c.Authority, EncryptTo: c.EncryptTo, MaxStandby: int64(c.StandbyMB) << 20, Store: c.CaseStore, Local: c.CaseLocal,
			S3: c.bucket()},
		Limits: server.Limits{JoinsPerMinute: c.Joins, RequestsPerMinute: c.Requests, MessagesPerSecond: c.Messages, Connections: c.Conns}}, nil
}

// bucket is where finished recordings are put with case-store s3.
func (c serve) bucket() s3.Config {
	return s3.Config{Endpoint: c.S3Endpoint, Bucket: c.S3Bucket, Prefix: c.S3Prefix, Region: c.S3Region, Key: c.S3Key, Secret: c.S3Secret}
}

// backbone is the NATS that the relay uses.
func (c serve) backbone() bus.Options {
	return bus.Options{URL: c.NATS, Replicas: c.Replicas, Creds: c.NATSCreds, CA: c.NATSCA, Cert: c.NATSCert, Key: c.NATSKey}
}

// network reads an address, or a network of them; empty is none.
func network(text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, nil
	}
	if one, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(one, one.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q: want an address, or a network as 10.0.0.0/24", text)
	}
	return p.Masked(), nil
}
