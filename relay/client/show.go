package client

import (
	"maps"
	"slices"

	"sightline/relay/wire"
)

// Show tells the relay how large pictures are shown, so that no more comes than there is a use for. Of those that it
// does not name, what was said before holds, also after a reconnection. It does not block.
func (c *Client) Show(shown ...wire.Shown) {
	c.mu.Lock()
	for _, s := range shown {
		key := [2]string{s.Participant, s.Name}
		if _, known := c.shown[key]; known || len(c.shown) < wire.MaxShown {
			c.shown[key] = s
		}
	}
	s := c.session
	c.mu.Unlock()
	if s != nil {
		s.show()
	}
}

func (s *session) show() {
	select {
	case s.shown <- struct{}{}:
	default:
	}
}

// tellShown sends how large pictures are shown, whenever that has changed.
func (s *session) tellShown() {
	s.show() // what was said before this session
	for {
		select {
		case <-s.shown:
		case <-s.ctx.Done():
			return
		}
		s.c.mu.Lock()
		m := wire.Signal{Type: wire.SignalShow, Show: slices.Collect(maps.Values(s.c.shown))}
		s.c.mu.Unlock()
		if len(m.Show) == 0 {
			continue
		}
		if err := s.say(m); err != nil {
			s.fail(err)
			return
		}
	}
}
