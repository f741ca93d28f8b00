package sfu

import (
	"time"

	"github.com/pion/webrtc/v4"

	"sightline/relay/wire"
)

// PeerConfig is what a Peer needs. The callbacks must not block, but for OnMessage, which holds up its own
// data channel only.
type PeerConfig struct {
	LinkConfig
	Send      func(wire.Signal)                 // an offer for the signalling socket
	OnOpen    func()                            // the log channel is open
	OnMessage func(channel string, data []byte) // on a data channel
}

// Peer is a full participant's PeerConnection: what it publishes, what it receives, its data channels. The
// relay makes the offers. One goroutine owns the negotiation; the methods hand it work.
type Peer struct {
	*link
	cfg PeerConfig
	log *webrtc.DataChannel
	// Lossy channels by label.
	lossy        map[string]*webrtc.DataChannel
	stillChannel *webrtc.DataChannel

	work    chan func()
	drained chan struct{} // a token when the log channel has room again

	// Owned by loop.
	began    bool // the client has said what it publishes
	offering bool
	dirty    bool
	restart  bool // the next offer is for a new network path
	offered  time.Time
	ups      []upSlot
	slots    []*downSlot
	wishes   map[[2]string]wish // by participant and track

	restarting bool // the offer that is out is

	names map[string]wire.SignalTrack // of up sections, by mid; under mu
	sizes map[string][]string         // the tracks that are one picture, by the largest's name, that one first; under mu
}

// NewPeer opens a PeerConnection. Nothing is offered before the first Publish.
func NewPeer(cfg PeerConfig) (*Peer, error) {
	cfg.OnWanted = func(names []string) { cfg.Send(wire.Signal{Type: wire.SignalWanted, Names: names}) }
	l, err := newLink(cfg.LinkConfig)
	if err != nil {
		return nil, err
	}
	p := &Peer{link: l, cfg: cfg, lossy: map[string]*webrtc.DataChannel{}, work: make(chan func(), 64),
		drained: make(chan struct{}, 1), names: map[string]wire.SignalTrack{}, wishes: map[[2]string]wish{},
		sizes: map[string][]string{}}
	p.pc.OnTrack(p.onTrack)
	if err := p.openChannels(); err != nil {
		l.close()
		return nil, err
	}
	p.spawn(p.loop)
	return p, nil
}

// Close ends the connection and everything that runs for it.
func (p *Peer) Close() { p.close() }

func (p *Peer) do(f func()) {
	select {
	case p.work <- f:
	case <-p.stop:
	}
}
