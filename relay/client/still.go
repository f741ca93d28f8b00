package client

import (
	"fmt"
	"slices"

	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// maxStills is how many stills may be on their way at once: the newest of that many tracks.
const maxStills = wire.MaxTracks

// still is one that is on its way.
type still struct {
	number uint32
	parts  [][]byte
	missed int
}

// openStills makes the channel on which pictures come when the link is too narrow for them as tracks.
func (s *session) openStills() error {
	negotiated, ordered, id, most := true, false, wire.ChannelStillID, wire.StillTime
	ch, err := s.pc.CreateDataChannel(wire.ChannelStill, &webrtc.DataChannelInit{Negotiated: &negotiated, Ordered: &ordered, ID: &id, MaxPacketLifeTime: &most})
	if err != nil {
		return fmt.Errorf("open data channel %s: %w", wire.ChannelStill, err)
	}
	var coming []*still // one goroutine of pion's calls OnMessage
	ch.OnMessage(func(m webrtc.DataChannelMessage) {
		c, err := wire.DecodeStillChunk(m.Data)
		if err != nil {
			s.c.log.Warn("relay sent what cannot be read", "channel", wire.ChannelStill, "error", err)
			return
		}
		var whole []byte
		if coming, whole = collect(coming, c); whole != nil {
			s.shows(whole)
		}
	})
	ch.OnClose(func() { s.fail(fmt.Errorf("data channel %s was closed", wire.ChannelStill)) })
	return nil
}

// collect puts a chunk to the others of its still, and returns the still when it is whole.
func collect(coming []*still, c wire.StillChunk) (left []*still, whole []byte) {
	i := slices.IndexFunc(coming, func(s *still) bool { return s.number == c.Still })
	if i < 0 {
		if len(coming) == maxStills {
			coming = coming[1:]
		}
		coming = append(coming, &still{number: c.Still, parts: make([][]byte, c.Count), missed: int(c.Count)})
		i = len(coming) - 1
	}
	s := coming[i]
	if int(c.Index) >= len(s.parts) || s.parts[c.Index] != nil {
		return coming, nil
	}
	s.parts[c.Index] = append(make([]byte, 0, len(c.Data)), c.Data...)
	if s.missed--; s.missed > 0 {
		return coming, nil
	}
	return slices.Delete(coming, i, i+1), slices.Concat(s.parts...)
}

// shows hands a still to the reader of its track, as the frame that it is.
func (s *session) shows(whole []byte) {
	head, frame, err := wire.ParseStill(whole)
	if err != nil {
		s.c.log.Warn("relay sent what cannot be read", "channel", wire.ChannelStill, "error", err)
		return
	}
	s.mu.Lock()
	var track *RemoteTrack
	for _, slot := range s.slots {
		if t := slot.get(); t != nil && t.Participant == head.Participant && t.Name == head.Name && t.Codec == head.Codec {
			track = t
		}
	}
	s.mu.Unlock()
	if track != nil && head.Captured > track.newest.Load() { // nobody goes back in time
		track.put(media.Unit{Data: frame, Captured: head.Captured, Key: true})
	}
}
