package direct

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"hash"
	"strings"
	"sync"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/prf"
	"github.com/pion/dtls/v3/pkg/protocol/extension"
	"github.com/pion/dtls/v3/pkg/protocol/handshake"
	"github.com/pion/dtls/v3/pkg/protocol/recordlayer"
	"github.com/pion/srtp/v3"
)

// secrets are what a DTLS handshake agreed on. pion exports no SRTP keys, so they are reckoned from the master secret,
// which it tells, and from the server's hello, which passes in the clear. They stay in memory, until Open. The methods
// are called by pion, from goroutines of the handshake.
type secrets struct {
	mu                     sync.Mutex
	master, client, server []byte
	suite                  dtls.CipherSuiteID
	profile                dtls.SRTPProtectionProfile
	isClient               bool // this end is the client of the handshake
}

// see looks for the server's hello in a datagram that passes, sent by this end or by the far one.
func (s *secrets) see(datagram []byte, ours bool) {
	const record, handshakeType = 13, 22 // bytes of a record's header; its first one
	if len(datagram) == 0 || datagram[0] != handshakeType {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	records, err := recordlayer.UnpackDatagram(datagram)
	if err != nil || s.server != nil {
		return
	}
	for _, r := range records {
		var h handshake.Header
		if r[0] != handshakeType || h.Unmarshal(r[record:]) != nil || h.Type != handshake.TypeServerHello || h.FragmentLength != h.Length {
			continue
		}
		body := r[record+handshake.HeaderLength:]
		var hello handshake.MessageServerHello
		if len(body) >= int(h.Length) && hello.Unmarshal(body[:h.Length]) == nil {
			s.hello(&hello, ours)
			return
		}
	}
}

func (s *secrets) hello(m *handshake.MessageServerHello, ours bool) {
	random := m.Random.MarshalFixed()
	s.server, s.isClient = random[:], !ours
	if m.CipherSuiteID != nil {
		s.suite = dtls.CipherSuiteID(*m.CipherSuiteID)
	}
	for _, e := range m.Extensions {
		if use, ok := e.(*extension.UseSRTP); ok && len(use.ProtectionProfiles) > 0 {
			s.profile = use.ProtectionProfiles[0]
		}
	}
}

// Write takes a line of the key log: a label, the client's random bytes, the master secret.
func (s *secrets) Write(line []byte) (int, error) {
	f := strings.Fields(string(line))
	if len(f) != 3 || f[0] != "CLIENT_RANDOM" {
		return len(line), nil
	}
	client, err := hex.DecodeString(f[1])
	if err != nil {
		return 0, err
	}
	master, err := hex.DecodeString(f[2])
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client, s.master = client, master
	return len(line), nil
}

var errNoSecrets = errors.New("the hello of the DTLS handshake was not seen whole")

// ExportKeyingMaterial is RFC 5705, section 4, without a context.
func (s *secrets) ExportKeyingMaterial(label string, _ []byte, n int) ([]byte, error) {
	var h func() hash.Hash = sha256.New
	if s.suite == dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 || s.suite == dtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 {
		h = sha512.New384
	}
	seed := append(append([]byte(label), s.client...), s.server...)
	return prf.PHash(s.master, seed, n, h)
}

// Windows within which a packet that comes twice is known, in packets. One that was lost may be sent again under its
// old number a second later.
const (
	rtpWindow  = 1024
	rtcpWindow = 128
)

// contexts makes what opens the packets of the far end and seals those of this one, and forgets the secrets.
func (s *secrets) contexts() (in, out *srtp.Context, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.master == nil || s.server == nil {
		return nil, nil, errNoSecrets
	}
	config := srtp.Config{Profile: srtp.ProtectionProfile(s.profile)}
	if err := config.ExtractSessionKeysFromDTLS(s, s.isClient); err != nil {
		return nil, nil, err
	}
	s.master, s.client, s.server = nil, nil, nil
	k := config.Keys
	in, err = srtp.CreateContext(k.RemoteMasterKey, k.RemoteMasterSalt, config.Profile,
		srtp.SRTPReplayProtection(rtpWindow), srtp.SRTCPReplayProtection(rtcpWindow))
	if err != nil {
		return nil, nil, err
	}
	out, err = srtp.CreateContext(k.LocalMasterKey, k.LocalMasterSalt, config.Profile)
	return in, out, err
}
