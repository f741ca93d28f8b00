package app

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
	"sightline/relay/evidence/vault"
	"sightline/relay/internal/audit"
)

// verify proves a case. It needs nothing but the case and the key.
type verify struct {
	Case      string   `arg:"" type:"path" help:"The folder of a case, or its archive."`
	Key       string   `required:"" placeholder:"PUB" help:"The relay's public key, as seal-key prints it, or a file that holds it; a file with what seal-key list prints proves cases of earlier keys too."`
	Authority string   `type:"path" placeholder:"PEM" help:"Root certificates of timestamp authorities that you trust."`
	Second    []string `type:"path" placeholder:"CASE" help:"The cases of second recorders of the session, to compare; by default those that lie beside the case."`
	Alone     bool     `help:"Look at no second recorder's case."`
	Identity  string   `type:"path" placeholder:"FILE" help:"The age identity file of somebody who may read an encrypted case, to compare what is in it too."`
	JSON      bool     `name:"json" help:"Print the report as JSON."`
}

// errNotProven ends the program with 1; the report has said why.
var errNotProven = errors.New("")

func (c verify) run(stdout io.Writer) error {
	cfg := evidence.VerifyConfig{Key: c.Key}
	if data, err := os.ReadFile(c.Key); err == nil {
		cfg.Key = strings.TrimSpace(string(data))
	}
	if c.Authority != "" {
		data, err := os.ReadFile(c.Authority)
		if err != nil {
			return fmt.Errorf("--authority: %w", err)
		}
		cfg.Roots = x509.NewCertPool()
		if !cfg.Roots.AppendCertsFromPEM(data) {
			return fmt.Errorf("--authority: %s holds no certificate in PEM", c.Authority)
		}
	}
	if len(c.Second) == 0 && !c.Alone {
		c.Second, _ = evidence.Beside(c.Case) // what is wrong with the case itself, the report says
	}
	report, err := evidence.VerifySession(c.Case, c.Second, cfg, c.unlock())
	if err != nil {
		return err
	}
	if c.JSON {
		out := json.NewEncoder(stdout)
		out.SetIndent("", "  ")
		err = out.Encode(report)
	} else {
		err = report.Write(stdout)
	}
	if err == nil && !report.Proven {
		err = errNotProven
	}
	return err
}

// unlock is what decrypts cases; nil where no identity is given.
func (c verify) unlock() evidence.Unlock {
	if c.Identity == "" {
		return nil
	}
	return func(path string) (evidence.Decrypt, error) {
		f, err := os.Open(c.Identity)
		if err != nil {
			return nil, fmt.Errorf("--identity: %w", err)
		}
		decrypt, err := vault.Unlock(path, f)
		return decrypt, errors.Join(err, f.Close())
	}
}

// sealKey is the key that signs cases.
type sealKey struct {
	Show   keysIn `cmd:"" default:"withargs" help:"Print the public key; also without the word show. Give it to who is to verify cases, on a way of its own."`
	List   keysIn `cmd:"" help:"Print the public key, and how it was changed: verify --key takes a file with that, and proves cases of every key of it."`
	Rotate keysIn `cmd:"" help:"Make a new key, which the old one hands over to. Cases that begin from now on are signed with it, also by a relay that runs."`
}

func (c sealKey) run(command string, stdout io.Writer) error {
	of := c.Show
	switch command {
	case "list":
		of = c.List
	case "rotate":
		of = c.Rotate
	}
	s, err := seal.Open(of.Data, seal.Relay)
	if err != nil {
		return err
	}
	switch command {
	case "list":
		_, err = io.WriteString(stdout, evidence.FormatRing(s.Key(), s.Successions()))
	case "rotate":
		var old, key string
		if old, key, err = s.Rotate(time.Now()); err != nil {
			return err
		}
		err = audit.Once(of.Data, time.Now, audit.Event{What: audit.SealKeyRotated, By: "relay seal-key rotate, " + account(), Detail: "from " + old + " to " + key})
		_, e := fmt.Fprintln(stdout, key)
		err = errors.Join(err, e)
	default:
		_, err = fmt.Fprintln(stdout, s.Key())
	}
	return err
}

// archive makes one file of a case.
type archive struct {
	Case string `arg:"" type:"path" help:"The folder of a case."`
	Out  string `required:"" type:"path" placeholder:"FILE.zip" help:"The archive, which must not be there yet."`
}

func (c archive) run() error {
	f, err := os.OpenFile(c.Out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	err = evidence.Pack(c.Case, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(c.Out))
	}
	return nil
}
