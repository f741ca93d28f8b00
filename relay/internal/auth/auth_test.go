package auth

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func open(t *testing.T, dir string, now func() time.Time) *Authority {
	t.Helper()
	a, err := Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var grant = Grant{Room: "hall-3", Role: Expert, Name: "Ann 王", Watch: []string{"hall 3/pump.7"}}

func TestTokenGoesRound(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir, time.Now)
	token, err := a.Sign(grant, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	got, err := open(t, dir, time.Now).Check(token) // another process, the same key
	if err != nil || got.Room != grant.Room || got.Role != grant.Role || got.Name != grant.Name || got.Watch[0] != grant.Watch[0] {
		t.Fatalf("got %+v, %v", got, err)
	}
	info, err := os.Stat(filepath.Join(dir, "keys", "1.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key has mode %v (%v), want 0600", info.Mode(), err)
	}
}

func TestTokensThatDoNotGrant(t *testing.T) {
	now := time.Now()
	a := open(t, t.TempDir(), func() time.Time { return now })
	good, _ := a.Sign(grant, time.Hour)
	expired, _ := a.Sign(grant, -time.Minute)
	other, _ := open(t, t.TempDir(), time.Now).Sign(grant, time.Hour)
	forged := strings.Split(good, ".")
	field := grant
	field.Role = Field
	asField, _ := a.Sign(field, time.Hour)
	forged[1] = strings.Split(asField, ".")[1]
	named := func(m jwt.SigningMethod, key any) string {
		token := jwt.NewWithClaims(m, grant)
		token.Header["kid"] = "1"
		signed, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	eternal := named(jwt.SigningMethodEdDSA, a.loaded[0].Private)
	unnamed, _ := jwt.NewWithClaims(jwt.SigningMethodEdDSA, grant).SignedString(a.loaded[0].Private)
	for name, c := range map[string]struct{ token, want string }{
		"none":      {"", "no token"},
		"garbage":   {"abc\x00", "cannot be read"},
		"expired":   {expired, "expired at"},
		"elsewhere": {other, "not signed by this relay"},
		"unsigned":  {named(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType), "not signed by this relay"},
		"no kid":    {unnamed, "key that this relay does not have"},
		"eternal":   {eternal, "cannot be read"},
		"changed":   {strings.Join(forged, "."), "not signed by this relay"},
		"cut":       {good[:len(good)-8], "not signed by this relay"},
	} {
		if _, err := a.Check(c.token); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	for _, g := range []Grant{{Room: "a b", Role: Field, Name: "x"}, {Room: "a", Role: "boss", Name: "x"}, {Room: "a", Role: Field},
		{Room: "a", Role: Field, Name: "x", Rights: []string{"fly"}}} {
		if _, err := a.Sign(g, time.Hour); err == nil {
			t.Errorf("signed %+v", g)
		}
	}
}

func TestManyMakeOneKey(t *testing.T) {
	dir := t.TempDir()
	keys := make([]string, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			a, err := Open(dir, time.Now)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = string(a.loaded[0].Private)
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] {
			t.Fatal("two keys were made")
		}
	}
}

// A new key signs at once, in another process too; the old one verifies until it is removed.
func TestKeysRotateWithoutARestart(t *testing.T) {
	dir := t.TempDir()
	relay, inviter := open(t, dir, time.Now), open(t, dir, time.Now)
	old, err := inviter.Sign(grant, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	id, err := KeysDir(dir).Rotate()
	if err != nil || id != "2" {
		t.Fatal(id, err)
	}
	fresh, err := inviter.Sign(grant, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	parsed, _, err := jwt.NewParser().ParseUnverified(fresh, &Grant{})
	if err != nil || parsed.Header["kid"] != "2" {
		t.Fatalf("signed with key %v (%v), want 2", parsed.Header["kid"], err)
	}
	for name, token := range map[string]string{"old": old, "new": fresh} {
		if _, err := relay.Check(token); err != nil {
			t.Errorf("%s token: %v", name, err)
		}
	}
	was, err := relay.Check(old)
	if err != nil || !relay.Holds(was.Key) {
		t.Errorf("the old key does not hold: %v", err)
	}
	if err := KeysDir(dir).Remove("1"); err != nil {
		t.Fatal(err)
	}
	if now, err := relay.Check(fresh); err != nil || relay.Holds(was.Key) || !relay.Holds(now.Key) {
		t.Errorf("the old key holds still, or the new one does not: %v", err)
	}
	if _, err := relay.Check(old); err == nil || !strings.Contains(err.Error(), "or no longer") {
		t.Errorf("token of a removed key: %v", err)
	}
	if _, err := relay.Check(fresh); err != nil {
		t.Error(err)
	}
	if err := KeysDir(dir).Remove("2"); err == nil || !strings.Contains(err.Error(), "rotate first") {
		t.Errorf("the only key was removed: %v", err)
	}
}

func TestABadKeyFileIsNamed(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir, time.Now)
	good, _ := a.Sign(grant, time.Hour)
	if err := os.WriteFile(filepath.Join(dir, "keys", "2.pem"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, time.Now); err == nil || !strings.Contains(err.Error(), "2.pem: is not PEM; remove it") {
		t.Errorf("error %v", err)
	}
	if _, err := a.Check(good); err != nil {
		t.Errorf("a running relay stopped at a bad file: %v", err)
	}
}

func TestRights(t *testing.T) {
	a := open(t, t.TempDir(), time.Now)
	for role, want := range map[string]string{Field: "publish draw", Expert: "publish draw", Viewer: ""} {
		token, err := a.Sign(Grant{Room: "a", Role: role, Name: "x"}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		g, err := a.Check(token)
		if got := strings.Join(g.Rights, " "); err != nil || got != want || g.ID == "" {
			t.Errorf("%s: rights %q (%v), want %q; id %q", role, got, err, want, g.ID)
		}
	}
}
