package doctor

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sightline/relay/internal/s3test"
	"sightline/relay/internal/webhook"
)

// What others must serve is tried, and each fault is told with its mend.
func TestServices(t *testing.T) {
	var issuer string
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"issuer":%q}`, issuer) })
	mux.HandleFunc("/dir", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"newOrder":"x"}`) })
	plain, secure := httptest.NewServer(mux), httptest.NewTLSServer(mux)
	defer plain.Close()
	defer secure.Close()
	issuer = plain.URL
	root := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	hook := func(url string) []webhook.Target { return []webhook.Target{{URL: url + "/hidden", Secret: "whsec_x"}} }
	for name, c := range map[string]struct {
		config Config
		want   string // the levels and what they are of
		text   string
	}{
		"well": {Config{Issuer: plain.URL, ACMEDomain: "localhost", ACMECA: secure.URL + "/dir", ACMERoot: root, Webhooks: hook(plain.URL)},
			"ok oidc-issuer, ok acme-domain, ok acme-ca, ok webhooks", "answers"},
		"another issuer": {Config{Issuer: plain.URL + "/"}, "FAIL oidc-issuer", "letter by letter"},
		"no provider":    {Config{Issuer: "http://127.0.0.1:1"}, "FAIL oidc-issuer", "cannot sign in"},
		"unknown root":   {Config{ACMEDomain: "localhost", ACMECA: secure.URL + "/dir"}, "ok acme-domain, FAIL acme-ca", "certificate"},
		"no directory":   {Config{ACMEDomain: "localhost", ACMECA: plain.URL + "/.well-known/openid-configuration"}, "ok acme-domain, FAIL acme-ca", "no ACME directory"},
		"no name":        {Config{ACMEDomain: "none.invalid", ACMECA: secure.URL + "/dir", ACMERoot: root}, "FAIL acme-domain, ok acme-ca", "A or AAAA"},
		"no program":     {Config{Webhooks: hook("http://127.0.0.1:1")}, "warn webhooks", "wait on disk"},
	} {
		c.config.Patience = 5 * time.Second
		var levels []string
		var text strings.Builder
		found := c.config.services(t.Context())
		for _, f := range found {
			levels = append(levels, string(f.Level)+" "+f.What)
		}
		Print(&text, found)
		if got := strings.Join(levels, ", "); got != c.want || !strings.Contains(text.String(), c.text) || strings.Contains(text.String(), "hidden") {
			t.Errorf("%s: %s, want %s and %q in\n%s", name, got, c.want, c.text, text.String())
		}
	}
}

// A bucket that can be used is found well; one that is not there, and a server that is down, are not.
func TestBucket(t *testing.T) {
	server := s3test.Start(t)
	c := Config{Patience: 5 * time.Second, Store: &server.Config}
	if f := c.bucket(t.Context()); f.Level != OK {
		t.Errorf("%+v", f)
	}
	other := server.Config
	other.Bucket = "of-nobody"
	if f := (Config{Patience: 5 * time.Second, Store: &other}).bucket(t.Context()); f.Level != Fail || f.Mend == "" {
		t.Errorf("%+v", f)
	}
	server.Kill()
	if f := c.bucket(t.Context()); f.Level != Fail {
		t.Errorf("%+v", f)
	}
}
