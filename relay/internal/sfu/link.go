package sfu

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// LinkConfig is what a PeerConnection needs, whoever makes the offers. The callbacks are called from
// goroutines of the connection's and must not block.
type LinkConfig struct {
	Participant string // whose it is
	Role        string
	Settings    webrtc.SettingEngine
	// Rewrite changes a description before it leaves, to say where the relay is reached; nil leaves it.
	Rewrite func(sdp string) string
	Log     *slog.Logger
	Now     func() time.Time
	Pool    *Pool

	OnUp   func(*Up)   // a track has begun; it ends when its Done is closed
	OnFail func(error) // the connection is of no more use
}

// link is a PeerConnection and the tasks that run for it.
type link struct {
	LinkConfig
	pc        *webrtc.PeerConnection
	connected chan struct{} // closed when media can flow for the first time

	stop    chan struct{}
	closing sync.Once
	tasks   sync.WaitGroup
	dropped atomic.Int64

	mu    sync.Mutex
	ended bool
}

func newLink(cfg LinkConfig) (*link, error) {
	api, err := media.NewAPI(cfg.Settings)
	if err != nil {
		return nil, err
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, fmt.Errorf("open a peer connection: %w", err)
	}
	l := &link{LinkConfig: cfg, pc: pc, connected: make(chan struct{}), stop: make(chan struct{})}
	var once sync.Once
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			once.Do(func() { close(l.connected) })
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
		_ = l.pc.GracefulClose()
		l.tasks.Wait()
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

// Dropped returns how many packets this participant was too slow for.
func (l *link) Dropped() int64 { return l.dropped.Load() }

// take makes an up track of what the publisher sends, under a name.
func (l *link) take(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver, name string) {
	ask := func() {
		_ = l.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(remote.SSRC())}})
	}
	extension := media.ExtensionID(receiver.GetParameters().HeaderExtensions, wire.AbsCaptureTimeURI)
	up := newUp(remote, extension, l.Pool, ask, l.Now)
	up.Participant, up.Role, up.Name = l.Participant, l.Role, name
	l.OnUp(up)
	l.spawn(func() { // sender reports: pion acts on them when they are read
		for buf := make([]byte, 1500); ; {
			if _, _, err := receiver.Read(buf); err != nil {
				return
			}
		}
	})
	if !l.spawn(up.run) {
		close(up.done)
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
