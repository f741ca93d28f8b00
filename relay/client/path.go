package client

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"time"

	"github.com/pion/webrtc/v4"

	"sightline/relay/wire"
)

// How a change of network is noticed.
const (
	lookEvery   = 250 * time.Millisecond // at this machine's addresses
	suspectFor  = 5 * time.Second        // after a change, silence means more
	suspectPing = 200 * time.Millisecond
	wishAgain   = 3 * time.Second // a wish for a new path is given this long
	pathTime    = time.Second     // within which there is no other
)

// watchNetwork looks at the addresses of this machine until the session ends.
func (s *session) watchNetwork() {
	before, _ := addresses()
	for s.pause(lookEvery) {
		if now, all := addresses(); !maps.Equal(before, now) {
			before = now
			s.changed(all)
		}
	}
}

// addresses are those of this machine that lead beyond its links, and all. Of the others some come late, long after a
// network was joined.
func addresses() (far, all map[string]bool) {
	list, _ := net.InterfaceAddrs()
	far, all = map[string]bool{}, map[string]bool{}
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			all[n.IP.String()] = true
			if !n.IP.IsLinkLocalUnicast() {
				far[n.IP.String()] = true
			}
		}
	}
	return far, all
}

// changed acts on other addresses: what is bound to one that has gone is given up, the rest has to prove that it works.
func (s *session) changed(now map[string]bool) {
	s.mu.Lock()
	s.suspect = s.c.cfg.Now()
	k, moved := s.socket, s.moved
	s.mu.Unlock()
	gone := k != nil && k.local != "" && !now[k.local]
	s.c.log.Info("the network has changed", "socket", map[bool]string{true: "gone", false: "kept"}[gone])
	if path := s.localAddress(); path != "" && !now[path] {
		s.mu.Lock()
		s.pathGone = true
		s.mu.Unlock()
	}
	if moved != nil {
		moved()
	}
	select {
	case s.doubt <- struct{}{}: // pingMedia asks at once
	default:
	}
	switch {
	case gone:
		s.broken(k, errMoved)
	case k != nil:
		s.ask(k)
	}
}

// localAddress is where this machine's end of the network path is; empty where there is none.
func (s *session) localAddress() string {
	pair, err := s.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return ""
	}
	return pair.Local.Address
}

// soon is within what time the relay answers, if at all.
func (s *session) soon() time.Duration { return time.Second + 2*s.c.RTT() }

// ailing says whether the network path carries nothing any more.
func (s *session) ailing() bool {
	now := s.c.cfg.Now()
	s.mu.Lock()
	quiet, suspect, gone := now.Sub(s.lastPong), now.Sub(s.suspect) < suspectFor, s.pathGone
	s.mu.Unlock()
	switch {
	case gone, quiet > 2*silence:
		return true
	case suspect:
		return quiet > s.soon()
	}
	return quiet > silence && s.pc.ICEConnectionState() != webrtc.ICEConnectionStateConnected
}

// ask asks for a new network path, if one is needed, over a socket that proves to live. If it does not, nothing may get
// through at all, and then the path may be as good as ever afterwards: comeBack will see.
func (s *session) ask(k *socket) {
	s.mu.Lock()
	now := s.c.cfg.Now()
	begun := now.Sub(s.wish) < pathTime
	s.wish = now
	s.mu.Unlock()
	s.spawn(func() {
		if k.probe(s.soon()) && s.ailing() && !begun {
			s.restart()
		}
	})
}

func (s *session) restart() {
	s.c.log.Info("asking for a new network path")
	s.mu.Lock()
	s.wish = s.c.cfg.Now()
	s.mu.Unlock()
	if err := s.say(wire.Signal{Type: wire.SignalRestart}); err != nil {
		s.fail(err)
	}
}

// tend sees to a path that carries nothing: it says so, and asks for another. It fails where none helps.
func (s *session) tend(now time.Time) {
	s.health.Lock()
	defer s.health.Unlock()
	if !s.ailing() {
		return
	}
	if s.id == "" {
		s.fail(errSilent)
		return
	}
	if s.ill.IsZero() {
		s.ill = now
		s.c.setState(Connecting, errSilent)
	}
	s.mu.Lock()
	wish, since, k := s.wish, s.attached, s.socket
	s.mu.Unlock()
	switch {
	case k == nil || now.Sub(wish) < wishAgain:
	case now.Sub(s.ill) > joinTime && now.Sub(since) > joinTime:
		s.fail(fmt.Errorf("%w, and no other is found", errSilent))
	default:
		s.ask(k)
	}
}

// healthy takes note that the path carries what it is to.
func (s *session) healthy(now time.Time) {
	s.health.Lock()
	defer s.health.Unlock()
	s.mu.Lock()
	s.lastPong, s.pathGone = now, false
	s.mu.Unlock()
	if !s.ill.IsZero() {
		s.ill = time.Time{}
		s.c.setState(Connected, nil)
	}
}

// isIll says whether the path was found to carry nothing.
func (s *session) isIll() bool {
	s.health.Lock()
	defer s.health.Unlock()
	return !s.ill.IsZero()
}

var errSilent = errors.New("the network path to the relay carries nothing")
