// Package doctor examines the machine, the settings and, where it runs, the relay itself from outside, and
// says of each fault how to mend it.
package doctor

import (
	"context"
	"fmt"
	"io"
	"time"

	"sightline/relay/internal/bus"
	"sightline/relay/internal/s3"
	"sightline/relay/internal/webhook"
)

// Config is what is examined: the relay's settings (see server.Config), and where it is reached.
type Config struct {
	Listen, Data, MQTT, MQTTListen string
	NATS                           bus.Options
	TLSCert, TLSKey                string
	MediaPort                      int
	Issuer                         string // the OpenID provider
	ACMEDomain, ACMECA, ACMERoot   string
	Webhooks                       []webhook.Target
	Store                          *s3.Config // of finished recordings; nil: not in S3
	// URL is where clients reach the relay. Where it is empty, the relay is looked for on this machine, and may
	// be down.
	URL string
	Now func() time.Time
	// Patience is how long an answer of the relay's or of the broker's may take; 0: 5 s.
	Patience time.Duration
}

// Level is how bad a finding is.
type Level string

// The levels.
const (
	OK   Level = "ok"
	Warn Level = "warn" // works today
	Fail Level = "FAIL" // does not work
)

// Finding is what an examination has found.
type Finding struct {
	Level Level
	What  string // the setting, or the thing
	Text  string
	Mend  string // what to do, unless the level is OK
}

// Examine makes all examinations, within about half a minute.
func Examine(ctx context.Context, c Config) []Finding {
	if c.Patience == 0 {
		c.Patience = 5 * time.Second
	}
	r := c.look(ctx)
	found := []Finding{c.data(), c.disk(), c.clock(r)}
	if c.TLSCert != "" || c.TLSKey != "" {
		found = append(found, c.certificate())
	}
	found = append(found, c.tcp("listen", c.Listen, r), c.udp(r))
	if c.MQTT == "" {
		found = append(found, c.tcp("mqtt-listen", c.MQTTListen, r))
	} else {
		found = append(found, c.broker(ctx))
	}
	found = append(found, c.nats(ctx))
	found = append(found, c.services(ctx)...)
	return append(found, c.outside(ctx, r)...)
}

// Print writes findings for people, and returns whether none is a failure.
func Print(w io.Writer, found []Finding) (well bool) {
	well = true
	for _, f := range found {
		fmt.Fprintf(w, "%-5s %-12s %s\n", f.Level, f.What, f.Text)
		if f.Mend != "" {
			fmt.Fprintf(w, "%18s mend: %s\n", "", f.Mend)
		}
		well = well && f.Level != Fail
	}
	return well
}
