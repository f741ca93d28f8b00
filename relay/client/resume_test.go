package client_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

// witness is what a participant is told: how often each message of the log, and how often each track.
type witness struct {
	mu     sync.Mutex
	log    map[string]int // by the message's name
	people map[string]int // messages about each participant
	tracks map[string]int // by who publishes it
	marks  map[string]int
}

func newWitness() *witness {
	return &witness{log: map[string]int{}, people: map[string]int{}, tracks: map[string]int{}, marks: map[string]int{}}
}

func (w *witness) take(e wire.Envelope) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log[e.Msg]++
	switch e.Kind {
	case wire.KindParticipant:
		w.people[e.ID]++
	case wire.KindMark:
		w.marks[e.ID]++
	}
}

func (w *witness) track(t *client.RemoteTrack) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tracks[t.Participant]++
}

func (w *witness) count(of func(*witness) int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return of(w)
}

// doubled returns what was heard more than once.
func (w *witness) doubled() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for msg, n := range w.log {
		if n > 1 {
			out = append(out, fmt.Sprintf("%s %d times", msg, n))
		}
	}
	return out
}

// Signalling sockets break again and again: nobody leaves or joins, no track ends or is new, every mark comes once, and
// who comes meanwhile is seen by all.
func TestSocketsThatBreakChangeNothing(t *testing.T) {
	network := relaytest.NewNetwork(t)
	s := relaytest.Start(t, func(c *server.Config) { c.Advertise = network.Media() })
	network.Lead(s.URL()[len("http://"):], s.MediaPort())
	camera, track := relaytest.NewCamera()
	join := func(name, role string, publish []client.Track, w *witness) *client.Client {
		return relaytest.Join(t, client.Config{URL: network.URL(), Instance: name, Token: relaytest.Token(t, s.Authority(), role, name),
			Publish: publish, OnLog: w.take, OnTrack: w.track})
	}
	ann, tom := newWitness(), newWitness()
	field := join("Tom", "field", []client.Track{track}, tom)
	camera.Play(field.Video("camera"))
	t.Cleanup(camera.Stop)
	expert := join("Ann", "expert", nil, ann)
	relaytest.Eventually(t, "Ann has Tom's camera", func() bool { return ann.count(func(w *witness) int { return w.tracks[field.Self().ID] }) == 1 })

	const cuts, marks = 8, 5
	for i := range cuts {
		network.Cut()
		for n := range marks {
			for _, c := range []*client.Client{field, expert} {
				if _, err := c.Publish(wire.KindMark, fmt.Sprintf("%s-%d-%d", c.Self().Name, i, n), 0, "drawn"); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(30 * time.Millisecond)
		}
	}
	network.Cut()
	second, also := relaytest.NewCamera()
	late := join("Cem", "expert", []client.Track{also}, newWitness())
	second.Play(late.Video("camera"))
	t.Cleanup(second.Stop)
	for name, w := range map[string]*witness{"Ann": ann, "Tom": tom} {
		relaytest.Eventually(t, name+" has all marks, and the track of who came meanwhile", func() bool {
			return w.count(func(w *witness) int { return len(w.marks) }) == 2*cuts*marks && w.count(func(w *witness) int { return w.tracks[late.Self().ID] }) == 1
		})
		for _, who := range []*client.Client{field, expert} {
			if n := w.count(func(w *witness) int { return w.people[who.Self().ID] }); n != 1 {
				t.Errorf("%s was told %d times of %s", name, n, who.Self().Name)
			}
		}
		if again := w.doubled(); len(again) > 0 {
			t.Errorf("%s heard twice: %v", name, again)
		}
	}
	if n := ann.count(func(w *witness) int { return w.tracks[field.Self().ID] }); n != 1 {
		t.Errorf("Tom's camera was %d tracks", n)
	}
	if state, err := expert.State(); state != client.Connected {
		t.Errorf("Ann is %s: %v", state, err)
	}
}
