package sfu

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pion/webrtc/v4"

	"sightline/relay/wire"
)

type upSlot struct {
	track       wire.SignalTrack
	transceiver *webrtc.RTPTransceiver
}

type downSlot struct {
	down        *Down
	transceiver *webrtc.RTPTransceiver
	up          *Up // what it is to carry; nil while idle
	attached    bool
}

// answerTime is how long an answer is waited for, also where the socket is lost meanwhile and the offer said again on the
// next one.
const answerTime = 30 * time.Second

// Publish takes the tracks that the client will send.
func (p *Peer) Publish(tracks []wire.SignalTrack) {
	p.do(func() {
		for _, t := range tracks {
			if len(p.ups) < wire.MaxTracks && !slices.ContainsFunc(p.ups, func(u upSlot) bool { return u.track.Name == t.Name }) {
				p.addUp(t)
			}
		}
		p.began, p.dirty = true, true
	})
}

func (p *Peer) addUp(t wire.SignalTrack) {
	tr, err := p.pc.AddTransceiverFromKind(webrtc.NewRTPCodecType(t.Kind),
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	if err != nil {
		p.OnFail(fmt.Errorf("take track %q: %w", t.Name, err))
		return
	}
	p.ups = append(p.ups, upSlot{wire.SignalTrack{Name: t.Name, Kind: t.Kind, Of: t.Of, Up: true}, tr})
	p.mu.Lock()
	defer p.mu.Unlock()
	if head := cmp.Or(t.Of, t.Name); len(p.sizes[head]) < maxLayers {
		p.sizes[head] = append(p.sizes[head], t.Name)
	}
}

// Restart offers a new network path (RFC 8445, section 9), once the offer that is out is answered, unless that is for one.
func (p *Peer) Restart() {
	p.do(func() {
		if p.offering && p.restarting || !p.offering && p.pc.CurrentRemoteDescription() == nil { // or there was no path yet
			return
		}
		p.restart, p.dirty = true, true
	})
}

// Alive says whether the network path carries something.
func (p *Peer) Alive() bool { return p.pc.ConnectionState() == webrtc.PeerConnectionStateConnected }

// Subscribe begins to send a track to this participant.
func (p *Peer) Subscribe(u *Up) {
	p.do(func() {
		i := slices.IndexFunc(p.slots, func(s *downSlot) bool { return s.up == nil && s.down.codec == u.Codec })
		if i < 0 {
			if i = p.addSlot(u.Kind, u.Codec); i < 0 {
				return
			}
		}
		p.slots[i].up = u
		p.dirty = true
	})
}

// addSlot makes a media section for a codec.
func (p *Peer) addSlot(kind, codec string) int {
	down, tr, err := p.carry(codec, webrtc.NewRTPCodecType(kind), fmt.Sprintf("slot-%d", len(p.slots)))
	if err != nil {
		p.Log.Error("cannot send a track", "codec", codec, "error", err)
		return -1
	}
	p.slots = append(p.slots, &downSlot{down: down, transceiver: tr})
	return len(p.slots) - 1
}

// Unsubscribe ends sending a track.
func (p *Peer) Unsubscribe(u *Up) {
	p.do(func() {
		for _, s := range p.slots {
			if s.up == u {
				s.down.detach()
				s.up, s.attached = nil, false
				p.dirty = true
			}
		}
	})
}

// Answer takes the client's answer to the offer.
func (p *Peer) Answer(sdp string) {
	p.do(func() {
		if err := p.answer(sdp); err != nil {
			p.OnFail(&SDPError{err})
		}
	})
}

// SDPError says that a client's answer cannot be.
type SDPError struct{ err error }

func (e *SDPError) Error() string { return "answer does not fit the offer: " + e.err.Error() }
func (e *SDPError) Unwrap() error { return e.err }

var errNoOffer = errors.New("there is no offer to answer")

func (p *Peer) answer(sdp string) error {
	if !p.offering {
		return errNoOffer
	}
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		return err
	}
	p.offering = false
	p.attach()
	return nil
}

// attach lets the slots carry what they are to carry, as far as it is negotiated and media can flow.
func (p *Peer) attach() {
	select {
	case <-p.connected:
	default:
		return // loop comes here again
	}
	for _, s := range p.slots {
		if s.up != nil && !s.attached && s.transceiver.Mid() != "" && !p.offering {
			s.attached = true
			s.down.wants(p.wishes[[2]string{s.up.Participant, s.up.Name}])
			s.down.attach(s.up)
		}
	}
}

// loop owns the negotiation: one offer at a time, and a new one when something has changed meanwhile.
func (p *Peer) loop() {
	tick := time.NewTicker(answerTime / 4)
	defer tick.Stop()
	connected := p.connected
	for {
		select {
		case f := <-p.work:
			f()
		case <-connected:
			connected = nil
			p.attach()
		case <-tick.C:
			if p.offering && p.Now().Sub(p.offered) > answerTime {
				p.OnFail(errors.New("no answer to the offer"))
			}
		case <-p.stop:
			return
		}
		if p.began && p.dirty && !p.offering {
			p.dirty = false
			if err := p.offer(); err != nil {
				p.OnFail(err)
			}
		}
	}
}

func (p *Peer) offer() error {
	offer, err := p.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: p.restart})
	p.restarting, p.restart = p.restart, false
	if err != nil {
		return fmt.Errorf("make an offer: %w", err)
	}
	sdp, err := p.describe(offer)
	if errors.Is(err, ErrClosed) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make an offer: %w", err)
	}
	p.offering, p.offered = true, p.Now()
	p.cfg.Send(wire.Signal{Type: wire.SignalOffer, SDP: sdp, Tracks: p.table()})
	return nil
}

// table says what the media sections of an offer are.
func (p *Peer) table() []wire.SignalTrack {
	var table []wire.SignalTrack
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.ups {
		u.track.MID = u.transceiver.Mid()
		p.names[u.track.MID] = u.track
		table = append(table, u.track)
	}
	for _, s := range p.slots {
		if s.up != nil {
			table = append(table, wire.SignalTrack{MID: s.transceiver.Mid(), Participant: s.up.Participant,
				Name: s.up.Name, Kind: s.up.Kind, Codec: s.up.Codec})
		}
	}
	return table
}
