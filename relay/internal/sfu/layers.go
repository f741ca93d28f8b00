package sfu

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// layers are the sizes in which a publisher sends one picture at the same time (simulcast, RFC 8853), the best first.
// Each is an Up of its own that nobody else knows of. To the room and the recorder they are one Up, the face, which
// shows the best one that comes; a receiver's slot takes the one that its link bears.
type layers struct {
	face  *Up
	names []string // as the publisher calls them, by rank
	asked bool     // the publisher sends what somebody takes, and says what it can

	mu      sync.Mutex
	ups     []*Up // by rank; nil where it has not come
	running int
	ended   bool // the last has gone; none joins any more
	began   time.Time
	unable  [maxLayers]bool      // the publisher's link does not bear it
	taken   [maxLayers]time.Time // when somebody last took it

	showing sync.Mutex // held while a packet is shown in the face
	shown   int        // the rank that is; -1 before the first key frame
	shownAt time.Time
	cut     bool
	numbers sequence
}

// silentAfter is when a layer that does not come counts as one that its publisher has switched off.
const silentAfter = time.Second

// maxLayers is how many sizes of a picture are told apart.
const maxLayers = 4

// sized is a track's place among the sizes of one picture.
type sized struct {
	names []string // of all, the best first
	rank  int      // its own
	asked bool     // see layers
}

func newLayers(of sized, like *Up) *layers {
	names := of.names[:min(len(of.names), maxLayers)]
	s := &layers{names: names, asked: of.asked, ups: make([]*Up, len(names)), shown: -1, began: like.link.Now()}
	s.face = &Up{Participant: like.Participant, Role: like.Role, Name: like.Name, Kind: like.Kind, Codec: like.Codec,
		ClockRate: like.ClockRate, Pool: like.Pool, link: like.link, done: make(chan struct{}), sizes: s}
	s.face.group.pool = like.Pool
	return s
}

// join makes an up track one of the layers; false where there is one of that rank, or where all have gone.
func (s *layers) join(u *Up, rank int) bool {
	u.Mute(s.face.Muted())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || rank < 0 || rank >= len(s.ups) || s.ups[rank] != nil {
		return false
	}
	s.ups[rank], u.of, u.rank = u, s, rank
	s.running++
	return true
}

// left ends the face with its last layer.
func (s *layers) left() {
	s.mu.Lock()
	s.running--
	s.ended = s.running == 0
	last := s.ended
	s.mu.Unlock()
	if last {
		s.face.mu.Lock()
		s.face.group.end()
		s.face.mu.Unlock()
		close(s.face.done)
	}
}

// isOver says whether the last layer has gone: who publishes under the name again begins anew.
func (s *layers) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// all are the layers that have come, the best first.
func (s *layers) all() []*Up {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.ups), func(u *Up) bool { return u == nil })
}

// coming are those of which packets come; where none does, all.
func (s *layers) coming(now time.Time) []*Up {
	all := s.all()
	live := slices.DeleteFunc(slices.Clone(all), func(u *Up) bool { return u.silent(now) })
	if len(live) == 0 {
		return all
	}
	return live
}

// take shows a packet of a layer in the face, if it is the one that is shown, or is to be from its key frame on.
func (s *layers) take(u *Up, p *Packet) {
	s.showing.Lock()
	defer s.showing.Unlock()
	if u.rank != s.shown {
		better := s.shown < 0 || u.rank < s.shown
		if !better && p.Arrived.Sub(s.shownAt) < silentAfter && !s.isUnable(s.shown) {
			return
		}
		if !p.Key {
			if s.isBest(u, p.Arrived) {
				u.RequestKey()
			}
			return
		}
		s.numbers.resume(p.Header.SequenceNumber, p.Header.Timestamp, true, s.cut, p.Arrived, s.face.ClockRate)
		s.shown = u.rank
	}
	seq, ts, ok := s.numbers.next(p.Header.SequenceNumber, p.Header.Timestamp, p.Arrived)
	if !ok {
		return
	}
	s.shownAt, s.cut = p.Arrived, !p.Header.Marker
	q := s.face.Pool.get()
	defer q.Release(s.face.Pool)
	if q.copy(p) != nil {
		return
	}
	q.Header.SequenceNumber, q.Header.Timestamp, q.from = seq, ts, s.face
	s.face.show(q)
}

// rids are the names of a section's layers, the best first: by the names that are in use, else in the order of the
// publisher's preference (RFC 8853, section 5.1).
func rids(simulcast string) []string {
	fields := strings.Fields(simulcast)
	i := slices.Index(fields, "send")
	if i < 0 || i+1 >= len(fields) {
		return nil
	}
	var out []string
	for _, alternatives := range strings.Split(fields[i+1], ";") {
		rid, _, _ := strings.Cut(alternatives, ",")
		out = append(out, strings.TrimPrefix(rid, "~"))
	}
	for _, known := range [][]string{{"f", "h", "q"}, {"h", "m", "l"}, {"hi", "mid", "lo"}, {"high", "medium", "low"}} {
		if !slices.ContainsFunc(out, func(r string) bool { return !slices.Contains(known, r) }) {
			slices.SortFunc(out, func(a, b string) int { return slices.Index(known, a) - slices.Index(known, b) })
		}
	}
	return out[:min(len(out), maxLayers)]
}
