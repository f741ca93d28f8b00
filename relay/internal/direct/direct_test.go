package direct

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/protocol"
	"github.com/pion/dtls/v3/pkg/protocol/extension"
	"github.com/pion/dtls/v3/pkg/protocol/handshake"
	"github.com/pion/dtls/v3/pkg/protocol/recordlayer"
	"github.com/pion/rtp"
)

// hello is a server's hello as it goes on the wire.
func hello(t testing.TB, profile dtls.SRTPProtectionProfile) []byte {
	t.Helper()
	suite := uint16(dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)
	m := &handshake.MessageServerHello{Version: protocol.Version1_2, CipherSuiteID: &suite, CompressionMethod: &protocol.CompressionMethod{},
		Extensions: []extension.Extension{&extension.UseSRTP{ProtectionProfiles: []extension.SRTPProtectionProfile{profile}}}}
	m.Random.RandomBytes[0] = 9
	raw, err := (&recordlayer.RecordLayer{Header: recordlayer.Header{Version: protocol.Version1_2}, Content: &handshake.Handshake{Message: m}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// opened is a tap after a handshake, at one of its ends, and where it writes to.
func opened(t testing.TB, profile dtls.SRTPProtectionProfile, server bool) (*Tap, *sink) {
	t.Helper()
	tap := &Tap{routes: nil}
	tap.secrets.see([]byte{22, 1}, true)
	tap.secrets.see(hello(t, profile), server)
	if _, err := tap.secrets.Write([]byte("CLIENT_RANDOM 0102 030405\n")); err != nil {
		t.Fatal(err)
	}
	if err := tap.Open(); err != nil {
		t.Fatal(err)
	}
	s := &sink{}
	tap.path.Store(&path{udp: s})
	return tap, s
}

type sink struct {
	net.PacketConn
	last []byte
}

func (s *sink) ReadFromAddrPort([]byte) (int, netip.AddrPort, error) { return 0, netip.AddrPort{}, nil }
func (s *sink) WriteToAddrPort(b []byte, _ netip.AddrPort) (int, error) {
	s.last = append(s.last[:0], b...)
	return len(b), nil
}

// What one end of a handshake seals the other opens, once, and nothing that was changed on the way.
func TestSealedAndOpened(t *testing.T) {
	for _, profile := range []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80} {
		server, sent := opened(t, profile, true)
		client, _ := opened(t, profile, false)
		payload := bytes.Repeat([]byte("picture "), 100)
		if _, err := server.WriteRTP(&rtp.Header{Version: 2, SequenceNumber: 65535, SSRC: 5}, payload); err != nil {
			t.Fatal(err)
		}
		if !IsMedia(sent.last) || IsRTCP(sent.last) || SSRC(sent.last) != 5 || bytes.Contains(sent.last, []byte("picture")) {
			t.Errorf("%v: sent % x", profile, sent.last[:20])
		}
		to := make([]byte, 0, 1500)
		forged := bytes.Clone(sent.last)
		forged[30]++
		if _, err := client.OpenRTP(to, forged); err == nil {
			t.Errorf("%v: a changed packet was opened", profile)
		}
		n, err := client.OpenRTP(to, sent.last)
		if err != nil || !bytes.Equal(to[12:n], payload) {
			t.Errorf("%v: %v", profile, err)
		}
		if _, err := client.OpenRTP(to, sent.last); err == nil {
			t.Errorf("%v: a packet was opened twice", profile)
		}
		if _, err := server.WriteRTP(&rtp.Header{Version: 2}, make([]byte, maxPacket)); err == nil {
			t.Error("a packet that is too large was sent")
		}
	}
}

func TestNothingIsSentBeforeTheHandshake(t *testing.T) {
	tap := &Tap{}
	if _, err := tap.WriteRTP(&rtp.Header{}, nil); err == nil {
		t.Error("sent")
	}
	if tap.Open() == nil {
		t.Error("opened without secrets")
	}
}

// Opening and sealing a packet takes no memory.
func TestSealingDoesNotAllocate(t *testing.T) {
	server, sent := opened(t, dtls.SRTP_AEAD_AES_128_GCM, true)
	client, _ := opened(t, dtls.SRTP_AEAD_AES_128_GCM, false)
	h, payload, to := rtp.Header{Version: 2, SSRC: 5}, make([]byte, 1200), make([]byte, 0, 1500)
	both := func() {
		h.SequenceNumber++
		if _, err := server.WriteRTP(&h, payload); err != nil {
			t.Fatal(err)
		}
		if _, err := client.OpenRTP(to, sent.last); err != nil {
			t.Fatal(err)
		}
	}
	both()
	if n := testing.AllocsPerRun(1000, both); n > 0 {
		t.Errorf("%.1f allocations a packet", n)
	}
}

func BenchmarkSeal(b *testing.B) {
	tap, _ := opened(b, dtls.SRTP_AEAD_AES_128_GCM, true)
	h, payload := rtp.Header{Version: 2, SSRC: 5}, make([]byte, 1200)
	b.ReportAllocs()
	for b.Loop() {
		h.SequenceNumber++
		if _, err := tap.WriteRTP(&h, payload); err != nil {
			b.Fatal(err)
		}
	}
}

// Whatever comes in the place of a handshake is taken or left.
func FuzzHandshake(f *testing.F) {
	f.Add(hello(f, dtls.SRTP_AEAD_AES_128_GCM))
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{22})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s secrets
		s.see(raw, false)
		_, _ = s.Write(raw)
		_, _, _ = s.contexts()
	})
}
