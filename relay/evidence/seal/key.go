// Package seal is what makes a case evidence: the signing key of a recorder, and the transparency log that all
// signed heads go into, under DATA/seal.
//
//	key             the private key, as golang.org/x/mod/sumdb/note writes it; readable to the recorder alone
//	key.pub         the public key, which verifies: give it to who is to verify cases
//	successions     how the key was changed: notes that the old and the new key have signed, as a list of JSON
//	log/entries     every entry that was ever made: its length in four bytes, big-endian, and its bytes
//	log/hashes      the Merkle tree over them, as golang.org/x/mod/sumdb/tlog stores it
//	log/checkpoint  the signed head of the tree
package seal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Who seals: the name of the key.
const (
	Relay = "sightline-relay"
	Field = "sightline-field" // the second recorder, on the technician's side
)

// Dir is where the seal is under a data directory.
func Dir(data string) string { return filepath.Join(data, "seal") }

// key is the signing key and what verifies it.
type key struct {
	signer   note.Signer
	verifier note.Verifier
	public   string
	// successions lead from the first key to this one.
	successions []string
}

// openKey reads the key, or makes one where there is none.
func openKey(dir, name string) (*key, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	private, err := os.ReadFile(filepath.Join(dir, "key"))
	if errors.Is(err, os.ErrNotExist) {
		private, err = makeKey(dir, name)
	}
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	public, err := os.ReadFile(filepath.Join(dir, "key.pub"))
	if err != nil {
		return nil, fmt.Errorf("seal: the public key: %w; put it back, it is as precious as the private one", err)
	}
	k := &key{public: strings.TrimSpace(string(public))}
	if k.successions, err = readSuccessions(dir); err != nil {
		return nil, err
	}
	if k.signer, err = note.NewSigner(strings.TrimSpace(string(private))); err != nil {
		return nil, fmt.Errorf("seal: %s: %w", filepath.Join(dir, "key"), err)
	}
	if p := publicOf(k.successions, k.signer); p != "" && p != k.public { // a crash came between the two files of a new key
		k.public = p
		if err := replace(filepath.Join(dir, "key.pub"), []byte(p+"\n")); err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
	}
	if k.verifier, err = note.NewVerifier(k.public); err != nil {
		return nil, fmt.Errorf("seal: %s: %w", filepath.Join(dir, "key.pub"), err)
	}
	if k.signer.KeyHash() != k.verifier.KeyHash() {
		return nil, fmt.Errorf("seal: key and key.pub in %s do not belong together", dir)
	}
	return k, nil
}

// makeKey makes a key pair. Of two processes that do so at once, one makes it and both read it.
func makeKey(dir, name string) ([]byte, error) {
	private, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "key.pub"), []byte(public+"\n"), 0o644); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "key"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(private + "\n")
	return []byte(private), errors.Join(err, f.Sync(), f.Close())
}
