package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// session is one connection to the relay, from its first word until it breaks: the signalling socket and
// one PeerConnection. Client.run owns it.
type session struct {
	c       *Client
	ws      *websocket.Conn
	waiting string // in the lobby: the relay's words; empty once it has said welcome

	ctx   context.Context
	fail  context.CancelCauseFunc
	tasks sync.WaitGroup

	pc                 *webrtc.PeerConnection
	log, pose, pointer *webrtc.DataChannel
	uplink             uplink
	sends              chan []string // what the relay is to hear of the sizes that the way to it bears
	shown              chan struct{} // a token when the relay is to hear how large pictures are shown

	mu       sync.Mutex
	slots    map[string]*slot // by media section
	ended    bool             // no more tasks begin
	lastPong time.Time
}

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

// live runs the session until it breaks or ctx ends, and returns why. Everything it started has ended
// when it returns.
func (s *session) live(ctx context.Context) error {
	s.ctx, s.fail = context.WithCancelCause(ctx)
	defer s.end()
	if err := s.openPeer(); err != nil {
		return err
	}
	s.spawn(s.readSignals)
	s.spawn(s.pingSocket)
	s.spawn(s.pingMedia)
	if err := s.send(s.publication()); err != nil {
		return err
	}
	s.spawn(s.tellSends)
	s.spawn(s.tellShown)
	<-s.ctx.Done()
	if ctx.Err() != nil {
		return errLeft
	}
	return context.Cause(s.ctx)
}

func (s *session) end() {
	left := s.c.ctx.Err() != nil
	s.c.outbox.shut(s)
	s.fail(errLeft)
	if left {
		s.goodbye()
	}
	_ = s.ws.CloseNow()
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
func (s *session) goodbye() {
	late := time.AfterFunc(goodbyeTime, func() { _ = s.ws.CloseNow() })
	defer late.Stop()
	_ = s.ws.Close(websocket.StatusNormalClosure, "left")
}

func (s *session) spawn(f func()) {
	s.tasks.Add(1)
	go func() {
		defer s.tasks.Done()
		f()
	}()
}

func (s *session) openPeer() error {
	var settings webrtc.SettingEngine
	settings.SetICETimeouts(iceLost, iceFailed, iceKeep)
	settings.SetIncludeLoopbackCandidate(true)
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
		if state == webrtc.PeerConnectionStateFailed || state == webrtc.PeerConnectionStateClosed {
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

// pingSocket notices a relay that no longer answers on the socket.
func (s *session) pingSocket() {
	for s.pause(pingEvery) {
		// A context that ends while the socket is written to would end the socket, before the goodbye.
		ctx, cancel := context.WithTimeout(context.Background(), silence)
		stop := context.AfterFunc(s.ctx, cancel)
		err := s.ws.Ping(ctx)
		stop()
		cancel()
		if err != nil {
			s.fail(fmt.Errorf("relay does not answer: %w", err))
			return
		}
	}
}

// pause waits, and says whether the session still lives.
func (s *session) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}
