package seqbench

import (
	"fmt"
	"strings"
	"time"
)

// Row is one sequence of the table, and how it is marked.
type Row struct {
	Name string
	// Source is sim:plant?..., rendered on demand, or the folder of a sequence that is there.
	Source string
	Frames int // of a simulation; a folder has its own
	FPS    float64
	// First, Every and Per pick Per pixels in every Every-th frame from First on; where Every is 0 they
	// follow from the length of the sequence.
	First, Every, Per int
	Seed              int64
	// Delay is how many frames late the tracker is told each of them.
	Delay int
	// FOV is the horizontal field of view in degrees that the lens is guessed to have; 0: it is known.
	FOV float64
	// Readout says that how long the camera takes to read a picture is to be found, and not told.
	Readout bool
	// Before is the visit of the day before, of as many frames: its maps and marks are saved, and this
	// sequence begins with them and gets no mark of its own. Every mark counts from the first frame on.
	Before string
	// Loop is how many frames are played of it, forward and backward again and again; 0 plays it once.
	Loop int
}

func (r Row) simulated() bool { return strings.HasPrefix(r.Source, "sim:") }

// dayBefore is the visit before this one.
func (r Row) dayBefore() Row {
	return Row{Name: r.Name + ": the day before", Source: r.Before, Frames: r.Frames, FPS: r.FPS, Per: r.Per, Seed: r.Seed}
}

// plan is how the row's anchors are picked in a sequence whose last frame is last: in every 60th frame, as a
// rule, and six times in a short sequence; in a long one about twelve times, for a session has a hundred
// marks at most.
func (r Row) plan(last int) plan {
	p := plan{first: r.First, every: r.Every, per: r.Per, seed: r.Seed}
	if p.every == 0 {
		p.first = max(5, min(60, last/7))
		p.every = max(p.first, last/12)
	}
	return p
}

// simFrames is the length of a simulated sequence: 22 s, in which the hand passes (from 12 s), the lights are
// switched (at 15 s), Away looks away and back (at 8 and 14 s), and Tour nearly ends its lap of 24 s.
const simFrames = 660

// rows is the table: real footage where it is present under data, and the plant in every motion that a
// technician makes, each in another plant. hour is how much of an hour is played in the last row.
func rows(data string, hour time.Duration) []Row {
	plant := func(name, options string, change func(*Row)) Row {
		r := Row{Name: name, Source: "sim:plant?" + options, Frames: simFrames, FPS: 30, Per: 8, Seed: 1}
		if change != nil {
			change(&r)
		}
		return r
	}
	late := func(r *Row) { r.Delay = 12 }
	found := func(r *Row) { r.Readout = true }
	atOnce := func(r *Row) { r.First, r.Every = 0, 600 }
	return []Row{
		{Name: "desk", Source: data + "/desk", FPS: 30, Per: 8, Seed: 1},
		{Name: "walk", Source: data + "/walk", FPS: 30, Per: 8, Seed: 1},
		plant("calm", "seed=1&motion=calm", nil),
		plant("calm, drawn at once", "seed=1&motion=calm", atOnce),
		plant("calm, 12 frames late", "seed=1&motion=calm", late),
		plant("walking", "seed=2&motion=walk", nil),
		plant("walking, 12 late", "seed=2&motion=walk", late),
		plant("walking, lens guessed", "seed=2&motion=walk", func(r *Row) { r.FOV = 72 }), // it has 64
		plant("walking, rolling", "seed=18&motion=walk&readout=28", found),                // of 33 ms, as a phone's or a webcam's
		plant("turns, rolling", "seed=19&motion=turns&readout=28", found),
		plant("tour, rolling", "seed=20&motion=tour&readout=28", found),
		plant("tour", "seed=3&motion=tour", func(r *Row) { r.Frames = 1500 }),
		plant("fast turns", "seed=4&motion=turns", nil),
		plant("faster turns", "seed=3&motion=turns", nil),
		plant("turns on the spot", "seed=5&motion=pan", nil),
		plant("hand in view", "seed=6&motion=calm&hand=1", nil),
		plant("hand, walking", "seed=7&motion=walk&hand=1", nil),
		plant("lights switched", "seed=8&motion=walk&lights=1", nil),
		plant("away and back", "seed=9&motion=away", nil),
		plant("away, another plant", "seed=10&motion=away", func(r *Row) { r.Frames = 1200 }),
		plant("next visit", "seed=16&motion=walk&path=2", func(r *Row) { r.Before = "sim:plant?seed=16&motion=walk" }),
		plant("next visit, dim", "seed=17&motion=tour&path=2&light=dim", func(r *Row) { r.Before = "sim:plant?seed=17&motion=tour" }),
		plant("still", "seed=11&motion=still", nil),
		plant("plain paint", "seed=12&motion=walk&plain=1", nil),
		plant("dim light", "seed=13&motion=walk&light=dim", nil),
		plant("noisy sensor", "seed=14&motion=walk&noise=4", nil),
		plant(fmt.Sprintf("an hour, %v of it", hour), "seed=15&motion=tour&hand=1&lights=1", func(r *Row) {
			r.Frames, r.Loop = 1440, int(hour.Seconds()*r.FPS)
		}),
	}
}
