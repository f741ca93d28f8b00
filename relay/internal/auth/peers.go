package auth

import (
	"crypto/ed25519"
	"maps"

	"github.com/golang-jwt/jwt/v5"
)

// PublicKey verifies tokens that another relay has signed.
type PublicKey struct {
	ID     string            `json:"id"` // the kid; relays number theirs alike
	Public ed25519.PublicKey `json:"public"`
}

// Public returns what verifies this relay's tokens.
func (a *Authority) Public() ([]PublicKey, error) {
	keys, err := a.current()
	if err != nil {
		return nil, err
	}
	var all []PublicKey
	for _, k := range keys {
		all = append(all, PublicKey{k.ID, k.Private.Public().(ed25519.PublicKey)})
	}
	return all, nil
}

// Trust takes tokens that another relay has signed, by its name, until it is called again for the same one; without
// keys it takes none any more.
func (a *Authority) Trust(relay string, keys []PublicKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	peers := maps.Clone(a.peers)
	if peers == nil {
		peers = map[string][]PublicKey{}
	}
	delete(peers, relay)
	for _, k := range keys {
		if len(k.Public) == ed25519.PublicKeySize {
			peers[relay] = append(peers[relay], k)
		}
	}
	a.peers = peers
}

// verifiers are all keys of a name.
func (a *Authority) verifiers(kid any) (set jwt.VerificationKeySet, err error) {
	own, err := a.current()
	a.mu.Lock()
	peers := a.peers
	a.mu.Unlock()
	if err != nil && len(own) == 0 && len(peers) == 0 {
		return set, err
	}
	for _, k := range own {
		if k.ID == kid {
			set.Keys = append(set.Keys, k.Private.Public())
		}
	}
	for _, keys := range peers {
		for _, k := range keys {
			if k.ID == kid {
				set.Keys = append(set.Keys, k.Public)
			}
		}
	}
	if len(set.Keys) == 0 {
		return set, errNoKey
	}
	return set, nil
}
