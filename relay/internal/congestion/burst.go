package congestion

import "time"

// burst measures packets that leave together: the link takes them apart, by as much as each takes on its narrowest part.
type burst struct {
	sent        time.Time // the first one; zero: there is none
	first, last time.Duration
	bits        int // of those after the first
}

// add takes the next packet that came. Where it is the first of another burst, it returns what the one before says that the
// link bears, bits per second.
func (b *burst) add(a Ack) (bears float64, ok bool) {
	if since := a.Sent.Sub(b.sent); !b.sent.IsZero() && since >= 0 && since <= burstTime {
		b.last, b.bits = a.Arrived, b.bits+8*a.Size
		return 0, false
	}
	bears, ok = float64(b.bits)/max(b.last-b.first, burstShort).Seconds(), b.bits >= burstLeast
	*b = burst{sent: a.Sent, first: a.Arrived, last: a.Arrived}
	return bears, ok
}

const (
	burstTime  = 2 * time.Millisecond // packets that leave together
	burstLeast = 8 * 1000             // bits after the first
	burstShort = time.Millisecond     // arrival times are no better than this
)
