package server_test

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

// raw is a participant that says what it likes: it keeps to the signalling, and to nothing else.
type raw struct {
	pc   *webrtc.PeerConnection
	log  *webrtc.DataChannel
	open chan struct{} // closed when the log channel is

	mu    sync.Mutex
	ws    *websocket.Conn
	heard []wire.Envelope         // on the log channel
	told  []wire.Signal           // errors
	gone  error                   // why the socket ended
	munge func(sdp string) string // changes answers; nil leaves them
}

// joinRaw joins and waits until the log flows. most is how large a message it takes, in bytes.
func joinRaw(t *testing.T, s *server.Server, token string, most uint32, tracks ...webrtc.TrackLocal) *raw {
	t.Helper()
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetSCTPMaxMessageSize(most)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	r := &raw{pc: pc, open: make(chan struct{})}
	negotiated, id := true, wire.ChannelLogID
	if r.log, err = pc.CreateDataChannel(wire.ChannelLog, &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &id}); err != nil {
		t.Fatal(err)
	}
	r.log.OnOpen(func() { close(r.open) })
	r.log.OnMessage(func(m webrtc.DataChannelMessage) {
		e, err := wire.Decode(m.Data)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.heard = append(r.heard, e); err != nil {
			t.Error(err)
		}
	})
	for _, track := range tracks {
		if _, err := pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	if r.ws, _, err = websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.URL(), "http")+"/ws?token="+token, nil); err != nil {
		t.Fatal(err)
	}
	r.ws.SetReadLimit(wire.MaxSignal)
	var ended sync.WaitGroup
	ended.Go(func() { r.signal(ctx, t) })
	t.Cleanup(func() {
		stop()
		_ = r.ws.CloseNow()
		ended.Wait()
		_ = pc.GracefulClose()
	})
	publish := wire.Signal{Type: wire.SignalPublish}
	for _, track := range tracks {
		publish.Tracks = append(publish.Tracks, wire.SignalTrack{Name: track.ID(), Kind: track.Kind().String()})
	}
	r.say(t, publish)
	select {
	case <-r.open:
	case <-time.After(20 * time.Second):
		t.Fatal("the log does not flow")
	}
	return r
}

func (r *raw) say(t *testing.T, m wire.Signal) {
	data, err := m.Encode()
	if err == nil {
		err = r.ws.Write(context.Background(), websocket.MessageText, data)
	}
	if err != nil {
		t.Error(err)
	}
}

// signal answers offers and notes errors, until the socket ends.
func (r *raw) signal(ctx context.Context, t *testing.T) {
	for {
		_, data, err := r.ws.Read(ctx)
		if err != nil {
			r.mu.Lock()
			r.gone = err
			r.mu.Unlock()
			return
		}
		m, err := wire.DecodeSignal(data)
		switch {
		case err != nil:
			t.Error(err)
		case m.Type == wire.SignalError:
			r.mu.Lock()
			r.told = append(r.told, m)
			r.mu.Unlock()
		case m.Type == wire.SignalOffer:
			r.say(t, wire.Signal{Type: wire.SignalAnswer, SDP: r.answer(t, m.SDP)})
		}
	}
}

func (r *raw) answer(t *testing.T, offer string) string {
	if err := r.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		t.Error(err)
		return ""
	}
	answer, err := r.pc.CreateAnswer(nil)
	if err != nil {
		t.Error(err)
		return ""
	}
	gathered := webrtc.GatheringCompletePromise(r.pc)
	if err := r.pc.SetLocalDescription(answer); err != nil {
		t.Error(err)
		return ""
	}
	<-gathered
	sdp := r.pc.LocalDescription().SDP
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.munge != nil {
		sdp = r.munge(sdp)
	}
	return sdp
}

// knows says whether a message has come on the log channel.
func (r *raw) knows(kind, id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.heard {
		if e.Kind == kind && e.ID == id {
			return true
		}
	}
	return false
}

// answered returns the error about a message of the log.
func (r *raw) answered(msg string) (wire.Signal, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.told {
		if m.Msg == msg {
			return m, true
		}
	}
	return wire.Signal{}, false
}

// A message that grows on its way, or that is larger than somebody takes, takes nobody out of the room, not even who
// comes later.
func TestLargeMessages(t *testing.T) {
	s := relaytest.Start(t, nil)
	token := func() string { return relaytest.Token(t, s.Authority(), "expert", "Ann") }
	const most = wire.MaxMessage + 64<<10
	ann, small := joinRaw(t, s, token(), most), joinRaw(t, s, token(), 4<<10)
	write := func(id, body string) {
		t.Helper()
		if err := ann.log.SendText(`{"v":1,"kind":"chat","id":"` + id + `","msg":"` + id + `","body":{"text":"` + body + `"}}`); err != nil {
			t.Fatal(err)
		}
	}
	write("angles", strings.Repeat("<", 14_000)+strings.Repeat("x", 186_000))
	write("full", strings.Repeat("x", wire.MaxMessage-100))
	write("after", "still here")
	ben := joinRaw(t, s, token(), most)
	for who, r := range map[string]*raw{"Ann": ann, "Ben": ben} {
		relaytest.Eventually(t, who+" has the large one", func() bool { return r.knows("chat", "angles") && r.knows("chat", "after") })
	}
	relaytest.Eventually(t, "who takes small ones only has what came after", func() bool { return small.knows("chat", "after") })
	if small.knows("chat", "angles") || ben.knows("chat", "full") {
		t.Error("what is too large was sent")
	}
	relaytest.Eventually(t, "the one too large is refused by its name", func() bool {
		m, ok := ann.answered("full")
		return ok && m.Code == wire.CodeTooLarge
	})
	for _, r := range []*raw{ann, small, ben} {
		if r.mu.Lock(); r.gone != nil {
			t.Errorf("thrown out: %v", r.gone)
		}
		r.mu.Unlock()
	}
}

// A publisher that gives a track another SSRC again and again has one track.
func TestATrackThatIsAnotherAgainAndAgain(t *testing.T) {
	s := relaytest.Start(t, nil)
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}, "camera", "x")
	if err != nil {
		t.Fatal(err)
	}
	r := joinRaw(t, s, relaytest.Token(t, s.Authority(), "field", "Ann"), wire.MaxMessage, track)
	tracks := func() (n int) {
		for _, room := range s.Rooms() {
			n += len(room.Tracks)
		}
		return n
	}
	seq := uint16(0)
	relaytest.Eventually(t, "the track is there", func() bool {
		seq++
		err := track.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: uint32(seq) * 3000, Marker: true}, Payload: []byte{0x10, 0, 1}})
		return err == nil && tracks() == 1
	})
	r.mu.Lock()
	r.munge = func(sdp string) string { return regexp.MustCompile(`a=ssrc:\d+`).ReplaceAllString(sdp, "a=ssrc:77") }
	r.mu.Unlock()
	r.say(t, wire.Signal{Type: wire.SignalPublish, Tracks: []wire.SignalTrack{{Name: "camera", Kind: wire.Video}, {Name: "more", Kind: wire.Audio}}})
	relaytest.Eventually(t, "the track that has ended is gone", func() bool { return tracks() == 0 })
}
