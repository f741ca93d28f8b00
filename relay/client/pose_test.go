package client_test

import (
	"errors"
	"testing"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
)

// Who sends poses from the first moment on is told that he is offline until he is not.
func TestPosesBeforeThereIsAWay(t *testing.T) {
	s := relaytest.Start(t, nil)
	for range 3 {
		c, err := client.Dial(t.Context(), client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "field", "Tom"), Logger: relaytest.Logger(t)})
		if err != nil {
			t.Fatal(err)
		}
		for {
			err := c.SendPose(1, struct{}{})
			if state, _ := c.State(); err == nil && state == client.Connected {
				break
			} else if err != nil && !errors.Is(err, client.ErrOffline) {
				t.Fatal(err)
			}
		}
		relaytest.Ends(t, "the client closes", c.Close)
	}
}
