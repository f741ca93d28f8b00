package client

import (
	"slices"
	"sync"
	"time"

	"github.com/pion/rtcp"

	"sightline/relay/internal/congestion"
	"sightline/relay/wire"
)

// uplink finds out what the way to the relay carries, and shares it among the tracks. It lives as long as a
// session. All goroutines may use it.
type uplink struct {
	numbers congestion.Numbers

	mu       sync.Mutex
	estimate congestion.Estimator
	tracks   []*LocalTrack
}

// How the way is shared, in bits per second.
const (
	uplinkShare = 0.9  // of the estimate: an encoder does not keep exactly to what it is told
	soundBits   = 48e3 // a track of sound, with what goes around it
	restBits    = 20e3 // marks, poses, and what is sent again
)

// heard takes the relay's feedback, which may come on any track. It returns the tracks that are to hear of it.
func (u *uplink) heard(f *rtcp.TransportLayerCC, now time.Time) (told []*LocalTrack) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.estimate.Rate == 0 { // the link is no better than it was before it broke
		u.estimate.Rate = u.needed(func(t *LocalTrack) int { return t.Bitrate() })
	}
	u.estimate.Want = u.needed(func(t *LocalTrack) int { return t.most() })
	u.estimate.Update(u.numbers.Read(f), now)
	return u.share()
}

// wanted takes which sizes somebody takes, and returns the tracks that are to hear of it.
func (u *uplink) wanted(names []string) (told []*LocalTrack) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, t := range u.tracks {
		unasked := t.of != nil && !slices.Contains(names, t.Name)
		t.mu.Lock()
		t.unasked = unasked
		t.mu.Unlock()
		if unasked && u.estimate.Rate == 0 && t.pause() {
			told = append(told, t)
		}
	}
	if u.estimate.Rate > 0 {
		told = u.share()
	}
	return told
}

// idle is called now and then.
func (u *uplink) idle(now time.Time) {
	u.mu.Lock()
	u.estimate.Idle(now)
	u.mu.Unlock()
}

// moved takes note that the way is another.
func (u *uplink) moved(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.estimate.Moved(now)
}

// needed is what the way must bear for every picture to have so many bits per second.
func (u *uplink) needed(of func(*LocalTrack) int) float64 {
	sum := restBits
	for _, t := range u.tracks {
		if t.kind == wire.Video {
			sum += float64(of(t))
		} else {
			sum += soundBits
		}
	}
	return sum / uplinkShare
}

// share gives sound what it needs, and the rest to the pictures in the order of publication: the camera comes first.
// It returns the tracks that are to hear of it.
func (u *uplink) share() (told []*LocalTrack) {
	rest := uplinkShare*u.estimate.Rate - restBits // as needed has it
	for _, t := range u.tracks {
		if t.kind == wire.Audio {
			rest -= soundBits
		}
	}
	for _, t := range u.tracks {
		if t.kind == wire.Video && t.of == nil {
			used, changed := divide(t.sizes(), rest)
			rest -= used
			told = append(told, changed...)
		}
	}
	return told
}

// bears are the names of the sizes of pictures that the way bears.
func (u *uplink) bears() (names []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, t := range u.tracks {
		if len(t.smaller) > 0 {
			able := false
			for _, s := range t.sizes() {
				if able = able || s.Bitrate() > 0; able {
					names = append(names, s.Name)
				}
			}
		}
	}
	return names
}
