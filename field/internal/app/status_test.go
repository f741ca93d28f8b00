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
