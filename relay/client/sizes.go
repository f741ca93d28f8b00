package client

import (
	"slices"

	"github.com/pion/rtcp"

	"sightline/relay/wire"
)

// How the way is divided among the sizes of one picture.
const (
	smallShare = 0.3 // of what the next larger size has
	worthAgain = 1.3 // of a size's worth must be there before it is sent again
)

// divide gives the sizes of a picture, the larger first, what there is for it. The largest that is worth it, which is the
// one that the expert looks at, gets all but the little that the smaller ones take; where the way does not bear it, it is
// left out, and not drawn so coarsely that the next smaller one would be the better picture. Smaller ones are sent only
// while somebody takes them.
func divide(sizes []*LocalTrack, rest float64) (used float64, told []*LocalTrack) {
	best := 0
	for ; best < len(sizes)-1; best++ {
		worth := float64(sizes[best].limits().Worth)
		if sizes[best].Bitrate() == 0 {
			worth *= worthAgain
		}
		if rest-smallBits(sizes[best:], rest) >= worth {
			break
		}
	}
	left := rest - smallBits(sizes[best:], rest)
	for i, t := range sizes {
		var now int
		changed := false
		switch {
		case i < best || i > best && t.isUnasked():
			changed = t.pause()
		case i == best:
			now, changed = t.aim(int(left))
		default:
			now, changed = t.aim(int(smallBit(t, rest, i-best)))
		}
		used += float64(now)
		if changed {
			told = append(told, t)
		}
	}
	return used, told
}

// smallBits is what the sizes below the first take, as far as somebody takes them.
func smallBits(sizes []*LocalTrack, rest float64) (sum float64) {
	for i, t := range sizes[1:] {
		if !t.isUnasked() {
			sum += smallBit(t, rest, i+1)
		}
	}
	return sum
}

// smallBit is what a size gets that is so many below the best.
func smallBit(t *LocalTrack, rest float64, below int) float64 {
	for range below {
		rest *= smallShare
	}
	b := t.limits()
	return min(max(rest, float64(b.Min)), float64(b.Max))
}

func (l *LocalTrack) isUnasked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unasked
}

// most is what the track would be sent at, if the way bore all.
func (l *LocalTrack) most() int {
	if l.isUnasked() {
		return 0
	}
	return l.limits().Max
}

// heard takes the relay's feedback.
func (s *session) heard(f *rtcp.TransportLayerCC) { s.tell(s.uplink.heard(f, s.c.cfg.Now())) }

// wanted takes which sizes somebody takes.
func (s *session) wanted(names []string) { s.tell(s.uplink.wanted(names)) }

// tell lets tracks know what to encode at, and the relay which sizes there are now.
func (s *session) tell(tracks []*LocalTrack) {
	if len(tracks) == 0 {
		return
	}
	names := s.uplink.bears()
	select { // the latest counts
	case <-s.sends:
	default:
	}
	select {
	case s.sends <- names:
	default:
	}
	for _, t := range tracks {
		if t.OnBitrate != nil {
			t.OnBitrate(t.Bitrate())
		}
	}
}

// tellSends tells the relay which sizes the way to it bears, when that has changed. At first it bears all.
func (s *session) tellSends() {
	var told []string
	for {
		select {
		case names := <-s.sends:
			if told != nil && slices.Equal(names, told) || len(names) == 0 {
				continue
			}
			told = names
			if err := s.say(wire.Signal{Type: wire.SignalSends, Names: names}); err != nil {
				s.fail(err)
				return
			}
		case <-s.ctx.Done():
			return
		}
	}
}
