package sfu

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// PeerConfig is what a Peer needs. The callbacks are called from goroutines of the peer's and must not
// block, but for OnMessage, which holds up its own data channel only.
type PeerConfig struct {
	Participant string // whose it is
	Settings    webrtc.SettingEngine
	// Rewrite changes an offer before it leaves, to say where the relay is reached; nil leaves it.
	Rewrite func(sdp string) string
	Log     *slog.Logger
	Now     func() time.Time
	Pool    *Pool

	Send      func(wire.Signal)                 // an offer for the signalling socket
	OnUp      func(*Up)                         // a track has begun; it ends when its Done is closed
	OnOpen    func()                            // the log channel is open
	OnMessage func(channel string, data []byte) // on a data channel
	OnFail    func(error)                       // the peer is of no more use
}

// Peer is one participant's PeerConnection: what it publishes, what it receives, its data channels. One
// goroutine owns the negotiation; the methods hand it work.
type Peer struct {
	cfg PeerConfig
	pc  *webrtc.PeerConnection
	log *webrtc.DataChannel
	// Lossy channels by label.
	lossy map[string]*webrtc.DataChannel

	work  chan func()
	stop  chan struct{}
	once  sync.Once
	tasks sync.WaitGroup

	dropped atomic.Int64
	drained chan struct{} // a token when the log channel has room again

	// Owned by loop.
	began    bool // the client has said what it publishes
	offering bool
	dirty    bool
	offered  time.Time
	ups      []upSlot
	slots    []*downSlot

	mu    sync.Mutex
	names map[string]wire.SignalTrack // of up sections, by mid
	ended bool
}

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

// answerTime is how long an answer is waited for.
const answerTime = 10 * time.Second

// NewPeer opens a PeerConnection. Nothing is offered before the first Publish.
func NewPeer(cfg PeerConfig) (*Peer, error) {
	api, err := media.NewAPI(cfg.Settings)
	if err != nil {
		return nil, err
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, fmt.Errorf("open a peer connection: %w", err)
	}
	p := &Peer{cfg: cfg, pc: pc, lossy: map[string]*webrtc.DataChannel{}, work: make(chan func(), 64),
		stop: make(chan struct{}), drained: make(chan struct{}, 1), names: map[string]wire.SignalTrack{}}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateFailed || s == webrtc.PeerConnectionStateClosed {
			cfg.OnFail(fmt.Errorf("media path is %s", s))
		}
	})
	pc.OnTrack(p.onTrack)
	if err := p.openChannels(); err != nil {
		_ = pc.Close()
		return nil, err
	}
	p.spawn(p.loop)
	return p, nil
}

// Close ends the connection and everything that runs for it.
func (p *Peer) Close() {
	p.once.Do(func() {
		close(p.stop)
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
		_ = p.pc.GracefulClose()
		p.tasks.Wait()
		for _, s := range p.slots {
			s.down.detach()
		}
	})
}

// spawn starts a task, unless the peer is closed, and says whether it did.
func (p *Peer) spawn(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return false
	}
	p.tasks.Add(1)
	go func() {
		defer p.tasks.Done()
		f()
	}()
	return true
}

func (p *Peer) do(f func()) {
	select {
	case p.work <- f:
	case <-p.stop:
	}
}

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
		p.cfg.OnFail(fmt.Errorf("take track %q: %w", t.Name, err))
		return
	}
	p.ups = append(p.ups, upSlot{wire.SignalTrack{Name: t.Name, Kind: t.Kind, Up: true}, tr})
}

// Subscribe begins to send a track to this participant.
func (p *Peer) Subscribe(u *Up) {
	p.do(func() {
		i := slices.IndexFunc(p.slots, func(s *downSlot) bool { return s.up == nil && s.down.codec == u.Codec })
		if i < 0 {
			if i = p.addSlot(u.Codec); i < 0 {
				return
			}
		}
		p.slots[i].up = u
		p.dirty = true
	})
}

// addSlot makes a media section for a codec.
func (p *Peer) addSlot(codec string) int {
	down := newDown(codec, fmt.Sprintf("slot-%d", len(p.slots)), &p.dropped)
	tr, err := p.pc.AddTransceiverFromTrack(down, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		p.cfg.Log.Error("cannot send a track", "codec", codec, "error", err)
		return -1
	}
	p.slots = append(p.slots, &downSlot{down: down, transceiver: tr})
	p.spawn(func() { down.run(p.stop) })
	p.spawn(func() { down.feedback(tr.Sender()) })
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
			p.cfg.OnFail(&SDPError{err})
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
	for _, s := range p.slots {
		if s.up != nil && !s.attached && s.transceiver.Mid() != "" {
			s.attached = true
			s.down.attach(s.up)
		}
	}
	return nil
}

// loop owns the negotiation: one offer at a time, and a new one when something has changed meanwhile.
func (p *Peer) loop() {
	tick := time.NewTicker(answerTime / 4)
	defer tick.Stop()
	for {
		select {
		case f := <-p.work:
			f()
		case <-tick.C:
			if p.offering && p.cfg.Now().Sub(p.offered) > answerTime {
				p.cfg.OnFail(errors.New("no answer to the offer"))
			}
		case <-p.stop:
			return
		}
		if p.began && p.dirty && !p.offering {
			p.dirty = false
			if err := p.offer(); err != nil {
				p.cfg.OnFail(err)
			}
		}
	}
}

func (p *Peer) offer() error {
	offer, err := p.pc.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("make an offer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(offer); err != nil {
		return fmt.Errorf("make an offer: %w", err)
	}
	select {
	case <-gathered:
	case <-p.stop:
		return nil
	}
	sdp := p.pc.LocalDescription().SDP
	if p.cfg.Rewrite != nil {
		sdp = p.cfg.Rewrite(sdp)
	}
	p.offering, p.offered = true, p.cfg.Now()
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

// Dropped returns how many packets this participant was too slow for.
func (p *Peer) Dropped() int64 { return p.dropped.Load() }
