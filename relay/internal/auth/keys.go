package auth

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Keys are the Ed25519 keys in a directory, one PKCS #8 PEM file each (mode 0600), named by a number: 1.pem,
// 2.pem. The number is the key's kid. The greatest signs; all verify until their file is removed.
type Keys struct{ Dir string }

// Key is one key of a directory.
type Key struct {
	ID      string // the file's number, the kid of the tokens that it has signed
	Private ed25519.PrivateKey

	number int
}

// Load reads all keys, the one that signs last. Errors name the file and the mend.
func (k Keys) Load() ([]Key, error) {
	entries, err := os.ReadDir(k.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("token keys: %w", err)
	}
	var keys []Key
	for _, e := range entries {
		id, isKey := strings.CutSuffix(e.Name(), ".pem")
		number, err := strconv.Atoi(id)
		if !isKey || err != nil || number < 1 {
			continue
		}
		path := filepath.Join(k.Dir, e.Name())
		private, err := readKey(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed just now
		}
		if err != nil {
			return nil, fmt.Errorf("token key %s: %w", path, err)
		}
		keys = append(keys, Key{id, private, number})
	}
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(a.number, b.number) })
	return keys, nil
}

// Rotate makes a new key, which signs from now on. The older ones go on verifying.
func (k Keys) Rotate() (id string, err error) {
	keys, err := k.Load()
	if err != nil {
		return "", err
	}
	next := 1
	if len(keys) > 0 {
		next = keys[len(keys)-1].number + 1
	}
	return strconv.Itoa(next), k.make(next)
}

// Remove ends a key, and with it every token that it has signed.
func (k Keys) Remove(id string) error {
	if n, err := strconv.Atoi(id); err != nil || n < 1 {
		return fmt.Errorf("key %.40q: want a number, as relay keys list prints it", id)
	}
	keys, err := k.Load()
	if err == nil && len(keys) == 1 && keys[0].ID == id {
		return errors.New("this is the only key; rotate first")
	}
	return os.Remove(filepath.Join(k.Dir, id+".pem"))
}

func readKey(path string) (ed25519.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("is not PEM; remove it, which ends the tokens that it has signed")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("is a %T, want an Ed25519 key", parsed)
	}
	return key, nil
}

// make writes a new key. Of several processes that make the same one at once, one wins and all use its key.
func (k Keys) make(number int) error {
	if err := os.MkdirAll(k.Dir, 0o700); err != nil {
		return fmt.Errorf("token keys: %w", err)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	draft, err := os.CreateTemp(k.Dir, "new-*.tmp") // mode 0600
	if err != nil {
		return fmt.Errorf("token keys: %w", err)
	}
	defer os.Remove(draft.Name())
	err = errors.Join(pem.Encode(draft, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), draft.Sync(), draft.Close())
	if err != nil {
		return fmt.Errorf("token keys: %w", err)
	}
	if err := os.Link(draft.Name(), filepath.Join(k.Dir, strconv.Itoa(number)+".pem")); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("token keys: %w", err)
	}
	return nil
}
