package sfu

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"sightline/relay/wire"
)

// Guest is the connection of a program that makes the offer itself and speaks WHIP, to publish, or WHEP,
// to watch. It is offered once; only its network path changes later.
type Guest struct {
	*link
	want func(*Up) int // nil for who publishes

	// Under mu.
	slots []*guestSlot
	ups   []*Up // what there is to watch, in order of appearance
	live  bool  // media can flow
}

type guestSlot struct {
	down *Down
	up   *Up
}

// OfferError says why an offer is not taken.
type OfferError struct{ err error }

func (e *OfferError) Error() string { return e.err.Error() }
func (e *OfferError) Unwrap() error { return e.err }

// Ingest takes an offer to publish and returns the answer.
func Ingest(cfg LinkConfig, offer string) (*Guest, string, error) {
	names, sizes, err := offeredTracks(offer)
	if err != nil {
		return nil, "", &OfferError{err}
	}
	l, err := newLink(cfg)
	if err != nil {
		return nil, "", err
	}
	g := &Guest{link: l}
	l.pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		for _, t := range l.pc.GetTransceivers() {
			if name := names[t.Mid()]; t.Receiver() == receiver && name != "" {
				var of sized
				if rid := remote.RID(); rid != "" {
					of = sized{names: sizes[t.Mid()], rank: slices.Index(sizes[t.Mid()], rid)}
				}
				l.take(remote, receiver, name, of)
			}
		}
	})
	answer, err := g.answer(offer)
	return g.opened(answer, err)
}

// Egress takes an offer to watch and returns the answer. want says how gladly each track is watched, the
// greatest first, below 0 not at all; each section of the offer carries one track. share is how large pictures are
// shown, of their full size.
func Egress(cfg LinkConfig, offer string, want func(*Up) int, share float64) (*Guest, string, error) {
	kinds, err := offeredSlots(offer)
	if err != nil {
		return nil, "", &OfferError{err}
	}
	l, err := newLink(cfg)
	if err != nil {
		return nil, "", err
	}
	g := &Guest{link: l, want: want}
	for i, kind := range kinds {
		if err := g.addSlot(fmt.Sprintf("slot-%d", i), webrtc.NewRTPCodecType(kind)); err != nil {
			return g.opened("", err)
		}
		g.slots[i].down.Want(share)
	}
	answer, err := g.answer(offer)
	return g.opened(answer, err)
}

func (g *Guest) addSlot(id string, kind webrtc.RTPCodecType) error {
	down, _, err := g.carry("", kind, id)
	if err == nil {
		g.slots = append(g.slots, &guestSlot{down: down})
	}
	return err
}

// opened begins to serve the guest, or closes what could not be opened.
func (g *Guest) opened(answer string, err error) (*Guest, string, error) {
	if err != nil {
		g.Close()
		return nil, "", err
	}
	g.spawn(func() {
		select {
		case <-g.connected:
			g.mu.Lock()
			g.live = true
			g.mu.Unlock()
			g.choose()
		case <-g.stop:
		}
	})
	return g, answer, nil
}

func (g *Guest) answer(offer string) (string, error) {
	if err := g.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", &OfferError{err}
	}
	answer, err := g.pc.CreateAnswer(nil)
	if err != nil {
		return "", &OfferError{err}
	}
	return g.describe(answer)
}

// Connected is closed when media can flow.
func (g *Guest) Connected() <-chan struct{} { return g.connected }

// Close ends the connection and everything that runs for it.
func (g *Guest) Close() { g.close() }

// Subscribe offers a track to be watched.
func (g *Guest) Subscribe(u *Up) {
	if g.want == nil || g.want(u) < 0 {
		return
	}
	g.mu.Lock()
	g.ups = append(g.ups, u)
	g.mu.Unlock()
	g.choose()
}

// Unsubscribe takes a track away; another may take its place.
func (g *Guest) Unsubscribe(u *Up) {
	g.mu.Lock()
	g.ups = slices.DeleteFunc(g.ups, func(x *Up) bool { return x == u })
	for _, s := range g.slots {
		if s.up == u {
			s.down.detach()
			s.up = nil
		}
	}
	g.mu.Unlock()
	g.choose()
}

// choose fills the idle slots with the most wanted tracks that are not shown yet.
func (g *Guest) choose() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.live || g.ended {
		return
	}
	for _, s := range g.slots {
		if s.up != nil {
			continue
		}
		var best *Up
		for _, u := range g.ups {
			shown := slices.ContainsFunc(g.slots, func(o *guestSlot) bool { return o.up == u })
			if !shown && u.Kind == s.down.kind.String() && s.down.takes(u.Codec) && (best == nil || g.want(u) > g.want(best)) {
				best = u
			}
		}
		if best != nil {
			s.up = best
			s.down.attach(best)
		}
	}
}

// offeredTracks names the tracks of an offer to publish, and the layers of those that are sent in several sizes, by media
// section.
func offeredTracks(offer string) (names map[string]string, sizes map[string][]string, err error) {
	names, sizes = map[string]string{}, map[string][]string{}
	count := map[string]int{}
	err = sections(offer, func(m *sdp.MediaDescription, mid string, sends, _ bool) {
		if !sends {
			return
		}
		kind := m.MediaName.Media
		if simulcast, has := m.Attribute("simulcast"); has {
			sizes[mid] = rids(simulcast)
		}
		name := map[string]string{wire.Video: "camera", wire.Audio: "microphone"}[kind]
		if count[kind]++; count[kind] > 1 {
			name = fmt.Sprintf("%s-%d", name, count[kind])
		}
		names[mid] = name
	})
	switch {
	case err != nil:
		return nil, nil, err
	case len(names) == 0:
		return nil, nil, errors.New("the offer sends nothing: want a video or audio section that is sendonly")
	case len(names) > wire.MaxTracks:
		return nil, nil, fmt.Errorf("the offer sends %d tracks, at most %d are taken", len(names), wire.MaxTracks)
	}
	return names, sizes, nil
}

// offeredSlots lists the kinds of the sections of an offer to watch.
func offeredSlots(offer string) (kinds []string, err error) {
	err = sections(offer, func(m *sdp.MediaDescription, _ string, _, receives bool) {
		if receives {
			kinds = append(kinds, m.MediaName.Media)
		}
	})
	switch {
	case err != nil:
		return nil, err
	case len(kinds) == 0:
		return nil, errors.New("the offer receives nothing: want a video or audio section that is recvonly")
	case len(kinds) > wire.MaxTracks:
		return nil, fmt.Errorf("the offer receives %d tracks, at most %d are given", len(kinds), wire.MaxTracks)
	}
	return kinds, nil
}

// sections calls fn for each video and audio section of a description.
func sections(description string, fn func(m *sdp.MediaDescription, mid string, sends, receives bool)) error {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(description); err != nil {
		return fmt.Errorf("the offer is not SDP: %w", err)
	}
	for _, m := range d.MediaDescriptions {
		kind := m.MediaName.Media
		if kind != wire.Video && kind != wire.Audio {
			continue
		}
		mid, ok := m.Attribute("mid")
		if !ok || strings.TrimSpace(mid) == "" {
			return errors.New("the offer has a section without a mid")
		}
		has := func(direction string) bool { _, ok := m.Attribute(direction); return ok }
		one := has("sendonly") || has("recvonly") || has("inactive")
		fn(m, mid, has("sendonly") || !one, has("recvonly") || !one)
	}
	return nil
}
