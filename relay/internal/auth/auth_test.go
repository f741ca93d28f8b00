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
	info, err := os.Stat(filepath.Join(dir, "keys", "token.pem"))
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
	none := jwt.NewWithClaims(jwt.SigningMethodNone, grant)
	unsigned, _ := none.SignedString(jwt.UnsafeAllowNoneSignatureType)
	eternal, _ := jwt.NewWithClaims(jwt.SigningMethodEdDSA, grant).SignedString(a.key)
	for name, c := range map[string]struct{ token, want string }{
		"none":      {"", "no token"},
		"garbage":   {"abc\x00", "cannot be read"},
		"expired":   {expired, "expired at"},
		"elsewhere": {other, "not signed by this relay"},
		"unsigned":  {unsigned, "not signed by this relay"},
		"eternal":   {eternal, "cannot be read"},
		"changed":   {strings.Join(forged, "."), "not signed by this relay"},
		"cut":       {good[:len(good)-8], "not signed by this relay"},
	} {
		if _, err := a.Check(c.token); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	for _, g := range []Grant{{Room: "a b", Role: Field, Name: "x"}, {Room: "a", Role: "boss", Name: "x"}, {Room: "a", Role: Field}} {
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
			keys[i] = string(a.key)
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] {
			t.Fatal("two keys were made")
		}
	}
}
