package client

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/media"
	"sightline/relay/wire"
)

// Track is a track to publish: H.264 constrained baseline for video, Opus for audio.
type Track struct {
	Name string // letters, digits, - and _: "camera"
	Kind string // wire.Video or wire.Audio
	// Of says that the track is a smaller size of the picture of another one, named before it in Config.Publish; of
	// several the larger comes first. To the others they are one track. Each size is a track of its own and not a stream
	// of one track told apart by RID (RFC 8853): the relay makes the offers, and pion has no offer to receive several, while
	// of plain tracks each has its own numbers, feedback and retransmission without more ado.
	Of      string
	Bitrate Bitrate
	// OnKeyFrame is called when somebody needs a key frame: a late joiner, or after a loss. It only
	// takes note; the next WriteFrame should bring one.
	OnKeyFrame func()
	// OnBitrate is called with the bits per second to encode at, when that changes; 0: nobody takes this size, or the
	// way to the relay does not bear it, and nothing is to be sent.
	OnBitrate func(bps int)
}

// LocalTrack sends one track. One goroutine writes; it may go on writing while the client is offline.
type LocalTrack struct {
	Track
	kind  string
	codec string

	mu      sync.Mutex
	bound   *binding
	payload rtp.Payloader
	seq     uint16
	rtpTime uint32 // audio: of the next packet
	audioAt int64  // audio: capture time that rtpTime stands for
	level   byte   // audio: how loud the next packet is, as RFC 6464 writes it; 0: not known
	bounds  Bitrate
	smaller []*LocalTrack // sizes of it, the larger first
	of      *LocalTrack   // whose size it is, or nil
	unasked bool          // nobody takes this size
	stats   LocalStats
}

// binding is the connection a track is sent on.
type binding struct {
	id        string
	out       webrtc.TrackLocalWriter
	ssrc      uint32
	payload   uint8
	extension uint8
	level     uint8 // the number of the audio level; 0: not agreed on
}

// LocalStats counts what a track has sent since it was made.
type LocalStats struct {
	Frames, Packets, Bytes int
	KeyRequests            int     // key frames that others asked for
	Lost                   float64 // fraction, in the latest receiver report
	Bitrate                int     // target, bits per second: what the way to the relay bears, within bounds; 0: nothing
}

// mtu is the largest RTP payload: with all headers it fits IPv6's least MTU of 1280.
const mtu = 1160

func newLocalTrack(t Track) (*LocalTrack, error) {
	l := &LocalTrack{Track: t, kind: t.Kind}
	switch t.Kind {
	case wire.Video:
		l.codec, l.payload = media.H264, &codecs.H264Payloader{}
		l.bounds = t.Bitrate.orDefault()
		l.stats.Bitrate = l.bounds.Start
	case wire.Audio:
		l.codec, l.payload = media.Opus, &codecs.OpusPayloader{}
	default:
		return nil, fmt.Errorf("track %q is of kind %q, want video or audio", t.Name, t.Kind)
	}
	return l, nil
}

// Bitrate returns the bits per second to encode at.
func (l *LocalTrack) Bitrate() int { return l.Stats().Bitrate }

// Stats returns what has been sent.
func (l *LocalTrack) Stats() LocalStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// WriteFrame sends one H.264 access unit, in Annex B, captured at that time (µs since the Unix epoch,
// growing from frame to frame). A key frame brings its parameter sets. It does not block on the network.
// It fails with ErrOffline while there is nowhere to send to; the frame is then gone.
func (l *LocalTrack) WriteFrame(annexB []byte, captured int64) error {
	if l.kind != wire.Video {
		return errors.New("WriteFrame on a track of sound")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write(annexB, captured, uint32(captured*9/100))
}

// WriteOpus sends one packet of Opus that lasts for duration and whose first sample was captured then.
func (l *LocalTrack) WriteOpus(packet []byte, captured int64, duration time.Duration) error {
	if l.kind != wire.Audio {
		return errors.New("WriteOpus on a track of pictures")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	const slack = 100_000 // µs; within it the sample count rules, so that sound does not stutter
	if off := captured - l.audioAt; off > slack || off < -slack {
		l.rtpTime, l.audioAt = uint32(captured*48/1000), captured
	}
	err := l.write(packet, captured, l.rtpTime)
	l.rtpTime += uint32(duration.Microseconds() * 48 / 1000)
	l.audioAt += duration.Microseconds()
	return err
}

// SetLevel says how loud the next packets of sound are, in decibels below the loudest, 127 for silence (RFC 6464): by that
// the others see who speaks.
func (l *LocalTrack) SetLevel(level uint8) {
	const voice = 0x80 // it may be a voice: who knows better leaves it out
	l.mu.Lock()
	defer l.mu.Unlock()
	l.level = min(level, 127) | voice
}

func (l *LocalTrack) write(unit []byte, captured int64, rtpTime uint32) error {
	b := l.bound
	if b == nil {
		return ErrOffline
	}
	parts := l.payload.Payload(mtu, unit)
	capture := wire.AbsCaptureTime(captured)
	for i, part := range parts {
		h := rtp.Header{Version: 2, Marker: i == len(parts)-1 && l.kind == wire.Video, PayloadType: b.payload,
			SequenceNumber: l.seq, Timestamp: rtpTime, SSRC: b.ssrc}
		l.seq++
		if b.extension != 0 {
			if err := h.SetExtension(b.extension, capture[:]); err != nil {
				return err
			}
		}
		if b.level != 0 && l.level != 0 {
			if err := h.SetExtension(b.level, []byte{l.level}); err != nil {
				return err
			}
		}
		if _, err := b.out.WriteRTP(&h, part); err != nil {
			return fmt.Errorf("%w: %w", ErrOffline, err)
		}
		l.stats.Packets++
		l.stats.Bytes += len(part)
	}
	l.stats.Frames++
	return nil
}

// feedback reads what the relay says of the track until the sender ends.
func (l *LocalTrack) feedback(sender *webrtc.RTPSender, heard func(*rtcp.TransportLayerCC)) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			switch p := p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				l.keyRequested()
			case *rtcp.ReceiverReport:
				l.reported(p)
			case *rtcp.TransportLayerCC:
				heard(p)
			}
		}
	}
}

func (l *LocalTrack) keyRequested() {
	l.mu.Lock()
	l.stats.KeyRequests++
	l.mu.Unlock()
	if l.OnKeyFrame != nil {
		l.OnKeyFrame()
	}
}

func (l *LocalTrack) reported(r *rtcp.ReceiverReport) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, report := range r.Reports {
		if l.bound != nil && report.SSRC == l.bound.ssrc {
			l.stats.Lost = float64(report.FractionLost) / 256
		}
	}
}

// sending is a LocalTrack as pion sees it.
type sending struct{ *LocalTrack }

// Bind is called by pion when a connection can send the track.
func (s sending) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, codec := range c.CodecParameters() {
		if strings.EqualFold(codec.MimeType, s.codec) {
			s.mu.Lock()
			s.bound = &binding{id: c.ID(), out: c.WriteStream(), ssrc: uint32(c.SSRC()),
				payload: uint8(codec.PayloadType), extension: media.ExtensionID(c.HeaderExtensions(), wire.AbsCaptureTimeURI),
				level: media.ExtensionID(c.HeaderExtensions(), media.AudioLevelURI)}
			s.mu.Unlock()
			return codec, nil
		}
	}
	return webrtc.RTPCodecParameters{}, fmt.Errorf("the relay does not take %s", s.codec)
}

// Unbind is called by pion when the connection ends.
func (s sending) Unbind(c webrtc.TrackLocalContext) error {
	s.unbind(c.ID())
	return nil
}

func (l *LocalTrack) unbind(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bound != nil && (id == "" || l.bound.id == id) {
		l.bound = nil
	}
}

// ID is the track's name.
func (s sending) ID() string { return s.Name }

// RID is empty: there is one layer.
func (s sending) RID() string { return "" }

// StreamID is the same for all tracks of a participant, so that they play in step.
func (s sending) StreamID() string { return "sightline" }

// Kind is video or audio, in pion's words.
func (s sending) Kind() webrtc.RTPCodecType { return webrtc.NewRTPCodecType(s.kind) }
