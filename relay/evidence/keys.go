package evidence

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// A succession says that one key of a recorder follows another: a signed note with the signatures of both, of the old
// one, which hands over, and of the new one, which takes it on. The text is
//
//	sightline seal key v1
//	<old public key>
//	<new public key>
//	<when, RFC 3339>
const successionTitle = "sightline seal key v1"

// Succession is what a succession says.
type Succession struct {
	Old, New string
	UTC      string
}

// Text is what is signed.
func (s Succession) Text() string {
	return fmt.Sprintf("%s\n%s\n%s\n%s\n", successionTitle, s.Old, s.New, s.UTC)
}

// OpenSuccession reads a succession and checks both signatures.
func OpenSuccession(signed string) (Succession, error) {
	text, _, _ := strings.Cut(signed, "\n\n")
	f := strings.Split(text+"\n", "\n")
	if len(f) != 5 || f[0] != successionTitle {
		return Succession{}, errors.New("is not a succession of keys")
	}
	s := Succession{f[1], f[2], f[3]}
	if _, err := time.Parse(time.RFC3339, s.UTC); err != nil {
		return Succession{}, fmt.Errorf("succession of keys: %w", err)
	}
	var keys []note.Verifier
	for _, k := range []string{s.Old, s.New} {
		v, err := note.NewVerifier(k)
		if err != nil {
			return Succession{}, fmt.Errorf("succession of keys: %w", err)
		}
		keys = append(keys, v)
	}
	n, err := note.Open([]byte(signed), note.VerifierList(keys...))
	if err != nil || len(n.Sigs) != 2 || n.Sigs[0].Hash == n.Sigs[1].Hash {
		return Succession{}, fmt.Errorf("succession of keys: it is not signed by both (%v)", err)
	}
	return s, nil
}

// ring is the keys that are trusted: those that were given, and those that successions lead to from them.
type ring struct {
	keys  []string
	known []Succession
}

// parseRing reads what somebody trusts: a line with a key, and after it, as relay seal-key list prints them, the
// successions that lead from and to it.
func parseRing(text string) (*ring, error) {
	blocks := strings.Split(strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")), "\n\n"+successionMark+"\n")
	key := strings.TrimSpace(blocks[0])
	if _, err := note.NewVerifier(key); err != nil {
		return nil, fmt.Errorf("the key: %w; want the line that relay seal-key prints", err)
	}
	r := &ring{keys: []string{key}}
	for _, b := range blocks[1:] {
		if err := r.add(strings.TrimRight(b, "\n") + "\n"); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// successionMark stands before each succession in a ring that is written down.
const successionMark = "# the key was changed:"

// FormatRing writes a key and its successions down, for verify's --key.
func FormatRing(key string, successions []string) string {
	var b strings.Builder
	b.WriteString(key + "\n")
	for _, s := range successions {
		b.WriteString("\n" + successionMark + "\n" + s)
	}
	return b.String()
}

// add takes a succession. It is trusted where either of its keys is: both have signed it.
func (r *ring) add(signed string) error {
	s, err := OpenSuccession(signed)
	if err != nil {
		return err
	}
	if !slices.Contains(r.known, s) {
		r.known = append(r.known, s)
	}
	for grown := true; grown; {
		grown = false
		for _, s := range r.known {
			old, new := slices.Contains(r.keys, s.Old), slices.Contains(r.keys, s.New)
			switch {
			case old && !new:
				r.keys, grown = append(r.keys, s.New), true
			case new && !old:
				r.keys, grown = append(r.keys, s.Old), true
			}
		}
	}
	return nil
}

// trusts says whether a key is in the ring.
func (r *ring) trusts(key string) bool { return slices.Contains(r.keys, key) }

// verifiers are the keys, for OpenNote.
func (r *ring) verifiers() []note.Verifier {
	var all []note.Verifier
	for _, k := range r.keys {
		if v, err := note.NewVerifier(k); err == nil {
			all = append(all, v)
		}
	}
	return all
}
