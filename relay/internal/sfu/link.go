package sfu

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/congestion"
	"sightline/relay/internal/direct"
	"sightline/relay/internal/media"
)

// LinkConfig is what a PeerConnection needs, whoever makes the offers. The callbacks are called from
// goroutines of the connection's and must not block.
type LinkConfig struct {
	Participant string // whose it is
	Role        string
	Settings    webrtc.SettingEngine
	Alive       time.Duration // how often pion has to hear of the far end to know that the path lives
	Ports       direct.Ports
	// Rewrite changes a description before it leaves, to say where the relay is reached; nil leaves it.
	Rewrite func(sdp string) string
	Log     *slog.Logger
	Now     func() time.Time
	Pool    *Pool
	// Flush sends what was written to the socket since; nil where it sends by itself.
	Flush func()

	OnUp   func(*Up)   // a track has begun; it ends when its Done is closed
	OnFail func(error) // the connection is of no more use
	OnRung OnRung      // may be nil
	// OnWanted hears which of the sizes that a publisher makes as they are asked for somebody takes; may be nil.
	OnWanted func(names []string)
}

// link is a PeerConnection and the tasks that run for it.
type link struct {
	LinkConfig
	began     time.Time
	pc        *webrtc.PeerConnection
	tap       *direct.Tap
	connected chan struct{} // closed when media can flow for the first time

	stop    chan struct{}
	closing sync.Once
	tasks   sync.WaitGroup
	seen    atomic.Int64 // when pion last saw RTCP, unix ms
	resent  atomic.Int64 // packets that the receiver missed

	hearing  sync.Mutex
	estimate congestion.Estimator
	numbers  congestion.Numbers
	arrivals sync.Mutex
	arrived  *twcc.Recorder
	changed  chan struct{} // a token when upkeep has more to do

	still  func(chunk []byte) bool // sends a chunk of a still, or says that it has to wait; nil where there is no way
	stills atomic.Uint32           // their numbers

	mu    sync.Mutex
	faces map[string]*layers // by the track's name
	ended bool
	told  []string // of the sizes that are wanted; upkeep's
	ups   []*Up    // replaced, never changed; so is downs
	downs []*Down
}

func newLink(cfg LinkConfig) (*link, error) {
	l := &link{LinkConfig: cfg, began: cfg.Now(), connected: make(chan struct{}), stop: make(chan struct{}),
		arrived: twcc.NewRecorder(ownSSRC), changed: make(chan struct{}, 1)}
	tap := direct.New(&cfg.Settings, cfg.Ports, l.intercept)
	api, err := media.NewRelayAPI(cfg.Settings)
	if err != nil {
		return nil, err
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, fmt.Errorf("open a peer connection: %w", err)
	}
	l.tap, l.pc = tap, pc
	pc.SCTP().Transport().OnStateChange(func(s webrtc.DTLSTransportState) {
		if s != webrtc.DTLSTransportStateConnected {
			return
		}
		if err := tap.Open(); err != nil {
			cfg.OnFail(fmt.Errorf("open the media path: %w", err))
		}
	})
	l.spawn(l.upkeep)
	var once sync.Once
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			once.Do(func() { close(l.connected) })
			l.moved()
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			cfg.OnFail(fmt.Errorf("media path is %s", s))
		}
	})
	return l, nil
}

// close ends the connection and everything that runs for it.
func (l *link) close() {
	l.closing.Do(func() {
		close(l.stop)
		l.mu.Lock()
		l.ended = true
		l.mu.Unlock()
		l.tap.Close()
		_ = l.pc.GracefulClose()
		l.tasks.Wait()
		for _, d := range l.downs {
			d.close()
		}
	})
}

// spawn starts a task, unless the link is closed, and says whether it did.
func (l *link) spawn(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	l.tasks.Add(1)
	go func() {
		defer l.tasks.Done()
		f()
	}()
	return true
}

// Resent returns how many packets this participant asked for again.
func (l *link) Resent() int64 { return l.resent.Load() }

// Dropped returns how many packets could not be written.
func (l *link) Dropped() int64 { return l.Figures().Packets.Failed }

// take makes an up track of what the publisher sends, under a name; of is its place among the sizes of the picture where
// it is sent in several.
func (l *link) take(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver, name string, of sized) {
	up := newUp(l, remote, receiver.GetParameters().HeaderExtensions)
	up.Name = name
	announce := up
	if len(of.names) > 1 {
		l.mu.Lock()
		s := l.faces[name]
		if announce = nil; s == nil || s.isOver() {
			s = newLayers(of, up)
			if l.faces == nil {
				l.faces = map[string]*layers{}
			}
			l.faces[name], announce = s, s.face
		}
		l.mu.Unlock()
		if !s.join(up, of.rank) {
			l.Log.Warn("a layer of a picture is not known, or came twice", "track", name, "rank", of.rank)
			return
		}
	}
	l.mu.Lock()
	l.ups = append(slices.Clip(l.ups), up)
	l.mu.Unlock()
	select {
	case l.changed <- struct{}{}:
	default:
	}
	if announce != nil {
		l.OnUp(announce)
	}
	if !l.spawn(up.run) {
		up.end()
	}
}

// forget lets go of an up track that has ended; its stream may come again as another.
func (l *link) forget(u *Up) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ups = slices.DeleteFunc(slices.Clone(l.ups), func(x *Up) bool { return x == u })
}

// carry makes a slot for what is sent to the receiver.
func (l *link) carry(codec string, kind webrtc.RTPCodecType, id string) (*Down, *webrtc.RTPTransceiver, error) {
	d := newDown(codec, kind, id, l)
	tr, err := l.pc.AddTransceiverFromTrack(d, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	l.downs = append(slices.Clip(l.downs), d)
	l.mu.Unlock()
	return d, tr, nil
}

// arrive notes the arrival of a publisher's packet, for the feedback.
func (l *link) arrive(ssrc uint32, number uint16, at time.Time) {
	l.arrivals.Lock()
	l.arrived.Record(ssrc, number, at.UnixMicro())
	l.arrivals.Unlock()
}

// heard takes a receiver's feedback, which may come on any slot.
func (l *link) heard(f *rtcp.TransportLayerCC) {
	l.hearing.Lock()
	defer l.hearing.Unlock()
	now := l.Now()
	l.estimate.Update(l.numbers.Read(f), now)
	if l.share(now) {
		select {
		case l.changed <- struct{}{}: // upkeep paces
		default:
		}
	}
}

// moved takes note that the link is over another network path.
func (l *link) moved() {
	l.hearing.Lock()
	defer l.hearing.Unlock()
	l.estimate.Moved(l.Now())
}

// since returns how long the link is old.
func (l *link) since(now time.Time) time.Duration { return now.Sub(l.began) }

func (l *link) flush() {
	if l.Flush != nil {
		l.Flush()
	}
}

// describe waits until the local description has its candidates, and returns it as the other side is to read it.
func (l *link) describe(local webrtc.SessionDescription) (string, error) {
	gathered := webrtc.GatheringCompletePromise(l.pc)
	if err := l.pc.SetLocalDescription(local); err != nil {
		return "", err
	}
	select {
	case <-gathered:
	case <-l.stop:
		return "", ErrClosed
	}
	sdp := l.pc.LocalDescription().SDP
	if l.Rewrite != nil {
		sdp = l.Rewrite(sdp)
	}
	return sdp, nil
}
