package app

import (
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sightline/annotate/typeset"
	"sightline/expert/internal/deck"
	"sightline/expert/internal/desk"
	"sightline/expert/internal/tape"
)

// review opens the recorded case on a desk without a window.
func review(t *testing.T, c *recorded) *past {
	t.Helper()
	faces, err := typeset.New()
	if err != nil {
		t.Fatal(err)
	}
	tp, err := tape.Open(c.dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	k := deck.New(tp, time.Now)
	p := &past{deck: k, desk: desk.New(desk.Config{Source: k, Editor: nobody{}, Faces: faces, Now: k.Now,
		Review: &desk.Review{Deck: k, Tape: tp, Wall: time.Now, Proven: true, Verdict: "whole"}}, 1280, 800, 1)}
	t.Cleanup(func() {
		p.desk.Close()
		if err := k.Close(); err != nil {
			t.Error(err)
		}
		if err := tp.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// settle waits for the picture of the position and draws it.
func (p *past) settle(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !p.deck.Settled(); {
		if time.Now().After(end) {
			t.Fatal("the picture does not come")
		}
		p.Wait(5 * time.Millisecond)
	}
	p.Render()
}

// TestScrub goes to instants in any order: the picture, the marks and the readings are those of the very frame.
func TestScrub(t *testing.T) {
	c := record(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	tp, err := tape.Open(c.dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tp.Close()
	t.Run("desk", func(t *testing.T) {
		p := review(t, c)
		p.settle(t)
		shots := tp.Cameras[0].Shots
		random := rand.New(rand.NewPCG(1, 2))
		var took []time.Duration
		for range 60 {
			i := random.IntN(len(shots))
			begun := time.Now()
			p.deck.GoTo(shots[i].Session + 1000)
			p.settle(t)
			took = append(took, time.Since(begun))
			f := p.deck.Frame(tp.Cameras[0].Participant)
			if f == nil || f.Captured != shots[i].Captured {
				t.Fatalf("frame %d: another one is shown", i)
			}
			f.Release()
			if at := p.deck.Instant(); at != shots[i].Session {
				t.Errorf("frame %d: the instant is %d, not %d", i, at, shots[i].Session)
			}
			value, ok := tp.Reading(tape.Tag{Machine: "hall1/pump", Tag: "count"}, shots[i].Session)
			shown := p.deck.Room().Machine("hall1/pump")
			if ok && (shown == nil || *shown.Tags[0].Reading.Number != *value.Number) {
				t.Errorf("frame %d: the reading is another", i)
			}
			if n, want := len(p.deck.Marks()), len(tp.Marks(shots[i].Session)); n != want {
				t.Errorf("frame %d: %d marks, want %d", i, n, want)
			}
		}
		slices.Sort(took)
		t.Logf("to any instant: median %v, longest %v", took[len(took)/2], took[len(took)-1])
		if longest := took[len(took)-1]; longest > 2*time.Second {
			t.Errorf("it took %v", longest)
		}
	})
}

// TestReview drives the desk as people do: keys, search, the timeline.
func TestReview(t *testing.T) {
	p := review(t, record(t))
	p.settle(t)
	first := p.deck.Position()
	typed := func(text string) {
		for _, r := range text {
			p.desk.Handle(desk.Event{Kind: desk.Typed, Rune: r})
		}
	}
	struck := func(k desk.Key) { p.desk.Handle(desk.Event{Kind: desk.Struck, Key: k}) }
	typed("..")
	p.settle(t)
	second := p.deck.Position()
	if second <= first {
		t.Errorf("two steps on: from %d to %d", first, second)
	}
	struck(desk.KeyLeft)
	struck(desk.KeyLeft)
	if p.deck.Position() != first {
		t.Errorf("two steps back: %d, want %d", p.deck.Position(), first)
	}
	typed("4 ")
	if !p.deck.Playing() || p.deck.Speed() != 4 {
		t.Error("it does not play fourfold")
	}
	eventually(t, "it plays on", func() bool { p.Render(); return p.deck.Position() > first+500_000 })
	typed(" ")
	if p.deck.Playing() {
		t.Error("it does not stop")
	}
	for _, c := range []struct{ words, want string }{{"v-31 LOOK", "words"}, {"eva freehand", "mark"}, {"count 7", tape.Reads}, {"alarm", "alarm"}} {
		typed("/" + c.words)
		struck(desk.KeyEnter)
		p.settle(t)
		hits := p.desk.Found()
		if len(hits) == 0 || hits[0].Kind != c.want || p.deck.Position() != hits[0].At {
			t.Errorf("%q: %v at %d", c.words, hits, p.deck.Position())
		}
		struck(desk.KeyEscape)
	}
	struck(desk.KeyHome)
	p.settle(t)
	if title, _ := p.deck.Cover(); title != "No picture" {
		t.Errorf("before the first picture: %q", title)
	}
}

// TestOpenPicture makes a picture of the window from the command line.
func TestOpenPicture(t *testing.T) {
	c := record(t)
	file := filepath.Join(t.TempDir(), "shot.png")
	if code, words := run(t, "open", c.dir, "--key", c.key, "--search", "freehand", "--screenshot", file); code != 0 {
		t.Fatalf("%d: %s", code, words)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if p, err := png.Decode(f); err != nil || p.Bounds().Dx() != 1440 {
		t.Errorf("%v", err)
	}
	if code, words := run(t, "open", filepath.Join(c.dir, "nothing")); code == 0 || !strings.Contains(words, "the case") && !strings.Contains(words, "display") {
		t.Errorf("%d: %s", code, words)
	}
}
