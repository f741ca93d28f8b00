package sfu

import "sightline/relay/wire"

// wish is what a receiver has a use for of a picture. The slot's lock guards it.
type wish struct {
	share float64 // of the picture's full size; 0: all
	width int     // of the screen's pixels; 0: all
	most  string  // the best rung; empty: all that its link bears
}

// blur is by how much a picture may be wider on the screen than it is itself, before a larger one is of any use.
const blur = 1.25

// useful are the layers, of those that may be sent, that the receiver has a use for: one that is as large as it shows
// the picture, and all below.
func (w wish) useful(choices []*Up) []*Up {
	for len(choices) > 1 && w.fits(choices[1]) {
		choices = choices[1:]
	}
	return choices
}

// fits says whether a layer is as large as the receiver shows it.
func (w wish) fits(u *Up) bool {
	if w.width > 0 {
		wide := u.width.Load()
		return wide > 0 && blur*float64(wide) >= float64(w.width)
	}
	full := 1.0 // the share of a layer's rank
	for range u.rank {
		full /= 2
	}
	return w.share > 0 && w.share <= full
}

// Want says how large the receiver shows the picture, as a share of its full size: layers that are larger than
// that are of no use to it.
func (d *Down) Want(share float64) { d.wants(wish{share: share}) }

func (d *Down) wants(w wish) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wish != w {
		d.wish, d.settled = w, d.link.Now().Add(-settleTime) // at once
	}
}

// Show takes how large the client shows pictures. Of tracks that it does not name, what it said before holds.
func (p *Peer) Show(shown []wire.Shown) {
	p.do(func() {
		for _, s := range shown {
			key := [2]string{s.Participant, s.Name}
			if _, known := p.wishes[key]; known || len(p.wishes) < maxWishes {
				p.wishes[key] = wish{width: s.Width, most: s.Most}
			}
		}
		for _, s := range p.slots {
			if s.up != nil {
				s.down.wants(p.wishes[[2]string{s.up.Participant, s.up.Name}])
			}
		}
		p.try(p.Now())
		select {
		case p.changed <- struct{}{}: // upkeep paces, perhaps
		default:
		}
	})
}

// maxWishes bounds what is remembered of tracks that may come again.
const maxWishes = 4 * wire.MaxShown

// rungs are the rungs of the ladder, from the top.
var rungs = []string{wire.RungFull, wire.RungSmall, wire.RungFewer, wire.RungKeyFrames, wire.RungStills, wire.RungOff}

// lower returns the lower of two rungs; an empty one is above all.
func lower(a, b string) string {
	for _, r := range rungs {
		switch {
		case r == a && b != "" && b != a:
			return b
		case r == b && a != "" && a != b:
			return a
		}
	}
	return max(a, b)
}
