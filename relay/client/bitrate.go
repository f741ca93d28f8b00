package client

import "sightline/relay/wire"

// Bitrate bounds what a video track is to send, in bits per second. The zero value means 60 kbit/s to
// 6 Mbit/s, beginning at 2 Mbit/s.
type Bitrate struct {
	Min, Start, Max int
	// Worth is what a picture of this size must have; with less, the next smaller size is the better picture.
	Worth int
}

func (b Bitrate) orDefault() Bitrate {
	if b.Min <= 0 {
		b.Min = 60_000
	}
	if b.Max <= 0 {
		b.Max = 6_000_000
	}
	if b.Start <= 0 {
		b.Start = 2_000_000
	}
	b.Start = min(max(b.Start, b.Min), b.Max)
	return b
}

// SetBitrate sets other bounds from now on: where the size of the picture is known only when it comes.
func (l *LocalTrack) SetBitrate(b Bitrate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bounds = b.orDefault()
}

func (l *LocalTrack) limits() Bitrate {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bounds
}

// Best returns the largest size of the picture that is sent: the track itself or a smaller one.
func (l *LocalTrack) Best() *LocalTrack {
	for _, s := range l.sizes() {
		if s.Bitrate() > 0 {
			return s
		}
	}
	return l
}

// sizes are the track and its smaller sizes, the larger first.
func (l *LocalTrack) sizes() []*LocalTrack { return append([]*LocalTrack{l}, l.smaller...) }

// pause says that nothing is to be sent, and whether that is new.
func (l *LocalTrack) pause() (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed, l.stats.Bitrate = l.stats.Bitrate != 0, 0
	return changed
}

// start is called before a session: all sizes are sent until the relay says which are taken.
func (l *LocalTrack) start() {
	l.mu.Lock()
	l.unasked = false
	begin := l.kind == wire.Video && l.stats.Bitrate == 0
	if begin {
		l.stats.Bitrate = l.bounds.Start
	}
	l.mu.Unlock()
	if begin && l.OnBitrate != nil {
		l.OnBitrate(l.Bitrate())
	}
}

// changeShare is by which share a target must differ for the encoder to hear of it.
const changeShare = 0.04

// aim sets the target to what there is for the track, within its bounds, and says whether it changed by enough to
// be told.
func (l *LocalTrack) aim(bps int) (target int, changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	target, before := min(max(bps, l.bounds.Min), l.bounds.Max), l.stats.Bitrate
	d := target - before
	if changed = float64(max(d, -d)) > changeShare*float64(before) || target != before && target == l.bounds.Max; changed {
		l.stats.Bitrate = target
	}
	return target, changed
}
