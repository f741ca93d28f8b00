package room

import (
	"encoding/json"
	"slices"
	"time"

	"sightline/relay/wire"
)

// How often it is looked who speaks, and how often and how long what was found is told again.
const (
	speakEvery = 200 * time.Millisecond
	speakAgain = time.Second
	speakFor   = 4 * time.Second
)

// speaking is who speaks, as the room was told. The room's goroutine owns it.
type speaking struct {
	now     []string
	changed time.Time
	told    time.Time
}

// listen looks who speaks, and tells everybody where that is news, or may have been lost.
func (r *Room) listen() {
	now, all := r.cfg.Now(), []string{}
	for _, u := range r.ups {
		if id := u.owner.Who().ID; u.up.Kind == wire.Audio && u.up.Speaking(now) && !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	s := &r.speaking
	if !slices.Equal(all, s.now) {
		s.now, s.changed = all, now
	} else if now.Sub(s.told) < speakAgain || len(all) == 0 && now.Sub(s.changed) > speakFor {
		return
	}
	s.told = now
	body, err := json.Marshal(wire.Speaking{Participants: all})
	if err != nil {
		return
	}
	e := wire.Envelope{V: wire.Version, Kind: wire.KindSpeaking, From: "relay", Time: r.Time(), Body: body}
	data, err := e.Encode()
	if err != nil {
		return
	}
	for _, m := range *r.members.Load() {
		m.SendLossy(wire.ChannelPointer, data) // who is slow does without
	}
}
