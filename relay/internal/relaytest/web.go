package relaytest

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

// Guest is a pion program that speaks WHIP or WHEP.
type Guest struct {
	PC       *webrtc.PeerConnection
	Resource string // the session's address
	ETag     string
	Link     string       // the relay's ICE server
	Client   *http.Client // nil: http.DefaultClient
	Consent  string       // to being recorded; empty: nothing is said
	Answered http.Header  // of the answer that made the session
	Instance string       // the secret by which the relay knows it again; empty: none

	t     testing.TB
	token string
}

// NewGuest opens a PeerConnection that is closed when the test ends.
func NewGuest(t testing.TB, token string) *Guest {
	t.Helper()
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	return NewGuestOver(t, token, settings, webrtc.Configuration{})
}

// NewGuestOver does so with settings, for networks that do not let everything through.
func NewGuestOver(t testing.TB, token string, settings webrtc.SettingEngine, config webrtc.Configuration) *Guest {
	t.Helper()
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Ends(t, "the guest closes", func() { _ = pc.GracefulClose() }) })
	return &Guest{PC: pc, t: t, token: token}
}

// Ask sends a request and returns the answer and its body.
func (g *Guest) Ask(method, address, mediaType, body, match string) (*http.Response, string) {
	g.t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	for key, value := range map[string]string{"Authorization": "Bearer " + g.token, "Content-Type": mediaType, "If-Match": match,
		"Sightline-Client": g.Instance, "Sightline-Consent": g.Consent} {
		if value != "" && value != "Bearer " {
			r.Header.Set(key, value)
		}
	}
	resp, err := cmp.Or(g.Client, http.DefaultClient).Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		g.t.Fatal(err)
	}
	return resp, b.String()
}

// Offer makes an offer with every candidate.
func (g *Guest) Offer(options *webrtc.OfferOptions) string {
	g.t.Helper()
	offer, err := g.PC.CreateOffer(options)
	if err != nil {
		g.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(g.PC)
	if err := g.PC.SetLocalDescription(offer); err != nil {
		g.t.Fatal(err)
	}
	Ends(g.t, "the guest has its candidates", func() { <-gathered })
	return g.PC.LocalDescription().SDP
}

// Open makes the session at an address, http://host:port/whip/room.
func (g *Guest) Open(address string) {
	g.t.Helper()
	resp, answer := g.Ask("POST", address, "application/sdp", g.Offer(nil), "")
	if resp.StatusCode != http.StatusCreated {
		g.t.Fatalf("%s: %s", resp.Status, answer)
	}
	at, err := resp.Location()
	if err != nil {
		g.t.Fatal(err)
	}
	g.Resource, g.ETag = at.String(), resp.Header.Get("ETag")
	g.Link, g.Answered = resp.Header.Get("Link"), resp.Header
	g.Answer(answer)
}

// Answer takes the relay's answer.
func (g *Guest) Answer(sdp string) {
	g.t.Helper()
	if err := g.PC.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		g.t.Fatal(err)
	}
}

// FakeCamera writes a film for a browser's fake camera, Y4M, 640x360: the four corners are red, green, blue
// and white, a bar moves through the middle.
func FakeCamera(t testing.TB) string {
	t.Helper()
	const w, h, frames = 640, 360, 30
	path := filepath.Join(t.TempDir(), "camera.y4m")
	var b bytes.Buffer
	b.WriteString("YUV4MPEG2 W640 H360 F30:1 Ip A1:1 C420jpeg\n")
	corner := [4][3]byte{{82, 90, 240}, {145, 54, 34}, {41, 240, 110}, {235, 128, 128}} // red, green, blue, white
	at := func(x, y int) int { return x/(w/2) + 2*(y/(h/2)) }
	for f := range frames {
		b.WriteString("FRAME\n")
		for y := range h {
			for x := range w {
				luma := corner[at(x, y)][0]
				if bar := f * w / frames; y > h*2/5 && y < h*3/5 && x >= bar && x < bar+20 {
					luma = 16
				}
				b.WriteByte(luma)
			}
		}
		for plane := 1; plane < 3; plane++ {
			for y := range h / 2 {
				for x := range w / 2 {
					b.WriteByte(corner[at(2*x, 2*y)][plane])
				}
			}
		}
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Counted waits until n grows by some more, generously.
func Counted(t testing.TB, what string, more int64, n func() int64) {
	t.Helper()
	from := n()
	Eventually(t, fmt.Sprintf("%s grows by %d", what, more), func() bool { return n() >= from+more })
}
