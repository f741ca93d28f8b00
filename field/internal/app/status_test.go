package app

import (
	"errors"
	"testing"
)

func TestBecause(t *testing.T) {
	for words, want := range map[string]string{"relay: dial: connection refused": ": connection refused", "gone": ": gone"} {
		if got := because(errors.New(words)); got != want {
			t.Errorf("because(%q) is %q, want %q", words, got, want)
		}
	}
	if because(nil) != "" {
		t.Error("no error has words")
	}
}

func TestNarrow(t *testing.T) {
	for want, c := range map[string]struct {
		bps     int
		smaller bool
	}{
		"": {2_000_000, false},
		"Weak network (300 kbit/s): the expert sees a coarse picture":             {300_000, false},
		"Weak network (300 kbit/s): the expert sees a smaller picture":            {300_000, true},
		"Very weak network (80 kbit/s): the expert sees few pictures; hold still": {80_000, true},
	} {
		if got := narrowWords(c.bps, 6_000_000, c.smaller); got != want {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
	if got := narrowWords(200_000, 200_000, false); got != "" {
		t.Errorf("all that is wanted: %q", got)
	}
}
