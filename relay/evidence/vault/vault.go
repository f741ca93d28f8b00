// Package vault encrypts cases at rest with age. Each case has a key of its own, made when its recording begins and
// kept in the case, encrypted to the recipients that the relay was configured with. The relay keeps none: what it has
// recorded it cannot read again. Who removes the case's key file has shredded the case; Verify then still proves the
// rest of it.
package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"sightline/relay/evidence"
)

// Recipients reads public keys as age-keygen prints them: age1….
func Recipients(keys []string) ([]age.Recipient, error) {
	if len(keys) == 0 {
		return nil, errors.New("no recipient is given")
	}
	var all []age.Recipient
	for _, k := range keys {
		r, err := age.ParseX25519Recipient(k)
		if err != nil {
			return nil, fmt.Errorf("recipient %q: %w; want age1… as age-keygen prints it", k, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// LockTo is Lock for recipients as age-keygen prints them.
func LockTo(keys []string) (keyFile []byte, encrypt func([]byte) ([]byte, error), err error) {
	to, err := Recipients(keys)
	if err != nil {
		return nil, nil, err
	}
	return Lock(to)
}

// Lock makes a case's key. keyFile is the key, encrypted to the recipients; encrypt makes pieces unreadable but to who
// has it.
func Lock(recipients []age.Recipient) (keyFile []byte, encrypt func([]byte) ([]byte, error), err error) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, nil, err
	}
	if keyFile, err = sealTo([]byte(key.String()+"\n"), recipients...); err != nil {
		return nil, nil, fmt.Errorf("the key of the case: %w", err)
	}
	to := key.Recipient()
	return keyFile, func(piece []byte) ([]byte, error) { return sealTo(piece, to) }, nil
}

func sealTo(data []byte, to ...age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}

func open(data []byte, with ...age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(data), with...)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// Unlock returns what reads the pieces of a case, folder or archive. identities is the content of an age identity file
// of a recipient.
func Unlock(path string, identities io.Reader) (evidence.Decrypt, error) {
	with, err := age.ParseIdentities(identities)
	if err != nil {
		return nil, fmt.Errorf("the identity: %w", err)
	}
	keyFile, err := evidence.ReadKeyFile(path)
	if err != nil {
		return nil, fmt.Errorf("the key of the case: %w", err)
	}
	raw, err := open(keyFile, with...)
	if err != nil {
		return nil, fmt.Errorf("the key of the case is not for this identity: %w", err)
	}
	key, err := age.ParseX25519Identity(string(bytes.TrimSpace(raw)))
	if err != nil {
		return nil, fmt.Errorf("the key of the case: %w", err)
	}
	return func(piece []byte) ([]byte, error) { return open(piece, key) }, nil
}
