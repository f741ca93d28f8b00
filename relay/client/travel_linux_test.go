package client_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

// journey is a technician who walks from network to network, an expert who sees his camera and shows him theirs, and
// another expert who sees both.
type journey struct {
	t         *testing.T
	s         *server.Server
	traveller *relaytest.Traveller
	ann       *client.Client
	here      viewer // the traveller's camera, as Ann sees it
	there     viewer // Ann's camera, as the traveller sees it
	good      viewer // Ann's camera, as Bob sees it

	mu     sync.Mutex
	states []string
}

func newJourney(t *testing.T) *journey {
	t.Helper()
	cert, key, roots := relaytest.Certificate(t, x509.Certificate{NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(10, 77, 0, 1)}})
	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	j := &journey{t: t}
	j.s = relaytest.Start(t, func(c *server.Config) { c.Listen, c.TLSCert, c.TLSKey = "10.77.0.1:0", cert, key })
	j.traveller = relaytest.StartTraveller(t, j.see)
	j.traveller.Attach(t, "wifi", 1)
	j.traveller.Attach(t, "cell", 2)
	j.traveller.Join(t, "wifi", 1)
	camera, track := relaytest.NewCamera()
	trusting := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	join := func(name string, publish []client.Track, tom, ann *viewer) *client.Client {
		return relaytest.Join(t, client.Config{URL: j.s.URL(), HTTP: trusting, Instance: name, Publish: publish,
			Token: relaytest.Token(t, j.s.Authority(), "expert", name), OnLog: tom.marks.Take, OnTrack: func(r *client.RemoteTrack) {
				v, sent := tom, func(int64) []byte { return nil }
				if j.ann != nil && r.Participant == j.ann.Self().ID {
					v, sent = ann, camera.Sent
				}
				go v.watch(t.Context(), r, sent)
			}})
	}
	j.ann = join("Ann", []client.Track{track}, &j.here, nil)
	camera.Play(j.ann.Video("camera"))
	t.Cleanup(camera.Stop)
	join("Bob", nil, new(viewer), &j.good)
	j.traveller.Go(t, relaytest.Itinerary{URL: j.s.URL(), Instance: "tom", Token: relaytest.Token(t, j.s.Authority(), "field", "Tom"), Roots: string(pem)})
	relaytest.Eventually(t, "pictures go both ways", func() bool {
		return j.here.count(time.Time{}) > 30 && j.there.count(time.Time{}) > 30 && j.good.count(time.Time{}) > 30
	})
	return j
}

func (j *journey) see(s relaytest.Sight) {
	switch s.What {
	case "picture":
		j.there.mu.Lock()
		j.there.shown = append(j.there.shown, time.Now())
		j.there.mu.Unlock()
	case "state":
		j.mu.Lock()
		j.states = append(j.states, s.Text)
		j.mu.Unlock()
	case "mark":
		j.there.marks.Take(wire.Envelope{Kind: wire.KindMark, ID: s.Text})
	}
}

// without is the longest time without pictures since a moment.
func (v *viewer) without(since time.Time) (longest time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	last := since
	for _, at := range v.shown {
		if at.After(since) {
			longest, last = max(longest, at.Sub(last)), at
		}
	}
	return max(longest, time.Since(last))
}

func (j *journey) move(name string, change func()) {
	j.t.Helper()
	time.Sleep(2 * time.Second)
	since := time.Now()
	change()
	for i := range 16 {
		j.traveller.Draw(j.t, fmt.Sprintf("%s-%d", name, i))
		time.Sleep(500 * time.Millisecond)
	}
	relaytest.Eventually(j.t, "pictures go both ways again", func() bool {
		return j.here.count(time.Now().Add(-time.Second)) > 15 && j.there.count(time.Now().Add(-time.Second)) > 15
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	j.t.Logf("| %-40s | %.1f s | %.1f s | %.1f s | %v", name, j.here.without(since).Seconds(), j.there.without(since).Seconds(), j.good.without(since).Seconds(), j.states)
	j.states = nil
}

func TestTravel(t *testing.T) {
	if !relaytest.Alone(t) {
		return
	}
	j := newJourney(t)
	v := j.traveller
	j.move("wifi goes, cell comes at once", func() { v.Leave(t, "wifi"); v.Join(t, "cell", 2) })
	j.move("cell goes, wifi comes 2 s later", func() { v.Leave(t, "cell"); time.Sleep(2 * time.Second); v.Join(t, "wifi", 1) })
	j.move("cell comes, 1 s later wifi goes", func() { v.Join(t, "cell", 2); time.Sleep(time.Second); v.Leave(t, "wifi") })
	j.move("cell turns silent, 1 s later wifi comes", func() { v.Mute(t, "cell"); time.Sleep(time.Second); v.Join(t, "wifi", 1) })
}
