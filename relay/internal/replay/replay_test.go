package replay

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"sightline/relay/wire"
)

// Over any number of sockets that break anywhere, everything is heard once and in order.
func TestEverythingIsHeardOnceOverManySockets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	out, in := Out{Max: 1000}, In{}
	var said, heard []string
	socket := 0
	for range 500 {
		var err error
		if socket, err = out.Open(in.Last()); err != nil {
			t.Fatal(err)
		}
		for range random.IntN(6) {
			text := fmt.Sprint(len(said))
			said = append(said, text)
			if err := out.Put(wire.Signal{Text: text}); err != nil {
				t.Fatal(err)
			}
		}
		arrives := random.IntN(6) // the rest is on the socket, and is lost with it
		for n := 0; ; n++ {
			m, wait, ok := out.next(socket)
			if !ok {
				t.Fatal("the socket was replaced")
			}
			if wait != nil {
				break
			}
			out.wrote(socket, m)
			if n >= arrives {
				continue
			}
			if err := in.Take(m, func(m wire.Signal) { heard = append(heard, m.Text) }); err != nil {
				t.Fatal(err)
			}
			if random.IntN(2) == 0 {
				out.Heard(socket, in.Last())
			}
		}
	}
	if len(heard) < 500 || !slices.Equal(heard, said[:len(heard)]) {
		t.Errorf("%d were said, %d heard, not the same in the same order", len(said), len(heard))
	}
}

func TestAnOlderSocketHasNoSay(t *testing.T) {
	out := Out{Max: 2}
	first, _ := out.Open(0)
	for range 2 {
		if err := out.Put(wire.Signal{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Put(wire.Signal{}); !errors.Is(err, ErrFull) {
		t.Errorf("a third message: %v", err)
	}
	m, _, _ := out.next(first)
	second, err := out.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	out.wrote(first, m)
	out.Heard(first, 2)
	if _, _, ok := out.next(first); ok {
		t.Error("the older socket is still written to")
	}
	if m, wait, ok := out.next(second); !ok || wait != nil || m.N != 1 {
		t.Errorf("the newer socket begins with %d", m.N)
	}
	for _, heard := range []int64{-1, 3} {
		if _, err := out.Open(heard); err == nil || out.Joins(heard) {
			t.Errorf("opened after message %d, of 2", heard)
		}
	}
}

func TestWhatIsHeardTwiceOrNotAtAll(t *testing.T) {
	var in In
	n := 0
	for _, c := range []struct {
		number int64
		taken  int
		fails  bool
	}{{1, 1, false}, {1, 1, false}, {0, 2, false}, {3, 2, true}, {2, 3, false}, {1, 3, false}} {
		err := in.Take(wire.Signal{N: c.number}, func(wire.Signal) { n++ })
		if n != c.taken || (err != nil) != c.fails {
			t.Errorf("after number %d: %d taken, error %v", c.number, n, err)
		}
	}
}
