package server_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
)

// A page's microphone says how loud it is (Chromium's own beeps once a second), and the room is told who speaks.
func TestChromiumIsHeardToSpeak(t *testing.T) {
	open := browser(t)
	s := relaytest.Start(t, nil)
	var mu sync.Mutex
	var spoke []string
	relaytest.Join(t, client.Config{URL: s.URL(), Instance: "ann", Token: relaytest.Token(t, s.Authority(), "expert", "Ann"),
		OnSpeaking: func(ids []string) {
			mu.Lock()
			defer mu.Unlock()
			if len(ids) > 0 {
				spoke = slices.Clone(ids)
			}
		}})
	open(s.URL() + "/publish#" + relaytest.Token(t, s.Authority(), "field", "Tom"))
	relaytest.Within(t, time.Minute, "the page is heard", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(spoke) == 1
	})
}
