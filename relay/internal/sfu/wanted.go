package sfu

import (
	"slices"
	"time"
)

// The sizes of our own clients are made as they are asked for: encoding costs a headset, and sending its link. The
// publisher hears which ones somebody takes, and says which ones its link bears. All are sent at first, so that each is
// there to be taken.
const (
	wantFor  = 2 * time.Second // a size is wanted for so long after the last has left it
	startFor = 3 * time.Second // all are, until they have come, but no longer
	smaller  = 0.3             // what a size takes of what the next larger one does, as long as it is not known
)

// silent says whether nothing has come lately.
func (u *Up) silent(now time.Time) bool {
	return now.UnixMilli()-u.heard.Load() > silentAfter.Milliseconds()
}

// choices are the layers that may be taken, the best first.
func (s *layers) choices(now time.Time) []*Up {
	if !s.asked {
		return s.coming(now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var able []*Up
	for rank, u := range s.ups {
		if u != nil && !s.unable[rank] {
			able = append(able, u)
		}
	}
	return able
}

// bits is what a layer takes: as measured, or, where it has not been sent for long enough, about what it would.
func (s *layers) bits(u *Up) float64 {
	share := 1.0
	for rank := u.rank; rank >= 0; rank-- {
		s.mu.Lock()
		l := s.ups[rank]
		s.mu.Unlock()
		if l != nil && l.meter.rate() > 0 {
			return share * l.meter.rate()
		}
		share *= smaller
	}
	return 0
}

func (s *layers) isUnable(rank int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unable[rank]
}

// isBest says whether a layer is the best that comes.
func (s *layers) isBest(u *Up, now time.Time) bool {
	for _, l := range s.coming(now) {
		if !s.isUnable(l.rank) {
			return l == u
		}
	}
	return false
}

// bears takes what the publisher says of its link.
func (s *layers) bears(names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for rank, name := range s.names {
		s.unable[rank] = !slices.Contains(names, name)
	}
}

// wanted returns the names of the layers that somebody takes.
func (s *layers) wanted(now time.Time) (names []string) {
	var taken [maxLayers]bool
	for _, u := range s.all() {
		taken[u.rank] = u.isTaken() // takes the layer's lock, which comes before a slot's and that before mu
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for rank := range s.ups {
		if taken[rank] {
			s.taken[rank] = now
		}
	}
	starting := s.running < len(s.ups) && now.Sub(s.began) < startFor
	for rank, name := range s.names {
		if rank == 0 || starting || now.Sub(s.taken[rank]) < wantFor {
			names = append(names, name)
		}
	}
	return names
}

func (u *Up) isTaken() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.sinks) > 0
}

// want tells the publisher which sizes are wanted, when that has changed. Upkeep calls it.
func (l *link) want(now time.Time) {
	l.mu.Lock()
	var faces []*layers
	for _, s := range l.faces {
		if s.asked {
			faces = append(faces, s)
		}
	}
	l.mu.Unlock()
	if len(faces) == 0 || l.OnWanted == nil {
		return
	}
	var names []string
	for _, s := range faces {
		names = append(names, s.wanted(now)...)
	}
	slices.Sort(names)
	if !slices.Equal(names, l.told) {
		l.told = names
		l.OnWanted(names)
	}
}

// Sends takes which sizes the client's link bears.
func (p *Peer) Sends(names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.faces {
		if s.asked {
			s.bears(names)
		}
	}
}
