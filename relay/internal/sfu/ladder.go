package sfu

import (
	"slices"
	"time"

	"sightline/relay/internal/auth"
	"sightline/relay/wire"
)

// The ladder of one receiver: what its link bears is shared out, sound first, then the field's pictures, then
// the others'. A picture is sent whole, or its key frames only, slowly, or not at all; marks and sound go on
// on every rung.
const (
	audioBits   = 48e3 // what sound takes, with what goes around it
	reserve     = 20e3 // for marks and for asking again
	stepUp      = 1.2  // of what a rung takes must be there before it is entered
	keyFloor    = 30e3 // below, not even key frames are sent
	keyShare    = 0.7  // of the rest that key frames may take
	keyAtLeast  = 2 * time.Second
	keyAskAfter = 8 * time.Second // a key frame older than this is worth asking for another
	settleTime  = 600 * time.Millisecond
)

// OnRung hears that a receiver gets more or less of a track from now on.
type OnRung func(u *Up, rung string)

// share decides on the rungs of all slots. It is called when there is feedback, by one goroutine, and says whether
// key frames are to be paced.
func (l *link) share(now time.Time) (slow bool) {
	rest := l.estimate.Rate - reserve
	_, downs := l.tracks()
	var pictures []*Down
	for _, d := range downs {
		u := d.carries()
		switch {
		case u == nil:
		case u.Kind == wire.Audio:
			rest -= audioBits
		default:
			pictures = append(pictures, d)
		}
	}
	slices.SortStableFunc(pictures, func(a, b *Down) int { return rank(a.carries()) - rank(b.carries()) })
	l.estimate.Want = reserve
	for _, d := range pictures {
		if u := d.carries(); u != nil {
			l.estimate.Want += stepUp * u.bits()
		}
		rest -= d.settle(max(rest, 0), now)
		slow = slow || d.slow()
	}
	return slow
}

// slow says whether the slot sends key frames only.
func (d *Down) slow() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rung == wire.RungKeyFrames
}

// rank orders pictures: the last to be degraded first.
func rank(u *Up) int {
	switch {
	case u == nil:
		return 3
	case u.Role == auth.Field && u.Name == "camera":
		return 0
	case u.Role == auth.Field:
		return 1
	}
	return 2
}

func (d *Down) carries() *Up {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.up
}

// settle puts the slot on the rung that so many bits per second bear, and returns what it takes of them.
func (d *Down) settle(rest float64, now time.Time) (takes float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.up == nil {
		return 0
	}
	full := d.up.bits()
	margin := 1.05
	if d.rung != wire.RungFull {
		margin = stepUp
	}
	rung := wire.RungOff
	switch {
	case full*margin <= rest:
		rung = wire.RungFull
	case rest >= keyFloor:
		rung = wire.RungKeyFrames
	}
	d.budget = keyShare * rest
	if rung != d.rung && now.Sub(d.settled) >= settleTime {
		d.move(rung, now)
	}
	if d.rung == wire.RungFull {
		return full
	}
	return d.budget
}

// move changes the rung. The caller holds mu.
func (d *Down) move(rung string, now time.Time) {
	was := d.rung
	d.rung, d.settled = rung, now
	d.drop()
	d.kept.clear() // what is missing of the rung before is not worth sending again
	if rung == wire.RungFull {
		d.waiting = true
		d.up.RequestKey()
	}
	if d.link.OnRung != nil && was != rung {
		d.link.OnRung(d.up, rung)
	}
}

// drop forgets the key frame that is on its way. The caller holds mu.
func (d *Down) drop() {
	for _, p := range d.still {
		p.Release(d.stillOf.Pool)
	}
	d.still = d.still[:0]
}

// paceEvery is how often a slowly sent key frame goes on.
const paceEvery = 20 * time.Millisecond

// pace sends the next piece of the latest key frame, where the slot is on that rung, and says whether it is.
func (d *Down) pace(now time.Time) bool {
	u := d.carries()
	if u == nil {
		return false
	}
	d.mu.Lock()
	need := d.rung == wire.RungKeyFrames && len(d.still) == 0 && now.Sub(d.stillAt) >= keyAtLeast
	d.mu.Unlock()
	var fresh []*Packet
	if need {
		fresh = u.lastKey() // takes the up track's lock, which comes before the slot's
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rung != wire.RungKeyFrames || d.up != u || d.bound == nil {
		release(fresh, u.Pool)
		return false
	}
	if len(fresh) > 0 && fresh[0].Header.Timestamp != d.stillTS {
		d.still, d.stillOf, d.stillAt, d.stillTS, d.waiting = fresh, u, now, fresh[0].Header.Timestamp, true
	} else if len(fresh) > 0 {
		old := now.Sub(fresh[0].Arrived) > keyAskAfter
		release(fresh, u.Pool)
		if old {
			u.RequestKey()
		}
	} else if need {
		u.RequestKey()
	}
	d.credit = min(d.credit+d.budget/8*paceEvery.Seconds(), 3000)
	for len(d.still) > 0 && d.credit > 0 {
		p := d.still[0]
		d.still = d.still[1:]
		d.credit -= float64(len(p.Payload) + overhead)
		d.forward(p, p.Header.Timestamp, now)
		p.Release(u.Pool)
	}
	return true
}

func release(packets []*Packet, pool *Pool) {
	for _, p := range packets {
		p.Release(pool)
	}
}
