package media

import (
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/webrtc/v4"

	"sightline/relay/wire"
)

// A missing packet is asked for this often, and so many times.
const (
	nackEvery = 40 * time.Millisecond
	maxNacks  = 5
)

// Patience is how long to wait for a missing packet over a path with that round trip: two attempts to
// have it sent again, over each of two hops.
func Patience(rtt time.Duration) time.Duration {
	return min(3*nackEvery+2*rtt, 500*time.Millisecond)
}

// NewAPI returns pion set up as both ends of a session have it: the codecs, abs-capture-time on video
// and audio, retransmission (NACK, RTX) and receiver reports. Every PeerConnection gets its own.
func NewAPI(settings webrtc.SettingEngine) (*webrtc.API, error) {
	engine := &webrtc.MediaEngine{}
	if err := registerCodecs(engine); err != nil {
		return nil, err
	}
	capture := webrtc.RTPHeaderExtensionCapability{URI: wire.AbsCaptureTimeURI}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		if err := engine.RegisterHeaderExtension(capture, kind); err != nil {
			return nil, err
		}
	}
	registry := &interceptor.Registry{}
	// A retransmission comes on a stream of its own (RTX), where the generator of NACKs does not see it: it
	// would ask for the same packet for as long as it remembers it.
	if err := webrtc.ConfigureNackWithOptions(engine, registry, []nack.GeneratorOption{
		nack.GeneratorInterval(nackEvery), nack.GeneratorMaxNacksPerPacket(maxNacks)}); err != nil {
		return nil, err
	}
	if err := webrtc.ConfigureRTCPReports(registry); err != nil {
		return nil, err
	}
	settings.SetSCTPMaxMessageSize(wire.MaxMessage + 1<<10)
	return webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(registry),
		webrtc.WithSettingEngine(settings)), nil
}

// registerCodecs registers what is taken, the preferred first: H.264 constrained baseline in
// packetization mode 1, then what browsers may send instead; Opus.
func registerCodecs(engine *webrtc.MediaEngine) error {
	feedback := []webrtc.RTCPFeedback{{Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"}}
	video := []struct {
		mime, fmtp string
		payload    webrtc.PayloadType
		rtx        string
	}{
		{H264, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", 102, "apt=102"},
		{VP8, "", 96, "apt=96"},
		{VP9, "profile-id=0", 98, "apt=98"},
		{AV1, "", 45, "apt=45"},
	}
	for _, c := range video {
		main := webrtc.RTPCodecParameters{PayloadType: c.payload, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: c.mime, ClockRate: 90000, SDPFmtpLine: c.fmtp, RTCPFeedback: feedback}}
		rtx := webrtc.RTPCodecParameters{PayloadType: c.payload + 1, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: c.rtx}}
		for _, p := range []webrtc.RTPCodecParameters{main, rtx} {
			if err := engine.RegisterCodec(p, webrtc.RTPCodecTypeVideo); err != nil {
				return err
			}
		}
	}
	return engine.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 111, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: Opus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1"}},
		webrtc.RTPCodecTypeAudio)
}

// ExtensionID returns the number that a header extension was negotiated under, or 0.
func ExtensionID(extensions []webrtc.RTPHeaderExtensionParameter, uri string) uint8 {
	for _, e := range extensions {
		if e.URI == uri {
			return uint8(e.ID)
		}
	}
	return 0
}
