package sfu

import (
	"slices"
	"time"

	"sightline/relay/internal/auth"
	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// The ladder of one receiver: what its link bears is shared out, sound first, then the field's pictures, then
// the others'. A picture is sent whole, or its key frames only, slowly, the same as stills over the data channel, or not at
// all; marks and sound go on on every rung.
const (
	audioBits   = 48e3 // what sound takes, with what goes around it
	reserve     = 20e3 // for marks and for asking again
	stepUp      = 1.2  // of what a rung takes must be there before it is entered
	keepUp      = 1.05 // and as long as it is kept
	keyFloor    = 60e3 // below, not even key frames are sent as a track
	stillFloor  = 12e3 // below, no stills either
	keyShare    = 0.7  // of the rest that key frames may take
	keyAtLeast  = 2 * time.Second
	keyAskAfter = 3 * time.Second        // a key frame older than this is worth asking for another
	drainTime   = 700 * time.Millisecond // for what is queued on the way, before the first
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
		takes, wants := d.settle(max(rest, 0), now)
		rest -= takes
		l.estimate.Want += stepUp * wants
		d.follow()
		slow = slow || d.slow()
	}
	return slow
}

// slow says whether the slot sends key frames only.
func (d *Down) slow() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.slowly()
}

// slowly is slow where the caller holds mu.
func (d *Down) slowly() bool { return d.rung == wire.RungKeyFrames || d.rung == wire.RungStills }

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

// settle puts the slot on the rung, and of layers on the one, that so many bits per second bear. It returns what it
// takes of them, and what it would take if the link bore all.
func (d *Down) settle(rest float64, now time.Time) (takes, wants float64) {
	u := d.carries()
	if u == nil {
		return 0, 0
	}
	choices := u.choices(now) // takes the layers' lock
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.up != u || len(choices) == 0 {
		return 0, 0
	}
	useful := d.wish.useful(choices)
	rung, pick, most := wire.RungOff, (*Up)(nil), d.thin.most
	switch {
	case rest >= keyFloor && d.rung != wire.RungStills, rest >= 1.5*keyFloor, rest >= keyFloor/1.5 && d.rung == wire.RungKeyFrames:
		rung = wire.RungKeyFrames
	case rest >= stillFloor && d.link.still != nil:
		rung = wire.RungStills
	}
	for i, c := range useful {
		margin := stepUp
		if moving(d.rung) && (c == d.layer || c == d.next) {
			margin = keepUp
		}
		all := margin
		if d.thin.most < everyLayer {
			all = stepUp
		}
		if c.bits()*all <= rest {
			if rung, pick = wire.RungFull, c; i > 0 {
				rung = wire.RungSmall
			}
			most = everyLayer
			break
		}
		if layer, ok := d.fewer(c, rest, margin); ok {
			rung, pick, most = wire.RungFewer, c, layer
			break
		}
	}
	if pick == nil && rung != wire.RungOff {
		pick = useful[len(useful)-1] // whose key frames are the stills
	}
	d.budget = keyShare * rest
	if now.Sub(d.settled) >= settleTime {
		if d.choose(pick, now); most != d.thin.most {
			d.thin.most, d.settled = most, now
		}
		d.say(rung)
		if rung = lower(rung, d.wish.most); rung != d.rung {
			d.move(rung, now)
		}
	}
	switch {
	case d.rung == wire.RungOff && d.wish.most == wire.RungOff:
		return 0, 0
	case moving(d.rung) && d.layer != nil && d.thin.most < everyLayer:
		return d.layer.meter.upTo(d.thin.most), useful[0].bits()
	case moving(d.rung) && d.layer != nil:
		return d.layer.bits(), useful[0].bits()
	case d.wish.most != "":
		return d.budget, 0
	}
	return d.budget, useful[0].bits()
}

// fewer returns the highest temporal layer up to which so many bits per second bear a stream, where it has several and it
// is known what each takes.
func (d *Down) fewer(c *Up, rest, margin float64) (most uint8, ok bool) {
	all := c.meter.rate()
	for layer := uint8(media.MaxTemporal - 1); layer > 0; layer-- {
		bits := c.meter.upTo(layer - 1)
		if bits > 0 && bits < leastSaving*all && bits*margin <= rest {
			return layer - 1, true
		}
	}
	return 0, false
}

// leastSaving is what leaving out a layer must save to be worth it: a stream may have a frame of it now and then.
const leastSaving = 0.9

// say tells of the rung that the link bears, where that has changed: what the receiver itself does not want is no news
// to it. The caller holds mu.
func (d *Down) say(bears string) {
	was := d.bears
	if d.bears = bears; was != bears && d.link.OnRung != nil {
		d.link.OnRung(d.up, bears)
	}
}

// choose sends another layer from its next key frame on. The caller holds mu.
func (d *Down) choose(pick *Up, now time.Time) {
	switch {
	case pick == nil:
	case !moving(d.rung):
		d.layer, d.next = pick, nil
	case pick == d.next:
	case pick == d.layer:
		d.next = nil
	default:
		d.next, d.settled = pick, now
	}
}

// moving says whether a moving picture is sent on a rung.
func moving(rung string) bool {
	return rung == wire.RungFull || rung == wire.RungSmall || rung == wire.RungFewer
}

// move changes the rung. The caller holds mu.
func (d *Down) move(rung string, now time.Time) {
	was := d.rung
	slowly := d.slowly()
	d.rung, d.settled = rung, now
	if slowly && d.slowly() {
		return // what is on its way comes first
	}
	d.drop()
	if d.slowly() {
		d.stillAt = now.Add(drainTime - keyAtLeast)
	}
	if moving(was) != moving(rung) {
		d.kept.clear() // what is missing of the rung before is not worth sending again
		if d.waiting = d.waiting || moving(rung); moving(rung) {
			d.layer.RequestKey()
		}
	}
}

// drop forgets the key frame that is on its way. The caller holds mu.
func (d *Down) drop() {
	for _, p := range d.still {
		p.Release(d.stillOf.Pool)
	}
	d.still, d.chunks = d.still[:0], nil
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
	need := d.slowly() && len(d.still)+len(d.chunks) == 0 && now.Sub(d.stillAt) >= keyAtLeast
	d.mu.Unlock()
	var fresh []*Packet
	if need {
		fresh = u.lastKey() // takes the up track's lock, which comes before the slot's
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.slowly() || d.up != u || d.bound == nil {
		release(fresh, u.Pool)
		return false
	}
	if len(fresh) > 0 && fresh[0].Header.Timestamp != d.stillTS {
		d.still, d.stillOf, d.stillAt, d.stillTS, d.waiting = fresh, u, now, fresh[0].Header.Timestamp, true
		if d.rung == wire.RungStills {
			d.toChunks()
		}
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
	d.sendChunks()
	for len(d.still) > 0 && d.credit > 0 {
		pair := d.still[:min(2, len(d.still))] // their distance shows what the link bears
		d.still = d.still[len(pair):]
		for _, p := range pair {
			d.credit -= float64(len(p.Payload) + overhead)
			d.repeat(p, p.Header.Timestamp, now, now)
			p.Release(u.Pool)
		}
	}
	return true
}

func release(packets []*Packet, pool *Pool) {
	for _, p := range packets {
		p.Release(pool)
	}
}
