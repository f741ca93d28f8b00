package evidence

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/digitorus/timestamp"
)

// Stamp is an authority's word that a head was there at a time.
type Stamp struct {
	Time      time.Time `json:"time"`
	Authority string    `json:"authority"` // the subject of its certificate
	// Trusted says that the certificate leads to one of the roots that were given.
	Trusted bool `json:"trusted"`
}

// String says it in words.
func (s Stamp) String() string {
	how := "its certificate leads to a root that you gave"
	if !s.Trusted {
		how = "no root was given to check its certificate"
	}
	return fmt.Sprintf("Timestamp of %s by %s; %s.", s.Time.UTC().Format(time.RFC3339), s.Authority, how)
}

// StampRequest is what an authority is asked for a text (RFC 3161, SHA-256, with its certificate).
func StampRequest(text string) ([]byte, error) {
	return timestamp.CreateRequest(bytes.NewReader([]byte(text)), &timestamp.RequestOptions{Hash: crypto.SHA256, Certificates: true})
}

// CheckStamp checks an authority's response for a text. roots may be nil; the authority is not judged then.
func CheckStamp(response []byte, text string, roots *x509.CertPool) (Stamp, error) {
	t, err := timestamp.ParseResponse(response) // checks the signature
	if err != nil {
		return Stamp{}, fmt.Errorf("the authority's response: %w", err)
	}
	sum := sha256.Sum256([]byte(text))
	if t.HashAlgorithm != crypto.SHA256 || !bytes.Equal(t.HashedMessage, sum[:]) {
		return Stamp{}, errors.New("the authority stamped something else")
	}
	if len(t.Certificates) == 0 {
		return Stamp{}, errors.New("the authority's response has no certificate")
	}
	signer := stamper(t.Certificates)
	s := Stamp{Time: t.Time, Authority: signer.Subject.String()}
	if roots == nil {
		return s, nil
	}
	between := x509.NewCertPool()
	for _, c := range t.Certificates {
		between.AddCert(c)
	}
	_, err = signer.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: t.Time,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}})
	if err != nil {
		return Stamp{}, fmt.Errorf("the authority's certificate: %w", err)
	}
	s.Trusted = true
	return s, nil
}

// stamper is the certificate that may sign timestamps.
func stamper(all []*x509.Certificate) *x509.Certificate {
	for _, c := range all {
		for _, u := range c.ExtKeyUsage {
			if u == x509.ExtKeyUsageTimeStamping && !c.IsCA {
				return c
			}
		}
	}
	return all[0]
}
