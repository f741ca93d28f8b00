package media

import (
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"

	"sightline/relay/internal/congestion"
)

// numbering gives every packet that leaves, a retransmitted one too, its transport-wide number.
type numbering struct {
	interceptor.NoOp
	numbers *congestion.Numbers
	now     func() time.Time
}

// NewInterceptor makes numbering its own factory: there is one for each PeerConnection.
func (n *numbering) NewInterceptor(string) (interceptor.Interceptor, error) { return n, nil }

// BindLocalStream is called by pion for each stream that is sent.
func (n *numbering) BindLocalStream(info *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	id := uint8(0)
	for _, e := range info.RTPHeaderExtensions {
		if e.URI == TransportCCURI {
			id = uint8(e.ID)
		}
	}
	if id == 0 {
		return w
	}
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		number := n.numbers.Next(h.MarshalSize()+len(payload)+overhead, n.now())
		if err := h.SetExtension(id, []byte{byte(number >> 8), byte(number)}); err != nil {
			return 0, err
		}
		return w.Write(h, payload, a)
	})
}

// overhead is what goes around an RTP packet: IP, UDP, and the tag of SRTP.
const overhead = 20 + 8 + 16
