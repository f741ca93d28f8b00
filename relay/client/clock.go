package client

import (
	"math"
	"sync"
	"time"
)

// clock estimates session time from pings, as NTP does (RFC 5905, section 8). All times are µs; local
// is the client's own clock. The sample with the shortest round trip of the last few is believed.
type clock struct {
	mu      sync.Mutex
	samples []sample
	last    int64 // the greatest time stamped or seen in the log
}

type sample struct {
	rtt    int64 // math.MaxInt64 for a welcome, which has no round trip
	offset int64 // session minus local, best estimate
	floor  int64 // session minus local is certainly not less
	at     int64 // local
}

const (
	keptSamples = 16
	// drift is how fast two clocks part, at worst: 100 parts in a million.
	drift = 10000
)

// begin starts anew from the session time a welcome gave, received at local time now.
func (c *clock) begin(session, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	off := session - now
	c.samples = append(c.samples[:0], sample{rtt: math.MaxInt64, offset: off, floor: off, at: now})
}

// pong takes an answered ping: left at t0 and came back at t3 by the local clock, reached the relay at
// t1 and left it at t2 by session time. One whose times cannot be is ignored.
func (c *clock) pong(t0, t1, t2, t3 int64) {
	rtt := (t3 - t0) - (t2 - t1)
	if rtt < 0 || t2 < t1 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.samples) >= keptSamples {
		c.samples = append(c.samples[:0], c.samples[1:]...)
	}
	c.samples = append(c.samples, sample{rtt: rtt, offset: (t1 - t0 + t2 - t3) / 2, floor: t2 - t3, at: t3})
}

func (c *clock) best() sample {
	best := c.samples[0]
	for _, s := range c.samples[1:] {
		if s.rtt <= best.rtt {
			best = s
		}
	}
	return best
}

func (c *clock) session(now int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.samples) == 0 {
		return 0
	}
	return now + c.best().offset
}

func (c *clock) local(session int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.samples) == 0 {
		return 0
	}
	return session - c.best().offset
}

func (c *clock) rtt() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.samples) == 0 || c.best().rtt == math.MaxInt64 {
		return 0
	}
	return time.Duration(c.best().rtt) * time.Microsecond
}

// stamp returns the time for a log message: never in the relay's future, so that the relay need not
// change it, and always after everything this client has written or read, so that an answer wins over
// what it answers. ok is false before the first join.
func (c *clock) stamp(now int64) (at int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.samples) == 0 {
		return 0, false
	}
	floor := int64(math.MinInt64)
	for _, s := range c.samples {
		floor = max(floor, s.floor-max(0, now-s.at)/drift)
	}
	c.last = max(now+floor, c.last+1)
	return c.last, true
}

// saw takes note of a time in the log.
func (c *clock) saw(at int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, at)
}
