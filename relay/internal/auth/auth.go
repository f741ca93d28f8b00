// Package auth signs and checks the tokens that let participants into a room: JWTs (RFC 7519) signed
// with Ed25519 (RFC 8037) by keys that never leave the relay's data directory.
package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Authority signs and checks tokens. Its methods may be called from any goroutine. It reads its keys anew
// when their directory changes.
type Authority struct {
	keys Keys
	now  func() time.Time

	mu      sync.Mutex
	loaded  []Key
	changed time.Time              // the directory's, when the keys were read
	peers   map[string][]PublicKey // of other relays, by their names; replaced, never changed
}

// KeysDir is where the keys are under a relay's data directory.
func KeysDir(data string) Keys { return Keys{filepath.Join(data, "keys")} }

// Open reads the keys under the data directory, and makes the first on first use.
func Open(data string, now func() time.Time) (*Authority, error) {
	a := &Authority{keys: KeysDir(data), now: now}
	loaded, err := a.current()
	if err == nil && len(loaded) == 0 {
		if err = a.keys.make(1); err == nil {
			loaded, err = a.current()
		}
	}
	if err == nil && len(loaded) == 0 {
		err = fmt.Errorf("token keys: none in %s", a.keys.Dir)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// current returns the keys, read anew where the directory has changed. While it cannot be read, the keys
// that were read last hold.
func (a *Authority) current() ([]Key, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	info, err := os.Stat(a.keys.Dir)
	if err != nil {
		return a.loaded, nil
	}
	// A change within the clock's grain of the last reading would not show: the directory is read again
	// until its time is a while ago.
	if info.ModTime().Equal(a.changed) && time.Since(a.changed) > time.Second {
		return a.loaded, nil
	}
	loaded, err := a.keys.Load()
	if err != nil {
		return a.loaded, err
	}
	a.loaded, a.changed = loaded, info.ModTime()
	return loaded, nil
}

// Sign is Issue for who does not need the grant as it was signed.
func (a *Authority) Sign(g Grant, ttl time.Duration) (string, error) {
	token, _, err := a.Issue(g, ttl)
	return token, err
}

// Issue makes a token that expires after ttl, with a new ID where it has none and the role's rights where it names
// none. It returns what it has signed.
func (a *Authority) Issue(g Grant, ttl time.Duration) (string, Grant, error) {
	now := a.now()
	g.IssuedAt, g.ExpiresAt = jwt.NewNumericDate(now), jwt.NewNumericDate(now.Add(ttl))
	if g.ID == "" {
		g.ID = rand.Text()
	}
	if g.Rights == nil {
		g.Rights = DefaultRights(g.Role)
	}
	if err := g.Validate(); err != nil {
		return "", Grant{}, err
	}
	keys, err := a.current()
	if err != nil || len(keys) == 0 {
		return "", Grant{}, errors.Join(errors.New("no key to sign with"), err)
	}
	key := keys[len(keys)-1]
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, g)
	token.Header["kid"] = key.ID
	text, err := token.SignedString(key.Private)
	return text, g, err
}

var errNoKey = errors.New("no key of this name")

// key finds the keys that a token names.
func (a *Authority) key(t *jwt.Token) (any, error) { return a.verifiers(t.Header["kid"]) }

// Check returns what a token grants. The error says in words why it does not.
func (a *Authority) Check(token string) (Grant, error) {
	if token == "" {
		return Grant{}, errors.New("no token: join with a link made by \"relay invite\"")
	}
	var g Grant
	t, err := jwt.ParseWithClaims(token, &g, a.key, jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithTimeFunc(a.now), jwt.WithExpirationRequired())
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Grant{}, fmt.Errorf("the token expired at %s: ask for a new invitation", g.ExpiresAt.UTC().Format(time.RFC3339))
	case errors.Is(err, errNoKey):
		return Grant{}, errors.New("the token was signed with a key that this relay does not have, or no longer: ask for a new invitation")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return Grant{}, errors.New("the token was not signed by this relay: ask for an invitation from it")
	case err != nil:
		return Grant{}, errors.New("the token cannot be read: copy the whole link")
	}
	g.Key, err = a.signer(t)
	return g, err
}

// signer is the key that has signed a token that holds: relays number theirs alike.
func (a *Authority) signer(t *jwt.Token) (ed25519.PublicKey, error) {
	set, err := a.verifiers(t.Header["kid"])
	text := t.Raw[:strings.LastIndexByte(t.Raw, '.')]
	for _, k := range set.Keys {
		if key, ok := k.(ed25519.PublicKey); ok && t.Method.Verify(text, t.Signature, key) == nil {
			return key, nil
		}
	}
	return nil, errors.Join(errNoKey, err) // it was removed just now
}

// Holds says whether tokens that a key has signed still hold, until they expire.
func (a *Authority) Holds(key ed25519.PublicKey) bool {
	own, _ := a.current()
	a.mu.Lock()
	peers := a.peers
	a.mu.Unlock()
	for _, k := range own {
		if key.Equal(k.Private.Public()) {
			return true
		}
	}
	for _, keys := range peers {
		for _, k := range keys {
			if key.Equal(k.Public) {
				return true
			}
		}
	}
	return false
}
