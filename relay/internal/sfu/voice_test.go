package sfu

import (
	"math"
	"testing"
	"time"
)

// speech is the level of somebody who speaks, 20 ms after 20 ms: syllables, and a pause of half a second now and then.
func speech(i int) byte {
	if i%150 > 125 {
		return 70
	}
	return byte(28 + 10*math.Abs(math.Sin(float64(i)/6)))
}

func TestWhoSpeaks(t *testing.T) {
	for name, c := range map[string]struct {
		level    func(i int) byte
		min, max float64 // the share of time in which somebody counts as speaking, after the first second
	}{
		"silence":                   {func(int) byte { return 127 }, 0, 0},
		"a quiet room":              {func(i int) byte { return byte(72 + i%5) }, 0, 0},
		"a machine that runs":       {func(i int) byte { return byte(30 + i%4) }, 0, 0.25},
		"somebody speaks":           {speech, 0.95, 1},
		"somebody speaks in a hall": {func(i int) byte { return min(speech(i)-8, byte(40+i%4)) }, 0.9, 1},
		"a click":                   {func(i int) byte { return map[bool]byte{true: 30, false: 80}[i%500 == 0] }, 0, 0.1},
	} {
		u := &Up{}
		at, spoke, n := time.Unix(1000, 0), 0, 0
		for i := range 3000 {
			at = at.Add(20 * time.Millisecond)
			u.voice.take(c.level(i)|0x80, at)
			if i >= 50 {
				n++
				if u.Speaking(at) {
					spoke++
				}
			}
		}
		if share := float64(spoke) / float64(n); share < c.min || share > c.max {
			t.Errorf("%s: speaks %.0f %% of the time, want %.0f to %.0f", name, 100*share, 100*c.min, 100*c.max)
		}
		if u.Speaking(at.Add(time.Second)) {
			t.Errorf("%s: still speaks when nothing comes any more", name)
		}
	}
}
