package sfu

import (
	"sync/atomic"
	"time"
)

// voice finds out by the audio levels of a track (RFC 6464) whether somebody speaks on it. One goroutine takes them.
type voice struct {
	level float64 // smoothed: up at once, down slowly; 0 for silence to 127
	floor float64 // the noise of the place: what the level goes back to
	began bool

	spoke atomic.Int64 // when it last was speech, unix ms
}

// How speech is told from noise, in decibels, for packets of 20 ms. A hall full of machines is loud all the time;
// somebody who speaks is louder than it, and makes pauses.
const (
	voiceRise  = 0.4  // of a difference, up, for each packet
	voiceFall  = 0.06 // and down: a third of a second
	floorRise  = 0.02 // decibels for each packet
	floorFall  = 0.1  // of a difference
	floorStart = 127 - 50
	aboveFloor = 9
	voiceLeast = 127 - 55
	// voiceHold is how long after the last speech somebody still counts as speaking: between two words.
	voiceHold = 600 * time.Millisecond
)

// take follows the level of a packet, as it goes on the wire.
func (v *voice) take(raw byte, at time.Time) {
	loud := 127 - float64(raw&0x7f)
	if !v.began {
		v.began, v.level, v.floor = true, loud, min(loud, floorStart)
	}
	by := voiceFall
	if loud > v.level {
		by = voiceRise
	}
	v.level += by * (loud - v.level)
	if loud < v.floor {
		v.floor += floorFall * (loud - v.floor)
	} else {
		v.floor += floorRise
	}
	if v.level >= voiceLeast && v.level >= v.floor+aboveFloor {
		v.spoke.Store(at.UnixMilli())
	}
}

// Speaking says whether somebody speaks on the track.
func (u *Up) Speaking(now time.Time) bool {
	return now.UnixMilli()-u.voice.spoke.Load() < voiceHold.Milliseconds() && !u.Muted()
}
