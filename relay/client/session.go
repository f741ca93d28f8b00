package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/media"
	"sightline/relay/internal/replay"
	"sightline/relay/wire"
)

// session is what the relay calls one: a PeerConnection, and one signalling socket after another. It lasts from the
// relay's first word until nothing can be resumed any more. Client.run owns it.
type session struct {
	c       *Client
	dialled dialled       // the first socket
	waiting string        // in the lobby: the relay's words; empty once it has said welcome
	id      string        // by which the relay keeps it; empty: it does not
	keep    time.Duration // how long, without a socket

	out  replay.Out
	in   replay.In
	lost chan error // why the socket was lost

	ctx   context.Context
	fail  context.CancelCauseFunc
	tasks sync.WaitGroup

	pc                 *webrtc.PeerConnection
	log, pose, pointer *webrtc.DataChannel
	made               atomic.Bool // the channels are there: the session is the client's a moment before
	uplink             uplink
	sends              chan []string // what the relay is to hear of the sizes that the way to it bears
	shown              chan struct{} // a token when the relay is to hear how large pictures are shown

	mu       sync.Mutex
	slots    map[string]*slot // by media section
	ended    bool             // no more tasks begin
	socket   *socket          // nil between two
	moved    func()           // hears that the network has changed; may be nil
	lastPong time.Time
	suspect  time.Time // when the network has changed
	pathGone bool      // the path's address is not this machine's any more
	wish     time.Time // when a new path was asked for
	attached time.Time // since when there is this socket

	health sync.Mutex    // held during what is said of the path
	ill    time.Time     // since when the path carries nothing; zero: it does
	doubt  chan struct{} // a token when the path has to prove itself

	trying atomic.Bool // what could not be written is sent again soon
}

// maxSaid is how many signals wait to be heard.
const maxSaid = 64

// Times of a session. The relay or the network is missed after silence; all below five seconds.
const (
	pingEvery   = time.Second
	silence     = 3500 * time.Millisecond
	joinTime    = 10 * time.Second // for the first answer of the media path
	iceLost     = 2 * time.Second
	iceFailed   = 2 * time.Second
	iceKeep     = 500 * time.Millisecond
	sendTimeout = 4 * time.Second
	goodbyeTime = time.Second
)

var errLeft = errors.New("the client was closed")

// live runs the session until it breaks or ctx ends, and returns why, or the session that the relay has begun in its
// place. Everything it started has ended when it returns.
func (s *session) live(ctx context.Context) (next *session, err error) {
	s.ctx, s.fail = context.WithCancelCause(ctx)
	defer s.end()
	if err := s.openPeer(); err != nil {
		return nil, err
	}
	if err := errors.Join(s.say(s.publication()), s.attach(s.dialled, 0)); err != nil {
		return nil, err
	}
	s.spawn(s.pingMedia)
	s.spawn(s.watchNetwork)
	s.spawn(s.tellSends)
	s.spawn(s.tellShown)
	for {
		select {
		case why := <-s.lost:
			if next, err := s.comeBack(why); next != nil || err != nil {
				return next, err
			}
		case <-s.ctx.Done():
			if ctx.Err() != nil {
				return nil, errLeft
			}
			return nil, context.Cause(s.ctx)
		}
	}
}

func (s *session) end() {
	left := s.c.ctx.Err() != nil
	s.c.outbox.shut(s)
	s.fail(errLeft)
	s.mu.Lock()
	last := s.socket
	s.mu.Unlock()
	if last != nil && left {
		last.goodbye()
	}
	if last != nil {
		_ = last.ws.CloseNow()
	} else {
		_ = s.dialled.ws.CloseNow()
	}
	for _, t := range s.c.local {
		t.unbind("")
	}
	s.mu.Lock()
	s.ended = true
	for _, slot := range s.slots {
		slot.assign(nil)
	}
	s.mu.Unlock()
	if s.pc != nil {
		_ = s.pc.GracefulClose()
	}
	s.tasks.Wait()
}

// goodbye closes the socket in order, so that the relay knows that this client left and was not lost.
func (k *socket) goodbye() {
	late := time.AfterFunc(goodbyeTime, func() { _ = k.ws.CloseNow() })
	defer late.Stop()
	_ = k.ws.Close(websocket.StatusNormalClosure, "left")
}

// spawn starts a task, unless the session has ended.
func (s *session) spawn(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.tasks.Add(1)
	go func() {
		defer s.tasks.Done()
		f()
	}()
}

func (s *session) openPeer() error {
	var settings webrtc.SettingEngine
	settings.SetICETimeouts(iceLost, iceFailed, iceKeep)
	if s.id != "" {
		settings.SetICETimeouts(iceLost, keepsPath, iceKeep)
		settings.SetICEMaxBindingRequests(math.MaxUint16) // a new path may be asked for before anything gets through
	}
	settings.SetIncludeLoopbackCandidate(true)
	fresh, err := newFreshNet()
	if err != nil {
		return fmt.Errorf("networks of this machine: %w", err)
	}
	settings.SetNet(fresh)
	if s.c.cfg.Settings != nil {
		s.c.cfg.Settings(&settings)
	}
	api, err := media.NewAPI(settings, &s.uplink.numbers, s.c.cfg.Now)
	if err != nil {
		return err
	}
	if s.pc, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return fmt.Errorf("open a peer connection: %w", err)
	}
	s.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			s.uplink.moved(s.c.cfg.Now())
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			s.fail(fmt.Errorf("media path to the relay is %s", state))
		}
	})
	s.pc.OnTrack(s.onTrack)
	if err := s.openChannels(); err != nil {
		return err
	}
	return s.addLocal()
}

// addLocal adds the published tracks, in the order of the publication: the relay's sections of a kind
// come in that order, and pion takes them so.
func (s *session) addLocal() error {
	for _, t := range s.c.cfg.Publish {
		local := s.c.local[t.Name]
		local.start()
		s.uplink.tracks = append(s.uplink.tracks, local)
		transceiver, err := s.pc.AddTransceiverFromTrack(sending{local},
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return fmt.Errorf("add track %q: %w", t.Name, err)
		}
		s.spawn(func() { local.feedback(transceiver.Sender(), func(f *rtcp.TransportLayerCC) { s.heard(f) }) })
	}
	return nil
}

func (s *session) publication() wire.Signal {
	m := wire.Signal{Type: wire.SignalPublish}
	for _, t := range s.c.cfg.Publish {
		m.Tracks = append(m.Tracks, wire.SignalTrack{Name: t.Name, Kind: t.Kind, Of: t.Of})
	}
	return m
}

// pause waits, and says whether the session still lives.
func (s *session) pause(d time.Duration) bool { return s.pauseUntil(d, nil) }

// pauseUntil ends also with a token.
func (s *session) pauseUntil(d time.Duration, token <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-token:
		return true
	case <-s.ctx.Done():
		return false
	}
}
