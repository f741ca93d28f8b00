package media

import (
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/congestion"
	"sightline/relay/wire"
)

// A missing packet is asked for this often, and so many times.
const (
	nackEvery = 40 * time.Millisecond
	maxNacks  = 5
)

// Patience is how long to wait for a missing packet over a path with that round trip: two attempts to
// have it sent again, over each of two hops; over a very long path one.
func Patience(rtt time.Duration) time.Duration {
	return min(3*nackEvery+2*rtt, max(500*time.Millisecond, 3*nackEvery+rtt*5/4))
}

// The header extensions that are negotiated, besides abs-capture-time.
const (
	TransportCCURI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
	AudioLevelURI  = "urn:ietf:params:rtp-hdrext:ssrc-audio-level" // RFC 6464
	OrientationURI = "urn:3gpp:video-orientation"
)

// NewAPI returns pion set up as a client has it: the codecs, the header extensions, retransmission (NACK,
// RTX), receiver reports, transport-wide feedback of what comes, and numbers for what leaves. Every
// PeerConnection gets its own.
func NewAPI(settings webrtc.SettingEngine, numbers *congestion.Numbers, now func() time.Time) (*webrtc.API, error) {
	engine, err := newEngine()
	if err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	registry.Add(&numbering{numbers: numbers, now: now}) // first: nearest to the network, below what sends again
	// A retransmission comes on a stream of its own (RTX), where the generator of NACKs does not see it: it
	// would ask for the same packet for as long as it remembers it.
	if err := webrtc.ConfigureNackWithOptions(engine, registry, []nack.GeneratorOption{
		nack.GeneratorInterval(nackEvery), nack.GeneratorMaxNacksPerPacket(maxNacks)}); err != nil {
		return nil, err
	}
	if err := webrtc.ConfigureRTCPReports(registry); err != nil {
		return nil, err
	}
	feedback, err := twcc.NewSenderInterceptor()
	if err != nil {
		return nil, err
	}
	registry.Add(feedback)
	return api(engine, registry, settings), nil
}

// NewRelayAPI returns pion set up for the relay, which forwards by itself: what an interceptor would do for
// every packet and every receiver, sfu does once, or not at all.
func NewRelayAPI(settings webrtc.SettingEngine) (*webrtc.API, error) {
	engine, err := newEngine()
	if err != nil {
		return nil, err
	}
	if err := webrtc.ConfigureSimulcastExtensionHeaders(engine); err != nil {
		return nil, err
	}
	if err := engine.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: DependencyURI}, webrtc.RTPCodecTypeVideo); err != nil {
		return nil, err
	}
	settings.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	return api(engine, &interceptor.Registry{}, settings), nil
}

// sctpWait is how long a data channel waits at most before it sends again what was not confirmed: after an outage of any
// length what was written meanwhile comes soon. SCTP's own 60 s (RFC 9260, section 16) are for other networks; less than
// a round trip of two seconds would send everything twice.
const sctpWait = 2500 * time.Millisecond

func api(engine *webrtc.MediaEngine, registry *interceptor.Registry, settings webrtc.SettingEngine) *webrtc.API {
	settings.SetSCTPRTOMax(sctpWait)
	settings.SetSCTPMaxMessageSize(wire.MaxMessage + 1<<10)
	return webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(registry),
		webrtc.WithSettingEngine(settings))
}

func newEngine() (*webrtc.MediaEngine, error) {
	engine := &webrtc.MediaEngine{}
	if err := registerCodecs(engine); err != nil {
		return nil, err
	}
	video, audio := webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio
	for _, e := range []struct {
		uri  string
		kind webrtc.RTPCodecType
	}{{wire.AbsCaptureTimeURI, video}, {wire.AbsCaptureTimeURI, audio}, {TransportCCURI, video}, {TransportCCURI, audio},
		{AudioLevelURI, audio}, {OrientationURI, video}} {
		if err := engine.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: e.uri}, e.kind); err != nil {
			return nil, err
		}
	}
	return engine, nil
}

// registerCodecs registers what is taken, the preferred first: H.264 constrained baseline in
// packetization mode 1, then what browsers may send instead; Opus.
func registerCodecs(engine *webrtc.MediaEngine) error {
	feedback := []webrtc.RTCPFeedback{{Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"},
		{Type: "transport-cc"}}
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
		MimeType: Opus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
		RTCPFeedback: []webrtc.RTCPFeedback{{Type: "transport-cc"}}}},
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
