// Package load loads a relay with rooms of one publisher and many receivers, over WHIP and WHEP, and
// measures what they cost the relay's own process.
package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
)

// Config is one load.
type Config struct {
	URL   string // of the relay
	Token func(room, role string) (string, error)
	Rooms int
	Subs  int // receivers in each room
	For   time.Duration
	Bits  int // of the picture, per second, at 30 pictures a second
}

// Result is what came through.
type Result struct {
	Sent, Received int64
	Delays         []time.Duration // of every packet from the publisher's write to the receiver's read, sorted
}

// Delay returns a quantile of the delays.
func (r Result) Delay(q float64) time.Duration {
	if len(r.Delays) == 0 {
		return 0
	}
	return r.Delays[int(q*float64(len(r.Delays)-1))]
}

// run is a load while it lasts.
type run struct {
	cfg      Config
	began    time.Time
	measured atomic.Bool
	sent     atomic.Int64
	pcs      []*webrtc.PeerConnection
	tasks    sync.WaitGroup

	mu     sync.Mutex
	delays []time.Duration
}

// settle is how long a load runs before it is measured.
const settle = 3 * time.Second

// Run loads the relay. measure is called when the measured time begins and when it ends.
func Run(ctx context.Context, cfg Config, measure func(begins bool)) (Result, error) {
	ctx, stop := context.WithCancel(ctx)
	r := &run{cfg: cfg, began: time.Now()}
	defer r.tasks.Wait()
	defer func() {
		stop()
		for _, pc := range r.pcs {
			_ = pc.GracefulClose()
		}
	}()
	for i := range cfg.Rooms {
		room := fmt.Sprintf("load-%d", i)
		if err := r.publish(ctx, room); err != nil {
			return Result{}, fmt.Errorf("publisher of %s: %w", room, err)
		}
		for range cfg.Subs {
			if err := r.watch(ctx, room); err != nil {
				return Result{}, fmt.Errorf("receiver in %s: %w", room, err)
			}
		}
	}
	time.Sleep(settle)
	measure(true)
	r.measured.Store(true)
	time.Sleep(cfg.For)
	r.measured.Store(false)
	measure(false)
	time.Sleep(200 * time.Millisecond) // every receiver sees a packet after the end, and hands over
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.delays)
	return Result{Sent: r.sent.Load(), Received: int64(len(r.delays)), Delays: slices.Clone(r.delays)}, nil
}

func (r *run) peer() (*webrtc.PeerConnection, error) {
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	if err == nil {
		r.pcs = append(r.pcs, pc)
	}
	return pc, err
}

// publish sends a picture of the wanted size 30 times a second, with a key frame every two seconds. The
// packets carry when they were written.
func (r *run) publish(ctx context.Context, room string) error {
	pc, err := r.peer()
	if err != nil {
		return err
	}
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 90000,
		SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"}, "video", "load")
	if err != nil {
		return err
	}
	if _, err := pc.AddTrack(track); err != nil {
		return err
	}
	if err := r.exchange(ctx, pc, "/whip/"+room, room, "field"); err != nil {
		return err
	}
	r.tasks.Go(func() { r.film(ctx, track) })
	return nil
}

func (r *run) film(ctx context.Context, track *webrtc.TrackLocalStaticRTP) {
	const fps, key = 30, 60
	small := r.cfg.Bits / 8 / fps * key / (key + 5) // a key frame is six times as large
	payloader := codecs.H264Payloader{}
	tick := time.NewTicker(time.Second / fps)
	defer tick.Stop()
	seq, timestamp := uint16(0), uint32(0)
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		timestamp += 90000 / fps
		payloads := payloader.Payload(1188, nalu(n%key == 0, small))
		for i, p := range payloads {
			binary.BigEndian.PutUint64(p[len(p)-8:], uint64(time.Since(r.began)))
			packet := rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: timestamp, Marker: i == len(payloads)-1}, Payload: p}
			seq++
			if r.measured.Load() {
				r.sent.Add(1)
			}
			_ = track.WriteRTP(&packet)
		}
	}
}

// nalu makes a picture of a size: with parameter sets before it where it is a key frame.
func nalu(key bool, size int) []byte {
	if !key {
		return append([]byte{0, 0, 0, 1, 0x61}, make([]byte, size)...)
	}
	// The parameter sets of 1280x720, long enough for the time at their end, and the head of the key frame after them.
	sets := []byte{0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03,
		0xc0, 0xf1, 0x83, 0x24, 0x80, 0, 0, 0, 1, 0x68, 0xcb, 0x83, 0xcb, 0x20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 1, 0x65}
	return slices.Concat(sets, make([]byte, 6*size))
}

func (r *run) watch(ctx context.Context, room string) error {
	pc, err := r.peer()
	if err != nil {
		return err
	}
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		return err
	}
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		var own []time.Duration
		buf := make([]byte, 1500)
		for {
			n, _, err := t.Read(buf)
			if err != nil {
				break
			}
			if r.measured.Load() && n > 20 {
				own = append(own, time.Since(r.began)-time.Duration(binary.BigEndian.Uint64(buf[n-8:])))
			} else if len(own) > 0 {
				break
			}
		}
		r.mu.Lock()
		r.delays = append(r.delays, own...)
		r.mu.Unlock()
	})
	return r.exchange(ctx, pc, "/whep/"+room, room, "viewer")
}

// exchange offers and takes the answer.
func (r *run) exchange(ctx context.Context, pc *webrtc.PeerConnection, path, room, role string) error {
	token, err := r.cfg.Token(room, role)
	if err != nil {
		return err
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		return err
	}
	<-gathered
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.cfg.URL+path, strings.NewReader(pc.LocalDescription().SDP))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/sdp")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("%s: %s", resp.Status, body)
	}
	return pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(body)})
}
