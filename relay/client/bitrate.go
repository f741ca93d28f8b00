package client

// Bitrate bounds what a video track is to send, in bits per second. The zero value means 150 kbit/s to
// 6 Mbit/s, beginning at 2 Mbit/s.
type Bitrate struct{ Min, Start, Max int }

func (b Bitrate) orDefault() Bitrate {
	if b.Min <= 0 {
		b.Min = 150_000
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

// lossController follows the loss that receiver reports tell of: Google Congestion Control's loss-based
// part (draft-ietf-rmcat-gcc-02, section 6).
type lossController struct {
	bounds Bitrate
	now    int
}

// report takes the fraction of packets lost since the report before and returns the new target.
func (l *lossController) report(lost float64) int {
	switch {
	case lost > 0.10:
		l.now = int(float64(l.now) * (1 - lost/2))
	case lost < 0.02:
		l.now = int(float64(l.now) * 1.05)
	}
	l.now = min(max(l.now, l.bounds.Min), l.bounds.Max)
	return l.now
}
