package client

// Bitrate bounds what a video track is to send, in bits per second. The zero value means 60 kbit/s to
// 6 Mbit/s, beginning at 2 Mbit/s.
type Bitrate struct{ Min, Start, Max int }

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
