package client_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/wire"
)

// Everybody hears who speaks, and when it ends; nothing of it is in the log.
func TestTheRoomIsToldWhoSpeaks(t *testing.T) {
	s := relaytest.Start(t, nil)
	var mu sync.Mutex
	var now []string
	told := 0
	var log relaytest.Replica
	relaytest.Join(t, client.Config{URL: s.URL(), Instance: "ann", Token: relaytest.Token(t, s.Authority(), "expert", "Ann"), OnLog: log.Take,
		OnSpeaking: func(ids []string) {
			mu.Lock()
			defer mu.Unlock()
			now, told = ids, told+1
		}})
	is := func(ids ...string) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return slices.Equal(now, ids) }
	}
	// talk sends sound of a level until it is stopped.
	talk := func(name string) (id string, level func(uint8)) {
		c := relaytest.Join(t, client.Config{URL: s.URL(), Instance: name, Token: relaytest.Token(t, s.Authority(), "field", name),
			Publish: []client.Track{{Name: "mic", Kind: wire.Audio}}})
		var done sync.WaitGroup
		stop, mic := make(chan struct{}), c.Audio("mic")
		mic.SetLevel(90)
		done.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					_ = mic.WriteOpus([]byte{0xfc, 0xff, 0xfe}, time.Now().UnixMicro(), 20*time.Millisecond)
				case <-stop:
					return
				}
			}
		})
		t.Cleanup(func() { close(stop); done.Wait() })
		return c.Self().ID, mic.SetLevel
	}
	tom, tomLevel := talk("Tom")
	eve, eveLevel := talk("Eve")
	time.Sleep(time.Second)
	if !is()() {
		t.Errorf("%v speak, and all are silent", now)
	}
	tomLevel(25)
	relaytest.Eventually(t, "Tom speaks", is(tom))
	eveLevel(30)
	both := []string{tom, eve}
	slices.Sort(both)
	relaytest.Eventually(t, "both speak", is(both...))
	tomLevel(127)
	relaytest.Eventually(t, "Eve speaks", is(eve))
	eveLevel(127)
	relaytest.Eventually(t, "nobody speaks", is())
	mu.Lock()
	defer mu.Unlock()
	if told > 40 {
		t.Errorf("told %d times", told)
	}
	if n := len(log.State(wire.KindSpeaking)); n > 0 {
		t.Errorf("%d messages in the log", n)
	}
}
