package sfu

import "sightline/relay/wire"

// Figures are what a link to a participant is like.
type Figures struct {
	// Estimate is what the link bears, bits per second, as far as it was tried; 0 where nothing has come back yet.
	Estimate float64 `json:"estimate"`
	Loss     float64 `json:"loss"`  // the share of packets that were lost of late, 0 to 1
	Rungs    []Rung  `json:"rungs"` // of the pictures that it gets
	Packets  Counts  `json:"packets"`
}

// Rung is how much of a picture a receiver gets.
type Rung struct {
	Participant string `json:"participant"` // whose picture it is
	Track       string `json:"track"`
	Rung        string `json:"rung"` // wire.RungFull and below
}

// Figures may be called from any goroutine.
func (l *link) Figures() Figures {
	l.hearing.Lock()
	f := Figures{Estimate: l.estimate.Rate, Loss: l.estimate.Loss, Rungs: []Rung{}}
	l.hearing.Unlock()
	_, downs := l.tracks()
	for _, d := range downs {
		d.mu.Lock()
		f.Packets.add(d.counts)
		if u := d.up; u != nil && u.Kind == wire.Video {
			f.Rungs = append(f.Rungs, Rung{u.Participant, u.Name, d.bears})
		}
		d.mu.Unlock()
	}
	return f
}

// Bits returns what the track takes, per second, over the last seconds.
func (u *Up) Bits() float64 { return u.bits() }

// Lost counts the packets that have not come from the publisher, so far.
func (u *Up) Lost() int64 {
	if u.sizes != nil {
		lost := int64(0)
		for _, l := range u.sizes.all() {
			lost += l.Lost()
		}
		return lost
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.received.started {
		return 0
	}
	return max(0, int64(u.received.highest-u.received.first+1)-int64(u.received.count))
}

// Late counts the packets that came twice, or after they were given up.
func (u *Up) Late() (late int64) {
	if u.sizes != nil {
		for _, l := range u.sizes.all() {
			late += l.Late()
		}
		return late
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.late
}

// Muted says whether the track is muted.
func (u *Up) Muted() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.muted
}
