package staff

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestGrant(t *testing.T) {
	d := New(Config{Claim: "groups", Now: time.Now, Rules: []Rule{{"lead", []string{"moderate"}, "hall1"}, {"admin", []string{"moderate", "record"}, ""},
		{"auditor", []string{"audit", "record"}, ""}}})
	for name, c := range map[string]struct {
		claim  any
		room   string
		rights []string
	}{
		"one value":        {"lead", "hall1", []string{"moderate"}},
		"two for all":      {[]any{"admin", "auditor"}, "*", []string{"audit", "moderate", "record"}},
		"all and one":      {[]any{"lead", "auditor"}, "*", []string{"audit", "record"}},
		"none that counts": {[]any{"other", 7}, "", nil},
		"no text":          {7.0, "", nil},
	} {
		g, err := d.grant(map[string]any{"groups": c.claim, "email": "a@b"})
		if c.room == "" {
			if !errors.Is(err, ErrNobody) {
				t.Errorf("%s: %+v %v", name, g, err)
			}
			continue
		}
		if err != nil || g.Room != c.room || !slices.Equal(g.Rights, c.rights) || g.Name != "a@b" || !g.Staff {
			t.Errorf("%s: %+v %v", name, g, err)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		rule Rule
		want string
	}{{Rule{}, "value is missing"}, {Rule{Value: "a", Room: "x/y"}, "no room's name"}, {Rule{Value: "a", Rights: []string{"fly"}}, "fly"}, {Rule{Value: "a"}, ""}} {
		if err := c.rule.Check(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.rule, err, c.want)
		}
	}
}
