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
	for bps, want := range map[int]string{
		2_000_000: "",
		300_000:   "Weak network (300 kbit/s): the expert sees a coarse picture",
		80_000:    "Very weak network (80 kbit/s): the expert sees few pictures; hold still",
	} {
		if got := narrow(bps); got != want {
			t.Errorf("%d bit/s: %q, want %q", bps, got, want)
		}
	}
}
