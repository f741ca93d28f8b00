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
	"encoding/json"
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

// Config is what signing in needs. All but Begun must be set.
type Config struct {
	Issuer   string // the provider's, https://…
	ClientID string
	Secret   string
	Claim    string // whose values the rules name
	Rules    []Rule
	Now      func() time.Time
	// Begun keeps the sign-ins that have begun, for all relays that one may end at; nil: in memory, for this one.
	Begun Begun
}

// Begun keeps sign-ins that have begun, for BeginTime.
type Begun interface {
	Put(ctx context.Context, state string, attempt []byte) error
	// Take takes a sign-in out; nil where there is none.
	Take(ctx context.Context, state string) ([]byte, error)
}

// Door signs people in. Its methods may be called from any goroutine.
type Door struct {
	cfg Config

	mu       sync.Mutex
	provider *oidc.Provider // nil until it was reached for the first time
}

// attempt is a signing in that has begun.
type attempt struct {
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Redirect string    `json:"redirect"`
	Until    time.Time `json:"until"`
}

// BeginTime is how long somebody has to sign in at the provider.
const BeginTime = 10 * time.Minute

// Bounds of signing in.
const (
	maxBegun = 1000
	askTime  = 10 * time.Second // for an answer of the provider's
)

// New returns a Door. The provider is reached when somebody signs in for the first time, so that the relay starts
// without it.
func New(cfg Config) *Door {
	if cfg.Begun == nil {
		cfg.Begun = &memory{now: cfg.Now, kept: map[string]kept{}}
	}
	return &Door{cfg: cfg}
}

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
	a := attempt{Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Redirect: redirect, Until: d.cfg.Now().Add(BeginTime)}
	state = rand.Text()
	data, err := json.Marshal(a)
	if err == nil {
		err = d.cfg.Begun.Put(ctx, state, data)
	}
	if err != nil {
		return "", "", err
	}
	return d.oauth(p, redirect).AuthCodeURL(state, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), state, nil
}

// take ends an attempt: a state is good once.
func (d *Door) take(ctx context.Context, state string) (a attempt, err error) {
	data, err := d.cfg.Begun.Take(ctx, state)
	switch {
	case err != nil:
		return a, err
	case data == nil, json.Unmarshal(data, &a) != nil, d.cfg.Now().After(a.Until):
		return a, ErrState
	}
	return a, nil
}

// End takes the code that the provider has given, and returns what the person may do. It fails with ErrState or
// ErrNobody, or says what the provider did not.
func (d *Door) End(ctx context.Context, state, code string) (auth.Grant, error) {
	a, err := d.take(ctx, state)
	if err != nil {
		return auth.Grant{}, err
	}
	p, err := d.reach(ctx)
	if err != nil {
		return auth.Grant{}, err
	}
	ctx = client(ctx)
	tokens, err := d.oauth(p, a.Redirect).Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return auth.Grant{}, fmt.Errorf("the OpenID provider does not take its code back: %w", err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := p.Verifier(&oidc.Config{ClientID: d.cfg.ClientID, Now: d.cfg.Now}).Verify(ctx, raw)
	if err != nil {
		return auth.Grant{}, fmt.Errorf("the OpenID provider's token does not hold: %w", err)
	}
	if id.Nonce != a.Nonce {
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
