package client

import (
	"slices"
	"sync"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// slot is a media section that the relay sends on: it outlives the tracks it carries.
type slot struct {
	mu    sync.Mutex
	track *RemoteTrack // nil while idle
}

func (s *slot) assign(t *RemoteTrack) {
	s.mu.Lock()
	old := s.track
	s.track = t
	s.mu.Unlock()
	if old != nil {
		old.close()
	}
}

func (s *slot) get() *RemoteTrack {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.track
}

// assignSlots makes the slots carry what an offer's table says and returns the tracks that are new.
func (s *session) assignSlots(tracks []wire.SignalTrack) []*RemoteTrack {
	s.mu.Lock()
	defer s.mu.Unlock()
	var fresh []*RemoteTrack
	listed := map[string]bool{}
	for _, t := range tracks {
		if t.Up {
			continue
		}
		listed[t.MID] = true
		slot := s.slot(t.MID)
		if now := slot.get(); now != nil && now.Participant == t.Participant && now.Name == t.Name && now.Codec == t.Codec {
			continue
		}
		track := newRemoteTrack(s, t)
		slot.assign(track)
		fresh = append(fresh, track)
	}
	for mid, slot := range s.slots {
		if !listed[mid] {
			slot.assign(nil)
		}
	}
	return fresh
}

// slot returns the slot of a media section. The caller holds mu.
func (s *session) slot(mid string) *slot {
	if s.slots[mid] == nil {
		s.slots[mid] = &slot{}
	}
	return s.slots[mid]
}

// onTrack is called by pion, on a goroutine of its own, with the first packet on a media section. It
// reads until the connection ends.
func (s *session) onTrack(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	all := s.pc.GetTransceivers()
	i := slices.IndexFunc(all, func(t *webrtc.RTPTransceiver) bool { return t.Receiver() == receiver })
	if i < 0 {
		return
	}
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	slot := s.slot(all[i].Mid())
	s.tasks.Add(2)
	s.mu.Unlock()
	extension := media.ExtensionID(receiver.GetParameters().HeaderExtensions, wire.AbsCaptureTimeURI)
	go func() { // receiver reports and the like: pion acts on them when they are read
		defer s.tasks.Done()
		for buf := make([]byte, 1500); ; {
			if _, _, err := receiver.Read(buf); err != nil {
				return
			}
		}
	}()
	defer s.tasks.Done()
	for {
		data := make([]byte, 1500)
		n, _, err := remote.Read(data)
		if err != nil {
			return
		}
		p := &rtp.Packet{}
		if p.Unmarshal(data[:n]) != nil {
			continue
		}
		if t := slot.get(); t != nil {
			t.push(p, extension, s.c.cfg.Now())
		}
	}
}
