package desk

import "time"

// meter measures what is on screen.
type meter struct {
	shown  []time.Time // of the last two seconds
	delays []time.Duration
}

const keptDelays = 61

func (m *meter) frame(now time.Time, captured int64) {
	m.shown = append(m.shown, now)
	m.delays = append(m.delays, now.Sub(time.UnixMicro(captured)))
	if len(m.delays) > keptDelays {
		m.delays = m.delays[1:]
	}
}

// rate is frames per second over the last two seconds.
func (m *meter) rate(now time.Time) float64 {
	for len(m.shown) > 0 && now.Sub(m.shown[0]) > 2*time.Second {
		m.shown = m.shown[1:]
	}
	if len(m.shown) < 2 {
		return 0
	}
	return float64(len(m.shown)-1) / max(0.5, now.Sub(m.shown[0]).Seconds())
}

// delay is the median time from capture to screen; agree is false where the publisher's clock is another.
func (m *meter) delay() (d time.Duration, agree bool) {
	if len(m.delays) == 0 {
		return 0, true
	}
	sorted := append([]time.Duration(nil), m.delays...)
	for i := range sorted {
		for j := i; j > 0 && sorted[j] < sorted[j-1]; j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	d = sorted[len(sorted)/2]
	return d, d > -5*time.Millisecond && d < 5*time.Second
}
