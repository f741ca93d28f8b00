// Package limit bounds how often somebody may do something: a token bucket (as in RFC 2697) for each key, in
// memory that is bounded too.
package limit

import (
	"net/netip"
	"sync"
	"time"
)

// maxKeys is how many keys are remembered at once. The rest share one bucket.
const maxKeys = 1 << 16

// Limiter holds the buckets. Its methods may be called from any goroutine.
type Limiter struct {
	rate  float64 // per second
	burst float64
	now   func() time.Time

	mu      sync.Mutex
	buckets map[string]*bucket
	swept   time.Time // when forget last ran
}

type bucket struct {
	left    float64
	filled  time.Time // when left was true
	refused time.Time // when a refusal was last told
}

// New returns a limiter that allows so many in a time, also all at once. It allows everything where count is 0.
func New(count int, every time.Duration, now func() time.Time) *Limiter {
	return &Limiter{rate: float64(count) / every.Seconds(), burst: float64(count), now: now, buckets: map[string]*bucket{}}
}

// Answer says whether something may be done.
type Answer struct {
	OK   bool
	Wait time.Duration // until it may be done, where it may not be now
	// Tell says that this is the first refusal of the key within a minute: worth a line in a log.
	Tell bool
}

// Ask takes one from the key's bucket.
func (l *Limiter) Ask(key string) Answer {
	if l.burst == 0 {
		return Answer{OK: true}
	}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(key, now)
	b.left = min(l.burst, b.left+max(0, now.Sub(b.filled).Seconds())*l.rate)
	b.filled = now
	if b.left >= 1 {
		b.left--
		return Answer{OK: true}
	}
	tell := now.Sub(b.refused) >= time.Minute
	if tell {
		b.refused = now
	}
	return Answer{Wait: time.Duration((1 - b.left) / l.rate * float64(time.Second)), Tell: tell}
}

// bucket finds the key's bucket, or makes a full one.
func (l *Limiter) bucket(key string, now time.Time) *bucket {
	if b := l.buckets[key]; b != nil {
		return b
	}
	if len(l.buckets) >= maxKeys && now.Sub(l.swept) >= time.Second { // it looks at all of them
		l.forget(now)
		l.swept = now
	}
	if len(l.buckets) >= maxKeys {
		key = ""
		if b := l.buckets[key]; b != nil {
			return b
		}
	}
	b := &bucket{left: l.burst, filled: now}
	l.buckets[key] = b
	return b
}

// forget lets go of the buckets that are full again: they are as new ones.
func (l *Limiter) forget(now time.Time) {
	for key, b := range l.buckets {
		if b.left+now.Sub(b.filled).Seconds()*l.rate >= l.burst {
			delete(l.buckets, key)
		}
	}
}

// Network is the key of an address: the address itself, or, of IPv6, the /64 that one customer has.
func Network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
