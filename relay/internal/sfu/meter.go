package sfu

import (
	"math"
	"sync/atomic"
	"time"
)

// meter measures what a track takes: an average over the last seconds. One goroutine adds.
type meter struct {
	began time.Time
	bytes int
	bits  atomic.Uint64 // of a float64, per second
}

// meterEvery is how often the average is taken anew; a new figure counts a third.
const meterEvery = time.Second / 2

func (m *meter) add(size int, at time.Time) {
	if m.began.IsZero() {
		m.began = at
	}
	m.bytes += size
	if at.Sub(m.began) > 4*meterEvery { // it has paused
		m.began, m.bytes = at, 0
	}
	if since := at.Sub(m.began); since >= meterEvery {
		now, was := float64(8*m.bytes)/since.Seconds(), m.rate()
		if was > 0 {
			now = was + (now-was)/3
		}
		m.bits.Store(math.Float64bits(now))
		m.began, m.bytes = at, 0
	}
}

// rate returns bits per second; 0 in the first moment.
func (m *meter) rate() float64 { return math.Float64frombits(m.bits.Load()) }
