package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sightline/annotate/typeset"
	"sightline/expert/internal/report"
	"sightline/expert/internal/tape"
	"sightline/relay/evidence"
	"sightline/relay/evidence/vault"
)

// caseFlags are what every command on a case takes.
type caseFlags struct {
	Case     string   `arg:"" help:"The case: a folder, the archive of one, or its address at a relay: https://RELAY/api/v1/cases/ID."`
	With     []string `type:"path" placeholder:"CASE" help:"Cases of other recorders of the same session, besides those that lie beside the case: what the case lacks is filled in from them, and said to be."`
	Token    string   `placeholder:"TOKEN" help:"Token with the right to play, or to export, where the case is at a relay, which notes each access."`
	Key      string   `placeholder:"KEY" help:"The relay's key, as \"relay seal-key\" prints it, or a file with it: proves the case."`
	Identity string   `type:"existingfile" placeholder:"FILE" help:"The age identity that an encrypted case is opened with."`
}

// unlock returns what reads the pieces of encrypted cases; nil without an identity.
func (f caseFlags) unlock() evidence.Unlock {
	if f.Identity == "" {
		return nil
	}
	return func(path string) (evidence.Decrypt, error) {
		in, err := os.Open(f.Identity)
		if err != nil {
			return nil, err
		}
		defer in.Close()
		return vault.Unlock(path, in)
	}
}

// opened is a case to work on.
type opened struct {
	tape  *tape.Tape
	seal  report.Seal
	faces *typeset.Faces
	copy  string // of a case at a relay; empty for none
}

// close closes the case, and takes away the copy.
func (o opened) close() error {
	err := o.tape.Close()
	if o.copy != "" {
		err = errors.Join(err, os.RemoveAll(filepath.Dir(o.copy)))
	}
	return err
}

// open opens the case and examines its seal. A case at a relay is brought here first, for a purpose: archive, to
// play it, or export. Close it afterwards.
func (f caseFlags) open(ctx context.Context, purpose string) (o opened, err error) {
	if o.faces, err = typeset.New(); err != nil {
		return o, err
	}
	if atRelay(f.Case) {
		if o.copy, err = fetch(ctx, f.Case, f.Token, purpose); err != nil {
			return o, err
		}
		f.Case = o.copy
	}
	if o.tape, o.seal, err = f.read(); err != nil && o.copy != "" {
		err = errors.Join(err, os.RemoveAll(filepath.Dir(o.copy)))
	}
	return o, err
}

// read opens the case and examines its seal.
func (f caseFlags) read() (*tape.Tape, report.Seal, error) {
	if _, err := os.Stat(f.Case); err != nil {
		return nil, report.Seal{}, fmt.Errorf("the case: %w", err)
	}
	others, err := evidence.Beside(f.Case)
	if err != nil {
		return nil, report.Seal{}, err
	}
	for _, o := range f.With {
		if !slices.Contains(others, o) {
			others = append(others, o)
		}
	}
	type verdict struct {
		seal report.Seal
		err  error
	}
	examined := make(chan verdict, 1)
	go func() { // it reads the same files for itself, and ends by itself
		seal, err := f.examine(others)
		examined <- verdict{seal, err}
	}()
	t, err := tape.Open(f.Case, others, f.unlock())
	v := <-examined
	if err != nil && f.Identity == "" && strings.Contains(err.Error(), "encrypted") {
		err = fmt.Errorf("%w: --identity FILE names the age identity of one of those who may read it", err)
	}
	if err == nil && v.err != nil {
		err = errors.Join(v.err, t.Close())
	}
	return t, v.seal, err
}

// examine says whether the case is proven. Without a key, the one that the case names shows whether the case
// is whole in itself; that is no proof, for who changes a case can name another key.
func (f caseFlags) examine(others []string) (report.Seal, error) {
	key := f.Key
	if data, err := os.ReadFile(key); key != "" && err == nil {
		key = string(data)
	}
	given := key != ""
	if !given {
		about, err := evidence.Begin(f.Case)
		if err != nil {
			return report.Seal{}, err
		}
		key = about.Key
	}
	r, err := evidence.VerifySession(f.Case, others, evidence.VerifyConfig{Key: key}, f.unlock())
	if err != nil {
		return report.Seal{}, err
	}
	var words strings.Builder
	if err := r.Write(&words); err != nil {
		return report.Seal{}, err
	}
	s := report.Seal{Proven: r.Proven && given}
	switch {
	case s.Proven:
		s.Words = fmt.Sprintf("Complete, and every byte as it was recorded, up to %s of the session; signed by %s.",
			(time.Duration(r.SealedTo) * time.Microsecond).Round(time.Second), name(key))
	case r.Proven:
		s.Words = "The case is whole by the key that it names itself; nobody vouches for that key. Give the relay's key to prove it."
	default:
		faults := r.Faults
		for _, second := range r.Seconds {
			faults = append(faults, second.Faults...)
		}
		s.Words = fmt.Sprintf("%d faults were found; the first: %s: %s: %s.", len(faults), faults[0].Kind, faults[0].Place, faults[0].Text)
	}
	for line := range strings.Lines(strings.TrimSpace(words.String())) {
		if line = strings.TrimSpace(line); !strings.Contains(line, "PROVEN") {
			s.Details = append(s.Details, line)
		}
	}
	return s, nil
}

// name is a key's name and number, without the key itself.
func name(key string) string {
	parts := strings.SplitN(strings.TrimSpace(key), "+", 3)
	return strings.Join(parts[:min(2, len(parts))], "+")
}
