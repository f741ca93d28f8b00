// Package auth signs and checks the tokens that let participants into a room: JWTs (RFC 7519) signed
// with Ed25519 by a key that never leaves the relay's data directory.
package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The roles of participants.
const (
	Field  = "field"
	Expert = "expert"
	Viewer = "viewer"
)

// Grant is what a token says: who may enter which room as what, and until when.
type Grant struct {
	Room string `json:"room"`
	Role string `json:"role"`
	Name string `json:"name"`
	// Watch are machines, "<area>/<machine>", whose telemetry the room gets when the bearer joins.
	Watch []string `json:"watch,omitempty"`
	jwt.RegisteredClaims
}

var roomName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Validate returns an error that names what is wrong with a grant, or nil.
func (g Grant) Validate() error {
	switch {
	case !roomName.MatchString(g.Room):
		return fmt.Errorf("room %.80q: letters, digits, - and _ only, 1 to 64", g.Room)
	case g.Role != Field && g.Role != Expert && g.Role != Viewer:
		return fmt.Errorf("role %.40q: want field, expert or viewer", g.Role)
	case g.Name == "" || len(g.Name) > 100:
		return fmt.Errorf("name of %d bytes: want 1 to 100", len(g.Name))
	case g.ExpiresAt == nil:
		return errors.New("token without an expiry")
	}
	return nil
}

// Authority signs and checks tokens. Its methods may be called from any goroutine.
type Authority struct {
	key ed25519.PrivateKey
	now func() time.Time
}

// Open reads the key under the data directory, and makes it on first use (mode 0600).
func Open(data string, now func() time.Time) (*Authority, error) {
	path := filepath.Join(data, "keys", "token.pem")
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("token key %s: %w", path, err)
	}
	return &Authority{key: key, now: now}, nil
}

func readKey(path string) (ed25519.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("is not PEM; remove it to have a new one made, which ends all tokens")
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

// makeKey writes a new key. Of several processes that make one at once, one wins and all use its key.
func makeKey(path string) (ed25519.PrivateKey, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), "token-*.tmp") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(draft.Name())
	err = errors.Join(pem.Encode(draft, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), draft.Sync(), draft.Close())
	if err != nil {
		return nil, err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return readKey(path)
}

// Sign makes a token that expires after ttl.
func (a *Authority) Sign(g Grant, ttl time.Duration) (string, error) {
	now := a.now()
	g.IssuedAt, g.ExpiresAt = jwt.NewNumericDate(now), jwt.NewNumericDate(now.Add(ttl))
	if err := g.Validate(); err != nil {
		return "", err
	}
	return jwt.NewWithClaims(jwt.SigningMethodEdDSA, g).SignedString(a.key)
}

// Check returns what a token grants. The error says in words why it does not.
func (a *Authority) Check(token string) (Grant, error) {
	if token == "" {
		return Grant{}, errors.New("no token: join with a link made by \"relay invite\"")
	}
	var g Grant
	_, err := jwt.ParseWithClaims(token, &g, func(*jwt.Token) (any, error) { return a.key.Public(), nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithTimeFunc(a.now), jwt.WithExpirationRequired())
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Grant{}, fmt.Errorf("the token expired at %s: ask for a new invitation", g.ExpiresAt.UTC().Format(time.RFC3339))
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return Grant{}, errors.New("the token was not signed by this relay: ask for an invitation from it")
	case err != nil:
		return Grant{}, errors.New("the token cannot be read: copy the whole link")
	}
	return g, nil
}
