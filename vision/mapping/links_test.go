package mapping

import (
	"math"
	"math/rand/v2"
	"testing"

	"sightline/vision/geom"
)

// linked is a world in which so many landmarks are seen by each of the pairs of key frames.
func linked(frames, shared int, pairs ...[2]int) *world {
	w := newWorld("w", 600)
	for i := range frames {
		w.frames = append(w.frames, &Keyframe{Captured: int64(i)})
	}
	id := FeatureID(0)
	for _, p := range pairs {
		for range shared {
			id++
			w.points[id] = Landmark{P: geom.Vec3{0, 0, 1}}
			for _, i := range p {
				w.frames[i].Seen = append(w.frames[i].Seen, Observation{ID: id})
			}
		}
	}
	return w
}

// Steps one after another add up, ways beside each other hold more, and where there is no way next to nothing holds.
func TestLinks(t *testing.T) {
	near := func(name string, got, want float64) {
		if math.Abs(got-want) > 1e-3*want+1e-9 {
			t.Errorf("%s: %.5f, want %.5f", name, got, want)
		}
	}
	l := linked(4, 50, [2]int{0, 1}, [2]int{1, 2}, [2]int{2, 3}).links()
	near("itself", l.Slack(2, 2), 0)
	near("one step", l.Slack(0, 1), 1.0/50)
	near("three steps", l.Slack(3, 0), 3.0/50)
	near("no such key frame", l.Slack(4, 0), 0)
	l = linked(4, 50, [2]int{0, 1}, [2]int{1, 2}, [2]int{2, 3}, [2]int{3, 0}).links()
	near("round a loop", l.Slack(0, 1), 1/(50+50/3.0))
	near("both ways round", l.Slack(0, 2), 1.0/50)
	l = linked(3, 50, [2]int{0, 1}).links()
	near("nothing shared", l.Slack(1, 2), 1/looseness)
	if l := (&world{}).links(); l.Slack(0, 0) != 0 {
		t.Error("a world without key frames has links")
	}
}

// Whatever is seen by whom, the way by another key frame is never shorter, and one more landmark never loosens anything.
func TestLinksAreAMetric(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		n := 3 + rng.IntN(8)
		w := linked(n, 0)
		see := func(id FeatureID) {
			w.points[id] = Landmark{}
			for i := range n {
				if rng.IntN(3) == 0 {
					w.frames[i].Seen = append(w.frames[i].Seen, Observation{ID: id})
				}
			}
		}
		for id := range 20 {
			see(FeatureID(id))
		}
		l := w.links()
		see(20)
		more := w.links()
		for i := range n {
			for j := range n {
				a := l.Slack(i, j)
				if a != l.Slack(j, i) && math.Abs(a-l.Slack(j, i)) > 1e-9*a {
					t.Fatalf("%d and %d: %g there, %g back", i, j, a, l.Slack(j, i))
				}
				if more.Slack(i, j) > a*(1+1e-6)+1e-9 {
					t.Fatalf("one more landmark loosens %d and %d from %g to %g", i, j, a, more.Slack(i, j))
				}
				for k := range n {
					if a > (l.Slack(i, k)+l.Slack(k, j))*(1+1e-6)+1e-9 {
						t.Fatalf("%d to %d: %g, by way of %d less", i, j, a, k)
					}
				}
			}
		}
	}
}
