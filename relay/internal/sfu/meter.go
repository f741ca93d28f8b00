package sfu

import (
	"math"
	"sync/atomic"
	"time"

	"sightline/relay/internal/media"
)

// meter measures what a track takes: an average over the last seconds, of each temporal layer. One goroutine adds.
type meter struct {
	began time.Time
	bytes [media.MaxTemporal]int
	bits  [media.MaxTemporal]atomic.Uint64 // of a float64, per second
}

// meterEvery is how often the average is taken anew; a new figure counts a third.
const meterEvery = time.Second / 2

func (m *meter) add(layer uint8, size int, at time.Time) {
	if m.began.IsZero() {
		m.began = at
	}
	m.bytes[layer] += size
	if at.Sub(m.began) > 4*meterEvery { // it has paused
		m.began, m.bytes = at, [media.MaxTemporal]int{}
	}
	since := at.Sub(m.began)
	if since < meterEvery {
		return
	}
	fresh := m.rate() == 0
	for i, n := range m.bytes {
		now, was := float64(8*n)/since.Seconds(), m.of(i)
		if !fresh {
			now = was + (now-was)/3
		}
		m.bits[i].Store(math.Float64bits(now))
	}
	m.began, m.bytes = at, [media.MaxTemporal]int{}
}

func (m *meter) of(layer int) float64 { return math.Float64frombits(m.bits[layer].Load()) }

// rate returns bits per second; 0 in the first moment.
func (m *meter) rate() float64 { return m.upTo(media.MaxTemporal - 1) }

// upTo returns the bits per second of a temporal layer and those below it.
func (m *meter) upTo(layer uint8) (sum float64) {
	for i := range layer + 1 {
		sum += m.of(int(i))
	}
	return sum
}
