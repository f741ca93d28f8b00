package room

import (
	"slices"

	"sightline/relay/internal/sfu"
	"sightline/relay/wire"
)

// Status is what a room looks like from outside.
type Status struct {
	Room         string        `json:"room"`
	SessionBegan int64         `json:"session_began"` // µs since the Unix epoch
	Participants []Present     `json:"participants"`
	Tracks       []TrackStatus `json:"tracks"`
	Watching     []string      `json:"watching"`
	Locked       bool          `json:"locked"`
	// MissedTelemetry and DroppedLossy count what was let go.
	MissedTelemetry int64 `json:"missed_telemetry"`
	DroppedLossy    int64 `json:"dropped_lossy"`
}

// Present is a participant who is connected.
type Present struct {
	wire.Participant
	Muted          wire.Muted  `json:"muted"`
	Link           sfu.Figures `json:"link"`
	DroppedPackets int64       `json:"dropped_packets"` // media that could not be written
	ResentPackets  int64       `json:"resent_packets"`  // media that it asked for again
}

// TrackStatus is a published track.
type TrackStatus struct {
	Participant string  `json:"participant"`
	Name        string  `json:"name"`
	Kind        string  `json:"kind"`
	Codec       string  `json:"codec"`
	Packets     int64   `json:"packets"`
	Lost        int64   `json:"lost"` // packets that have not come from the publisher
	Late        int64   `json:"late"` // packets that came twice, or after they were given up
	Bits        float64 `json:"bits"` // per second
	Muted       bool    `json:"muted"`
}

// Status returns what the room looks like now.
func (r *Room) Status() Status {
	s := Status{Room: r.cfg.Name, SessionBegan: r.cfg.Began, Participants: []Present{}, Tracks: []TrackStatus{},
		Watching: []string{}, MissedTelemetry: r.missed.Load(), DroppedLossy: r.lossy.Load()}
	r.ask(func() {
		s.Locked = r.locked.Locked
		for _, m := range *r.members.Load() {
			s.Participants = append(s.Participants, Present{m.Who(), r.muted[m.Who().ID], m.Figures(), m.Dropped(), m.Resent()})
		}
		for _, u := range r.ups {
			s.Tracks = append(s.Tracks, TrackStatus{u.up.Participant, u.up.Name, u.up.Kind, u.up.Codec, u.up.Packets(),
				u.up.Lost(), u.up.Late(), u.up.Bits(), u.up.Muted()})
		}
		for machine := range r.watching {
			s.Watching = append(s.Watching, machine)
		}
		slices.Sort(s.Watching)
	})
	return s
}
