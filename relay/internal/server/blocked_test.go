package server_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/relaytest"
)

// Where UDP is blocked, media come over TCP to the number of HTTP.
func TestWatchOverTCP(t *testing.T) {
	s := relaytest.Start(t, nil)
	film(t, relaytest.NewGuest(t, relaytest.Token(t, s.Authority(), "field", "Cam")), s.URL()+"/whip/hall")
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	watcher := relaytest.NewGuestOver(t, relaytest.Token(t, s.Authority(), "viewer", "Wall"), settings, webrtc.Configuration{})
	packets, _, _ := watch(t, watcher, s.URL()+"/whep/hall")
	relaytest.Counted(t, "packets", 60, packets.Load)
	pair, err := watcher.PC.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair.Local.Protocol != webrtc.ICEProtocolTCP {
		t.Errorf("path %v, %v", pair, err)
	}
}

var link = regexp.MustCompile(`^<(turn:[^>]+)>; rel="ice-server"; username="([^"]+)"; credential="([^"]+)"`)

// Where only a TURN server is let through, the embedded one leads to the relay, and to nowhere else.
func TestWatchOverTURN(t *testing.T) {
	s := relaytest.Start(t, nil)
	publisher := relaytest.NewGuest(t, relaytest.Token(t, s.Authority(), "field", "Cam"))
	film(t, publisher, s.URL()+"/whip/hall")
	m := link.FindStringSubmatch(publisher.Link)
	if m == nil {
		t.Fatalf("Link: %q", publisher.Link)
	}
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	watcher := relaytest.NewGuestOver(t, relaytest.Token(t, s.Authority(), "viewer", "Wall"), settings, webrtc.Configuration{
		ICETransportPolicy: webrtc.ICETransportPolicyRelay,
		ICEServers:         []webrtc.ICEServer{{URLs: []string{m[1]}, Username: m[2], Credential: m[3]}}})
	packets, _, _ := watch(t, watcher, s.URL()+"/whep/hall")
	relaytest.Counted(t, "packets", 60, packets.Load)
	if sdp := watcher.PC.LocalDescription().SDP; !strings.Contains(sdp, "typ relay") || strings.Contains(sdp, "typ host") {
		t.Errorf("not over TURN alone:\n%s", sdp)
	}
}
