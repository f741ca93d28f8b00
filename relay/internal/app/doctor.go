package app

import (
	"context"
	"errors"
	"io"
	"time"

	examine "sightline/relay/internal/doctor"
	"sightline/relay/internal/server"
)

// doctor has serve's settings, and where the relay is reached from outside.
type doctor struct {
	serve
	URL string `name:"url" placeholder:"https://HOST:PORT" help:"Where clients reach the relay; without it the relay may be down, and is looked for on this machine."`
}

func (d *doctor) run(ctx context.Context, stdout io.Writer) error {
	cfg := examine.Config{Listen: d.Listen, Data: d.Data, MQTT: d.MQTT, MQTTListen: d.MQTTListen, NATS: d.backbone(),
		TLSCert: d.TLSCert, TLSKey: d.TLSKey, MediaPort: d.MediaPort, URL: d.URL, Issuer: d.Issuer,
		ACMEDomain: d.ACMEDomain, ACMECA: d.ACMECA, ACMERoot: d.ACMERoot, Webhooks: d.sections.webhooks, Now: time.Now}
	if d.CaseStore == server.StoreS3 {
		bucket := d.bucket()
		cfg.Store = &bucket
	}
	found := examine.Examine(ctx, cfg)
	if !examine.Print(stdout, found) {
		return errors.New("doctor: not well; what to do is above")
	}
	return nil
}
