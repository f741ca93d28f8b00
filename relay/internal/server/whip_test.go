package server_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"sightline/relay/internal/relaytest"
)

// film publishes the test film by WHIP until the test ends.
func film(t *testing.T, g *relaytest.Guest, address string) {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}, "v", "s")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.PC.AddTrack(track); err != nil {
		t.Fatal(err)
	}
	g.Open(address)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		units := relaytest.Film()
		tick := time.NewTicker(time.Second / 30)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-tick.C:
				_ = track.WriteSample(media.Sample{Data: units[i%len(units)], Duration: time.Second / 30})
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
}

// watch counts the packets that come by WHEP, the sequence numbers that have not come so far, and the time during
// which nothing came, in nanoseconds: of the pauses of more than a tenth of a second.
func watch(t *testing.T, g *relaytest.Guest, address string) (packets, missing, silent *atomic.Int64) {
	t.Helper()
	packets, missing, silent = new(atomic.Int64), new(atomic.Int64), new(atomic.Int64)
	if _, err := g.PC.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		t.Fatal(err)
	}
	g.PC.OnTrack(func(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		var last uint16
		came := time.Now()
		for {
			p, _, err := remote.ReadRTP()
			if err != nil {
				return
			}
			if pause := time.Since(came); pause > time.Second/10 {
				silent.Add(int64(pause))
			}
			came = time.Now()
			ahead := int16(p.SequenceNumber - last)
			switch {
			case packets.Add(1) == 1:
				last = p.SequenceNumber
			case ahead > 0:
				missing.Add(int64(ahead) - 1)
				last = p.SequenceNumber
			default:
				missing.Add(-1) // sent again
			}
		}
	})
	g.Open(address)
	return packets, missing, silent
}

func TestWHIPAndWHEP(t *testing.T) {
	s := relaytest.Start(t, nil)
	watcher := relaytest.NewGuest(t, relaytest.Token(t, s.Authority(), "viewer", "Wall"))
	packets, missing, silent := watch(t, watcher, s.URL()+"/whep/hall") // before there is anything to watch
	publisher := relaytest.NewGuest(t, relaytest.Token(t, s.Authority(), "field", "Cam"))
	film(t, publisher, s.URL()+"/whip/hall")
	relaytest.Counted(t, "packets", 30, packets.Load)

	for _, g := range []*relaytest.Guest{publisher, watcher} { // a new path on either side
		before := g.ETag
		offer := g.Offer(&webrtc.OfferOptions{ICERestart: true})
		resp, fragment := g.Ask("PATCH", g.Resource, "application/trickle-ice-sdpfrag", credentials(offer), "*")
		if resp.StatusCode != http.StatusOK || resp.Header.Get("ETag") == before ||
			resp.Header.Get("Content-Type") != "application/trickle-ice-sdpfrag" {
			t.Fatalf("ICE restart: %s, ETag %s after %s: %s", resp.Status, resp.Header.Get("ETag"), before, fragment)
		}
		g.ETag = resp.Header.Get("ETag")
		g.Answer(renewed(g.PC.RemoteDescription().SDP, fragment))
		relaytest.Counted(t, "packets after the restart", 30, packets.Load)
	}
	pause := time.Duration(silent.Load()) // pion itself lets go what comes while it changes its path
	if n := missing.Load(); float64(n) > 60*pause.Seconds() {
		t.Errorf("%d packets are missing: more than the film has in the %v during which none came", n, pause)
	}

	own := credentials(watcher.PC.LocalDescription().SDP) + "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n"
	for _, c := range []struct {
		match, mediaType, body string
		want                   int
	}{
		{watcher.ETag, "application/trickle-ice-sdpfrag", own, http.StatusNoContent},
		{`"path-77"`, "application/trickle-ice-sdpfrag", own, http.StatusPreconditionFailed},
		{"", "application/trickle-ice-sdpfrag", own, http.StatusPreconditionRequired},
		{watcher.ETag, "application/sdp", own, http.StatusUnsupportedMediaType},
		{watcher.ETag, "application/trickle-ice-sdpfrag", "a=candidate:x", http.StatusBadRequest},
		{watcher.ETag, "application/trickle-ice-sdpfrag", own[:len(own)-30] + "\r\n", http.StatusBadRequest},
	} {
		if resp, text := watcher.Ask("PATCH", watcher.Resource, c.mediaType, c.body, c.match); resp.StatusCode != c.want {
			t.Errorf("PATCH %q: %s %s, want %d", c.match, resp.Status, text, c.want)
		}
	}
	if resp, _ := watcher.Ask("DELETE", watcher.Resource, "", "", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("DELETE: %s", resp.Status)
	}
	if resp, _ := watcher.Ask("DELETE", watcher.Resource, "", "", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("DELETE again: %s", resp.Status)
	}
}

func TestWHIPRefuses(t *testing.T) {
	s := relaytest.Start(t, nil)
	token := func(role string) string { return relaytest.Token(t, s.Authority(), role, "x") }
	offer := func(kind webrtc.RTPCodecType, way webrtc.RTPTransceiverDirection) string {
		g := relaytest.NewGuest(t, "")
		if _, err := g.PC.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: way}); err != nil {
			t.Fatal(err)
		}
		return g.Offer(nil)
	}
	receives := offer(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverDirectionRecvonly)
	for name, c := range map[string]struct {
		path, token, mediaType, body string
		status                       int
		says                         string
	}{
		"no token":         {"/whip/hall", "", "application/sdp", receives, 401, "no token"},
		"another room":     {"/whip/cellar", token("field"), "application/sdp", receives, 403, "for room hall"},
		"may not publish":  {"/whip/hall", token("viewer"), "application/sdp", receives, 403, "not publish"},
		"sends nothing":    {"/whip/hall", token("field"), "application/sdp", receives, 400, "sends nothing"},
		"not SDP":          {"/whip/hall", token("field"), "application/sdp", "hello", 400, "not SDP"},
		"empty":            {"/whep/hall", token("viewer"), "application/sdp", "", 400, "offer"},
		"JSON":             {"/whep/hall", token("viewer"), "application/json", receives, 415, "want application/sdp"},
		"large":            {"/whep/hall", token("viewer"), "application/sdp", strings.Repeat("a", 300<<10), 413, "larger"},
		"no such session":  {"/whip/hall/abc", token("field"), "", "", 405, ""},
		"receives nothing": {"/whep/hall", token("viewer"), "application/sdp", strings.ReplaceAll(receives, "recvonly", "inactive"), 400, "receives nothing"},
	} {
		resp, text := relaytest.NewGuest(t, c.token).Ask("POST", s.URL()+c.path, c.mediaType, c.body, "")
		if resp.StatusCode != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s: %s %q, want %d with %q", name, resp.Status, text, c.status, c.says)
		}
		if resp.StatusCode != 405 && resp.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: a page of another origin could not read why", name)
		}
	}
	resp, _ := relaytest.NewGuest(t, "").Ask("OPTIONS", s.URL()+"/whip/hall", "", "", "")
	if resp.StatusCode != 204 || resp.Header.Get("Accept-Post") != "application/sdp" ||
		!strings.Contains(resp.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("OPTIONS: %s %v", resp.Status, resp.Header)
	}
}

// credentials takes what an ICE restart sends out of an offer.
func credentials(sdp string) string {
	var out []string
	for line := range strings.SplitSeq(sdp, "\r\n") {
		if strings.HasPrefix(line, "a=ice-ufrag") || strings.HasPrefix(line, "a=ice-pwd") {
			out = append(out, line+"\r\n")
		}
	}
	return strings.Join(out[:2], "")
}

// renewed puts a fragment's credentials into an answer.
func renewed(answer, fragment string) string {
	value := func(key string) string {
		_, after, _ := strings.Cut(fragment, key)
		v, _, _ := strings.Cut(after, "\r\n")
		return v
	}
	var out []string
	for line := range strings.SplitSeq(answer, "\r\n") {
		for _, key := range []string{"a=ice-ufrag:", "a=ice-pwd:"} {
			if strings.HasPrefix(line, key) {
				line = key + value(key)
			}
		}
		out = append(out, line)
	}
	return strings.Join(out, "\r\n")
}
