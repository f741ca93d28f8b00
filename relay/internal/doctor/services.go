package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"sightline/relay/internal/s3"
	"sightline/relay/internal/webhook"
)

// services examines what the relay needs of others: the OpenID provider, the authority that gives its certificate, and
// the programs that it tells.
func (c Config) services(ctx context.Context) (found []Finding) {
	if c.Issuer != "" {
		found = append(found, c.provider(ctx))
	}
	if c.ACMEDomain != "" {
		found = append(found, c.name(ctx), c.authority(ctx))
	}
	if c.Store != nil {
		found = append(found, c.bucket(ctx))
	}
	for i := range c.Webhooks {
		found = append(found, c.webhook(ctx, &c.Webhooks[i]))
	}
	return found
}

// bucket lists what is in the bucket of finished recordings, puts something there, and takes it away.
func (c Config) bucket(ctx context.Context) Finding {
	const probe = "doctor-was-here"
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	b, err := s3.Open(*c.Store)
	n := 0
	if err == nil {
		err = b.Each(ctx, func(string, int64, time.Time) { n++ })
	}
	if err == nil {
		err = b.Put(ctx, probe, strings.NewReader(probe), int64(len(probe)))
	}
	if err == nil {
		err = b.Delete(ctx, probe)
	}
	if err != nil {
		return Finding{Fail, "s3", err.Error(), "see whether the server runs, the bucket is there, and the keys may list, read, write and delete in it; until then recordings stay in the data directory"}
	}
	return Finding{OK, "s3", fmt.Sprintf("the bucket %s takes and gives; %d objects are in it", c.Store.Bucket, n), ""}
}

// letsEncrypt is the authority where none is named.
const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// fetch reads a JSON document. roots are nil for the system's.
func (c Config) fetch(ctx context.Context, address string, roots *x509.CertPool, into any) error {
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(r)
	var in *url.Error
	if errors.As(err, &in) {
		return in.Err
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(into); err != nil {
		return errors.New("what it answers is not the document that is wanted")
	}
	return nil
}

// provider reads the provider's discovery document.
func (c Config) provider(ctx context.Context) Finding {
	f := Finding{Level: OK, What: "oidc-issuer", Text: c.Issuer + " answers"}
	var doc struct{ Issuer string }
	err := c.fetch(ctx, strings.TrimSuffix(c.Issuer, "/")+"/.well-known/openid-configuration", nil, &doc)
	switch {
	case err != nil:
		f.Level, f.Text, f.Mend = Fail, c.Issuer+": "+err.Error(), "staff cannot sign in: look whether the provider runs, whether this machine may reach it, and whether oidc-issuer is its address as it writes it"
	case doc.Issuer != c.Issuer:
		f.Level, f.Text, f.Mend = Fail, fmt.Sprintf("the provider calls itself %q", doc.Issuer), fmt.Sprintf("set oidc-issuer: %s, letter by letter", doc.Issuer)
	}
	return f
}

// name looks whether the name of the certificate leads anywhere.
func (c Config) name(ctx context.Context) Finding {
	f := Finding{Level: OK, What: "acme-domain"}
	addresses, err := net.DefaultResolver.LookupHost(ctx, c.ACMEDomain)
	if err != nil {
		f.Level, f.Text, f.Mend = Fail, err.Error(), "make an A or AAAA record for "+c.ACMEDomain+" that leads to the relay"
		return f
	}
	f.Text = c.ACMEDomain + " leads to " + strings.Join(addresses, ", ") + "; port 443 there must lead to the relay's"
	return f
}

// authority reads the directory of the authority.
func (c Config) authority(ctx context.Context) Finding {
	address := c.ACMECA
	if address == "" {
		address = letsEncrypt
	}
	f := Finding{Level: OK, What: "acme-ca", Text: address + " answers"}
	var roots *x509.CertPool
	if c.ACMERoot != "" {
		pem, err := os.ReadFile(c.ACMERoot)
		roots = x509.NewCertPool()
		if err == nil && !roots.AppendCertsFromPEM(pem) {
			err = fmt.Errorf("%s holds no certificate in PEM", c.ACMERoot)
		}
		if err != nil {
			f.Level, f.What, f.Text, f.Mend = Fail, "acme-root", err.Error(), "acme-root is the PEM file with the root of the authority's own certificate"
			return f
		}
	}
	var doc struct{ NewOrder string }
	err := c.fetch(ctx, address, roots, &doc)
	if err == nil && doc.NewOrder == "" {
		err = errors.New("what it answers is no ACME directory")
	}
	if err != nil {
		f.Level, f.Text, f.Mend = Fail, address+": "+err.Error(), "no certificate can be got: look whether this machine may reach the authority, and whether acme-ca is its directory"
	}
	return f
}

func (c Config) webhook(ctx context.Context, t *webhook.Target) Finding {
	f := Finding{Level: OK, What: "webhooks", Text: t.Name() + " answers"}
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	if err := t.Reach(ctx); err != nil {
		f.Level, f.Text = Warn, t.Name()+": "+err.Error()
		f.Mend = "messages wait on disk for three days: start the program, let its port through, or mend its certificate or its entry in webhooks"
	}
	return f
}
