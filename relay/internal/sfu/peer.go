package sfu

import (
	"fmt"
	"log/slog"
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

// Dropped returns how many packets this participant was too slow for.
func (p *Peer) Dropped() int64 { return p.dropped.Load() }
