package relaytest

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Link is what a network does to the datagrams that go one way between a client and the relay. The zero value lets all pass.
type Link struct {
	Bits  int           // per second; 0: no bound
	Queue time.Duration // how long datagrams wait for a narrow link before they are lost; 0 means 300 ms
	Delay time.Duration
	Loss  float64 // the share that is lost, at random
}

// Shape sets what happens, down to the client, on the paths that are made from now on, and on those that were made
// since Shape was first called: so the clients that joined before keep their good network.
func (n *Network) Shape(l Link) { n.bend(&n.shape, l) }

// ShapeUp does the same for the way up to the relay.
func (n *Network) ShapeUp(l Link) { n.bend(&n.up, l) }

func (n *Network) bend(which **shape, l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if *which == nil {
		*which = &shape{}
	}
	(*which).set(l)
}

// shape is a link that many paths share.
type shape struct {
	mu   sync.Mutex
	link Link
	free time.Time // when the link has sent what it has taken
}

func (s *shape) set(l Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.Queue == 0 {
		l.Queue = 300 * time.Millisecond
	}
	s.link = l
}

// take says when a datagram arrives, or that it is lost.
func (s *shape) take(size int, now time.Time) (arrives time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rand.Float64() < s.link.Loss {
		return now, false
	}
	leaves := now
	if s.link.Bits > 0 {
		if s.free.After(leaves) {
			leaves = s.free
		}
		if leaves.Sub(now) > s.link.Queue {
			return now, false
		}
		leaves = leaves.Add(time.Duration(float64(8*size) / float64(s.link.Bits) * float64(time.Second)))
		s.free = leaves
	}
	return leaves.Add(s.link.Delay), true
}

type parcel struct {
	at   time.Time
	data []byte
}

// deliver hands parcels over when they arrive, until the channel is closed.
func deliver(parcels <-chan parcel, write func([]byte)) {
	for p := range parcels {
		time.Sleep(time.Until(p.at))
		write(p.data)
	}
}
