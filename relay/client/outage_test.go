package client_test

import (
	"testing"
	"time"

	"sightline/relay/internal/relaytest"
)

// Nothing gets through to somebody for a while: afterwards all is as it was, and soon. What was lost meanwhile is not sent
// again all at once, which a narrow way would lose again, and is not taken for a poor link: he is told of none.
func TestAnOutageIsNoPoorLink(t *testing.T) {
	t.Parallel()
	c := newCall(t, 2_000_000)
	for _, x := range []struct {
		name  string
		lasts time.Duration
	}{{"1 s of nothing", time.Second}, {"2.5 s of nothing", 2500 * time.Millisecond}, {"5 s of nothing", 5 * time.Second}} {
		see := &sight{name: x.name, since: time.Now()}
		sent := c.camera.Count()
		c.network.Shape(relaytest.Link{Loss: 1})
		c.network.ShapeUp(relaytest.Link{Loss: 1})
		time.Sleep(x.lasts)
		c.heal(see)
		time.Sleep(2 * time.Second) // longer than the estimate looks back
		see.took(&c.poor, &c.good, c.camera.Count()-sent)
		see.print(t)
		if see.recovered > 10*time.Second {
			t.Errorf("%s: pictures came again %v after the network did", x.name, see.recovered)
		}
	}
	c.poor.mu.Lock()
	defer c.poor.mu.Unlock()
	if len(c.poor.rungs) > 0 {
		t.Errorf("he was told of a poor link: %+v", c.poor.rungs)
	}
	if c.poor.broken > 0 {
		t.Errorf("%d pictures were not as sent", c.poor.broken)
	}
}
