// Package staff lets an operator's own people sign in with OpenID Connect: the authorization code flow with PKCE
// (RFC 7636), state and nonce. What they may do then is in a claim that the provider makes, which the configuration
// maps to rights:
//
//	staff:
//	  - value: plant-admins            # of the claim named by oidc-claim
//	    rights: [moderate, record, audit]
//	  - value: shift-leads
//	    rooms: hall1
//	    rights: [moderate]
package staff

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"sightline/relay/internal/auth"
)

// Rule is what people may do who have a value of the claim.
type Rule struct {
	Value  string   `yaml:"value"`
	Rights []string `yaml:"rights"`
	Room   string   `yaml:"rooms"` // one room's name; empty: all rooms
}

// Check returns an error that names what cannot be, or nil.
func (r *Rule) Check() error {
	if r.Value == "" {
		return errors.New("value is missing: one that the claim may have")
	}
	if r.Room != "" && !auth.RoomName(r.Room) {
		return fmt.Errorf("rooms: %.80q is no room's name; leave it out for all", r.Room)
	}
	g := auth.Grant{Room: auth.AllRooms, Role: auth.Viewer, Name: "x", Staff: true, Rights: r.Rights}
	return g.Rightful()
}

// Config is what signing in needs. All must be set.
type Config struct {
	Issuer   string // the provider's, https://…
	ClientID string
	Secret   string
	Claim    string // whose values the rules name
	Rules    []Rule
	Now      func() time.Time
}

// Door signs people in. Its methods may be called from any goroutine.
type Door struct {
	cfg Config

	mu       sync.Mutex
	provider *oidc.Provider // nil until it was reached for the first time
	begun    map[string]attempt
}

// attempt is a signing in that has begun.
type attempt struct {
	nonce, verifier, redirect string
	until                     time.Time
}

// Bounds of signing in.
const (
	maxBegun  = 1000
	beginTime = 10 * time.Minute // to sign in at the provider
	askTime   = 10 * time.Second // for an answer of the provider's
)

// New returns a Door. The provider is reached when somebody signs in for the first time, so that the relay starts
// without it.
func New(cfg Config) *Door { return &Door{cfg: cfg, begun: map[string]attempt{}} }

// Errors of signing in that are not the provider's.
var (
	ErrState  = errors.New("this sign-in was not begun here, or too long ago: begin again")
	ErrNobody = errors.New("you are known, but have no role here: ask for one that the relay's section staff names")
	errBusy   = errors.New("too many sign-ins have begun at once: try again in some minutes")
)

func client(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, &http.Client{Timeout: askTime})
}

// reach returns the provider, found by its discovery document.
func (d *Door) reach(ctx context.Context) (*oidc.Provider, error) {
	d.mu.Lock()
	known := d.provider
	d.mu.Unlock()
	if known != nil {
		return known, nil
	}
	// Its keys are fetched with this context for as long as it is used.
	p, err := oidc.NewProvider(client(context.WithoutCancel(ctx)), d.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("the OpenID provider cannot be reached: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.provider = p
	return p, nil
}

// Reach says whether the provider can be reached.
func (d *Door) Reach(ctx context.Context) error {
	_, err := d.reach(ctx)
	return err
}

func (d *Door) oauth(p *oidc.Provider, redirect string) *oauth2.Config {
	return &oauth2.Config{ClientID: d.cfg.ClientID, ClientSecret: d.cfg.Secret, Endpoint: p.Endpoint(), RedirectURL: redirect,
		Scopes: []string{oidc.ScopeOpenID, "profile", "email"}}
}

// Begin returns where somebody is sent to sign in, and the state that the browser has to keep. redirect is where he
// comes back.
func (d *Door) Begin(ctx context.Context, redirect string) (address, state string, err error) {
	p, err := d.reach(ctx)
	if err != nil {
		return "", "", err
	}
	a := attempt{nonce: rand.Text(), verifier: oauth2.GenerateVerifier(), redirect: redirect, until: d.cfg.Now().Add(beginTime)}
	state = rand.Text()
	d.mu.Lock()
	defer d.mu.Unlock()
	for s, old := range d.begun {
		if d.cfg.Now().After(old.until) {
			delete(d.begun, s)
		}
	}
	if len(d.begun) >= maxBegun {
		return "", "", errBusy
	}
	d.begun[state] = a
	return d.oauth(p, redirect).AuthCodeURL(state, oidc.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifier)), state, nil
}

// take ends an attempt: a state is good once.
func (d *Door) take(state string) (attempt, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, ok := d.begun[state]
	delete(d.begun, state)
	return a, ok && !d.cfg.Now().After(a.until)
}

// End takes the code that the provider has given, and returns what the person may do. It fails with ErrState or
// ErrNobody, or says what the provider did not.
func (d *Door) End(ctx context.Context, state, code string) (auth.Grant, error) {
	a, ok := d.take(state)
	if !ok {
		return auth.Grant{}, ErrState
	}
	p, err := d.reach(ctx)
	if err != nil {
		return auth.Grant{}, err
	}
	ctx = client(ctx)
	tokens, err := d.oauth(p, a.redirect).Exchange(ctx, code, oauth2.VerifierOption(a.verifier))
	if err != nil {
		return auth.Grant{}, fmt.Errorf("the OpenID provider does not take its code back: %w", err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := p.Verifier(&oidc.Config{ClientID: d.cfg.ClientID, Now: d.cfg.Now}).Verify(ctx, raw)
	if err != nil {
		return auth.Grant{}, fmt.Errorf("the OpenID provider's token does not hold: %w", err)
	}
	if id.Nonce != a.nonce {
		return auth.Grant{}, ErrState
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return auth.Grant{}, fmt.Errorf("the OpenID provider's token cannot be read: %w", err)
	}
	if info, err := p.UserInfo(ctx, oauth2.StaticTokenSource(tokens)); err == nil && info.Subject == id.Subject {
		more := map[string]any{}
		if info.Claims(&more) == nil {
			for key, value := range more {
				if _, said := claims[key]; !said {
					claims[key] = value
				}
			}
		}
	}
	return d.grant(claims)
}

// grant is what the claims' owner may do: all that the rules say of his values. A rule for all rooms goes before those
// for one; of rules for one room each, the first room's hold.
func (d *Door) grant(claims map[string]any) (auth.Grant, error) {
	g := auth.Grant{Role: auth.Viewer, Name: nameOf(claims), Staff: true, Rights: []string{}}
	values := texts(claims[d.cfg.Claim])
	for _, all := range []bool{true, false} {
		for _, r := range d.cfg.Rules {
			if (r.Room == "") != all || !slices.Contains(values, r.Value) {
				continue
			}
			room := auth.AllRooms
			if !all {
				room = r.Room
			}
			if g.Room == "" {
				g.Room = room
			}
			if g.Room == room {
				g.Rights = append(g.Rights, r.Rights...)
			}
		}
	}
	if g.Room == "" {
		return g, ErrNobody
	}
	slices.Sort(g.Rights)
	g.Rights = slices.Compact(g.Rights)
	return g, nil
}

// nameOf is a person's name for people.
func nameOf(claims map[string]any) string {
	for _, key := range []string{"name", "preferred_username", "email", "sub"} {
		if name, _ := claims[key].(string); name != "" && len(name) <= 100 {
			return name
		}
	}
	return "somebody"
}

// texts are the values of a claim: a text, or a list of them.
func texts(claim any) []string {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, one := range v {
			if s, ok := one.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}
