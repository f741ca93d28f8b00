package congestion

import "time"

// step finds out that the way has become longer from one packet to the next. A queue becomes longer packet by packet, and goes
// on to grow or is emptied; after a pause in which nothing came through, packets catch up.
type step struct {
	last  time.Duration // the delay of the packet before
	known bool          // whether there is one
	from  time.Time     // when the first packet left that took longer; zero: none has
	now   time.Time     // when the last one left
	to    time.Duration // its delay since
	count int
}

// add takes the next packet that came. queue is by how much packets were late when it was last asked.
func (s *step) add(sent time.Time, delay, queue time.Duration) {
	switch {
	case !s.open() && s.known && queue < queueShort && delay-s.last > queueLong:
		s.from, s.to, s.count = sent, delay, 0
	case delay < s.to-stepFlat:
		s.from = time.Time{}
	}
	s.last, s.known, s.now = delay, true, sent
	s.count++
}

// open says whether it is not known yet.
func (s *step) open() bool { return !s.from.IsZero() }

// done says whether the way is longer for good. least is the least delay of the packets that were added since it was asked.
func (s *step) done(least time.Duration) bool {
	switch {
	case !s.open():
		return false
	case least > s.to+stepFlat:
		s.from = time.Time{}
	case s.count >= stepLeast && s.now.Sub(s.from) >= stepFor:
		s.from = time.Time{}
		return true
	}
	return false
}

const (
	stepFor   = 300 * time.Millisecond // the way stays as long as it is for so long
	stepLeast = 5                      // packets
	stepFlat  = 30 * time.Millisecond  // a queue that had grown so fast would not stop at this
)
