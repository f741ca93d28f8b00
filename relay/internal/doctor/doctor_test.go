package doctor_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sightline/relay/freeport"
	"sightline/relay/internal/doctor"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
)

// certificate makes a certificate that is good from one time until another.
func certificate(t *testing.T, from, until time.Time) (cert, key string) {
	t.Helper()
	cert, key, _ = relaytest.Certificate(t, x509.Certificate{Subject: pkix.Name{CommonName: "relay"}, NotBefore: from, NotAfter: until})
	return cert, key
}

// readOnly is a directory that this account cannot write.
func readOnly(t *testing.T) string {
	t.Helper()
	if os.Getuid() == 0 {
		return "/sys/kernel" // root writes everywhere else
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Each fault is found, is told with its mend, and nothing else is called a failure for it.
func TestFaults(t *testing.T) {
	now := time.Now()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	takenUDP, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer takenUDP.Close()
	onlyHTTP := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }))
	defer onlyHTTP.Close()
	late := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", now.Add(-time.Hour).UTC().Format(http.TimeFormat))
		_, _ = w.Write([]byte("ok\n"))
	}))
	defer late.Close()
	keys := t.TempDir()
	if err := os.Mkdir(filepath.Join(keys, "keys"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change          func(*doctor.Config)
		what            string
		level           doctor.Level
		says, mend, too string
	}{
		"port taken":      {func(c *doctor.Config) { c.Listen = taken.Addr().String() }, "listen", doctor.Fail, "in use", "another program has it", ""},
		"UDP port taken":  {func(c *doctor.Config) { c.MediaPort = takenUDP.LocalAddr().(*net.UDPAddr).Port }, "media-port", doctor.Fail, "in use", "ss -lnp", ""},
		"no such address": {func(c *doctor.Config) { c.Listen = "192.0.2.1:8443" }, "listen", doctor.Fail, "cannot assign", "no such address", "media-port"},
		"read-only":       {func(c *doctor.Config) { c.Data = readOnly(t) }, "data", doctor.Fail, "cannot be written", "chown", "disk"},
		"open keys":       {func(c *doctor.Config) { c.Data = keys }, "data", doctor.Fail, "may read the keys", "chmod 700", ""},
		"expired": {func(c *doctor.Config) {
			c.TLSCert, c.TLSKey = certificate(t, now.AddDate(0, -2, 0), now.AddDate(0, -1, 0))
		}, "tls-cert", doctor.Fail, "expired at", "renew", ""},
		"not yet good":         {func(c *doctor.Config) { c.TLSCert, c.TLSKey = certificate(t, now.Add(time.Hour), now.AddDate(0, 1, 0)) }, "tls-cert", doctor.Fail, "only from", "clock", ""},
		"expires soon":         {func(c *doctor.Config) { c.TLSCert, c.TLSKey = certificate(t, now, now.AddDate(0, 0, 3)) }, "tls-cert", doctor.Warn, "expires at", "renew", ""},
		"no certificate":       {func(c *doctor.Config) { c.TLSCert, c.TLSKey = "none.pem", "none.pem" }, "tls-cert", doctor.Fail, "no such file", "PEM", ""},
		"no NATS":              {func(c *doctor.Config) { c.NATS.URL = "nats://" + freeport.Address(t) }, "nats", doctor.Fail, "NATS", "nats-server -js", ""},
		"no broker":            {func(c *doctor.Config) { c.MQTT = "tcp://" + freeport.Address(t) }, "mqtt", doctor.Fail, "refused", "plant's broker", ""},
		"broker's password":    {func(c *doctor.Config) { c.MQTT = "tcp://relay:sesame@" + freeport.Address(t) }, "mqtt", doctor.Fail, "refused", "plant's broker", ""},
		"broker badly written": {func(c *doctor.Config) { c.MQTT = "relay:sesame@broker:1883" }, "mqtt", doctor.Fail, "want tcp://", "plant's broker", ""},
		"relay is down":        {func(c *doctor.Config) { c.URL = "http://" + freeport.Address(t) }, "relay", doctor.Fail, "does not answer", "firewall", ""},
		"only HTTP":            {func(c *doctor.Config) { c.URL = onlyHTTP.URL }, "TURN", doctor.Fail, "", "only HTTP through", ""},
		"clock":                {func(c *doctor.Config) { c.URL = late.URL }, "clock", doctor.Fail, "off this machine's", "chrony", "TURN"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := doctor.Config{Listen: freeport.Address(t), MQTTListen: freeport.Address(t), Data: t.TempDir(), Now: time.Now, Patience: time.Second}
			c.change(&cfg)
			found := doctor.Examine(t.Context(), cfg)
			seen := false
			for _, f := range found {
				switch {
				case f.What == c.what:
					seen = f.Level == c.level && strings.Contains(f.Text, c.says) && strings.Contains(f.Mend, c.mend)
				case f.Level == doctor.Fail && f.What != c.too:
					t.Errorf("%s: %s", f.What, f.Text)
				}
			}
			var said bytes.Buffer
			if well := doctor.Print(&said, found); well != (c.level == doctor.Warn) || !seen || strings.Contains(said.String(), "sesame") {
				t.Errorf("well %v:\n%s", well, &said)
			}
		})
	}
}

// A relay that runs is well, plain and over TLS; a certificate that nobody knows is told.
func TestRunningRelay(t *testing.T) {
	s := relaytest.Start(t, nil)
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	mqtt, err := url.Parse(s.MQTT())
	if err != nil {
		t.Fatal(err)
	}
	cfg := doctor.Config{Listen: u.Host, MQTTListen: mqtt.Host, MediaPort: s.MediaPort(), Data: t.TempDir(), URL: s.URL(), Now: time.Now}
	var said bytes.Buffer
	if !doctor.Print(&said, doctor.Examine(t.Context(), cfg)) || !strings.Contains(said.String(), "TURN         answers") {
		t.Errorf("a well relay is called ill:\n%s", &said)
	}
	cert, key := certificate(t, time.Now().Add(-time.Hour), time.Now().AddDate(0, 2, 0))
	s = relaytest.Start(t, func(c *server.Config) { c.TLSCert, c.TLSKey = cert, key })
	u, _ = url.Parse(s.URL())
	cfg = doctor.Config{Listen: u.Host, MQTTListen: freeport.Address(t), MediaPort: s.MediaPort(), Data: t.TempDir(), TLSCert: cert, TLSKey: key, Now: time.Now}
	said.Reset()
	if !doctor.Print(&said, doctor.Examine(t.Context(), cfg)) || !strings.Contains(said.String(), "TURN         answers") {
		t.Errorf("a well relay with TLS is called ill:\n%s", &said)
	}
	cfg.URL = s.URL()
	said.Reset()
	if doctor.Print(&said, doctor.Examine(t.Context(), cfg)) || !strings.Contains(said.String(), "signed by nobody that clients know") {
		t.Errorf("an unknown authority is not told:\n%s", &said)
	}
}
