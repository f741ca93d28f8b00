package reloc

import (
	"math/rand/v2"
	"testing"
)

func random(rng *rand.Rand) Descriptor {
	return Descriptor{rng.Uint64(), rng.Uint64(), rng.Uint64(), rng.Uint64()}
}

// noisy flips n bits.
func noisy(rng *rand.Rand, d Descriptor, n int) Descriptor {
	for _, i := range rng.Perm(256)[:n] {
		d[i/64] ^= 1 << (i % 64)
	}
	return d
}

func all(int64) bool            { return true }
func different(a, b int64) bool { return a != b }

func TestBestFindsWhatLooksAlike(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var x Index
	var known []Descriptor
	for p := range int64(4000) {
		known = append(known, random(rng))
		x.Add(p, known[p])
	}
	right, wrong := 0, 0
	for p := range int64(500) {
		got, ok := x.Best([]Descriptor{random(rng), noisy(rng, known[p], 30)}, all, different)
		switch {
		case ok && got == p:
			right++
		case ok:
			wrong++
		}
	}
	if right < 425 || wrong > 0 {
		t.Errorf("of 500 seen again with 30 bits changed %d were found, %d taken for others", right, wrong)
	}
	for range 500 {
		if p, ok := x.Best([]Descriptor{random(rng)}, all, different); ok {
			t.Fatalf("noise was taken for point %d", p)
		}
	}
}

func TestTwoAlikePlacesAreDoubtful(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var x Index
	d := random(rng)
	x.Add(1, noisy(rng, d, 10))
	x.Add(2, noisy(rng, d, 11))
	if p, ok := x.Best([]Descriptor{d}, all, different); ok {
		t.Errorf("of two points that look alike, %d was taken", p)
	}
	if _, ok := x.Best([]Descriptor{d}, all, func(a, b int64) bool { return false }); !ok {
		t.Error("two points at one place made each other doubtful")
	}
	if p, ok := x.Best([]Descriptor{d}, func(p int64) bool { return p == 2 }, different); !ok || p != 2 {
		t.Errorf("the one accepted point was not found: %d, %v", p, ok)
	}
}
