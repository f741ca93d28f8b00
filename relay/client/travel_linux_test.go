package client_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

// journey is a technician who walks from network to network, an expert who sees his camera and shows him theirs, and
// another expert who sees that one too.
type journey struct {
	t         *testing.T
	s         *server.Server
	data      string
	traveller *relaytest.Traveller
	ann       *client.Client
	here      viewer // the traveller's camera and marks, as Ann sees them
	there     viewer // Ann's camera and marks, as the traveller sees them
	bob       viewer // Ann's camera, as Bob sees it

	mu     sync.Mutex
	tracks int                // that the traveller was given
	states []string           // the traveller's
	people []wire.Participant // what was said of the traveller
	heard  int                // tracks of the traveller's that Ann was given
}

func newJourney(t *testing.T) *journey {
	t.Helper()
	cert, key, roots := relaytest.Certificate(t, x509.Certificate{NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(relaytest.Here)}})
	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	j := &journey{t: t, data: t.TempDir()}
	j.s = relaytest.Start(t, func(c *server.Config) {
		c.Listen, c.TLSCert, c.TLSKey, c.Data = relaytest.Here+":0", cert, key, j.data
	})
	j.traveller = relaytest.StartTraveller(t, j.see)
	j.traveller.Attach(t, "wifi", 1)
	j.traveller.Attach(t, "cell", 2)
	j.traveller.Join(t, "wifi", 1)
	camera, track := relaytest.NewCamera()
	trusting := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	join := func(name string, publish []client.Track, onLog func(wire.Envelope), onTrack func(*client.RemoteTrack)) *client.Client {
		return relaytest.Join(t, client.Config{URL: j.s.URL(), HTTP: trusting, Instance: name, Publish: publish,
			Token: relaytest.Token(t, j.s.Authority(), "expert", name), OnLog: onLog, OnTrack: onTrack})
	}
	watch := func(v *viewer) func(*client.RemoteTrack) {
		return func(r *client.RemoteTrack) { go v.watch(t.Context(), r, func(int64) []byte { return nil }) }
	}
	j.ann = join("Ann", []client.Track{track}, j.log, func(r *client.RemoteTrack) {
		j.mu.Lock()
		j.heard++
		j.mu.Unlock()
		watch(&j.here)(r)
	})
	camera.Play(j.ann.Video("camera"))
	t.Cleanup(camera.Stop)
	join("Bob", nil, nil, func(r *client.RemoteTrack) {
		if r.Participant == j.ann.Self().ID {
			watch(&j.bob)(r)
		}
	})
	j.traveller.Go(t, relaytest.Itinerary{URL: j.s.URL(), Instance: "tom", Token: relaytest.Token(t, j.s.Authority(), "field", "Tom"), Roots: string(pem)})
	relaytest.Eventually(t, "pictures go both ways", func() bool {
		return j.here.count(time.Time{}) > 30 && j.there.count(time.Time{}) > 30 && j.bob.count(time.Time{}) > 30
	})
	return j
}

// log is what Ann hears.
func (j *journey) log(e wire.Envelope) {
	j.here.take(e)
	var p wire.Participant
	if e.Kind == wire.KindParticipant && json.Unmarshal(e.Body, &p) == nil && p.Name == "Tom" {
		j.mu.Lock()
		j.people = append(j.people, p)
		j.mu.Unlock()
	}
}

// see is what the traveller sees.
func (j *journey) see(s relaytest.Sight) {
	switch s.What {
	case "picture":
		j.there.mu.Lock()
		j.there.shown = append(j.there.shown, time.Now())
		j.there.mu.Unlock()
	case "mark":
		j.there.take(wire.Envelope{Kind: wire.KindMark, ID: s.Text, Msg: s.Msg})
	case "track":
		j.mu.Lock()
		j.tracks++
		j.mu.Unlock()
	case "state":
		j.mu.Lock()
		j.states = append(j.states, s.Text)
		j.mu.Unlock()
	}
}

// move lets the network change while both draw, and prints what both saw of it. change returns when there is a network
// again.
func (j *journey) move(name string, change func()) {
	j.t.Helper()
	up := &sight{name: name + ": his camera and marks", since: time.Now(), drawn: map[string]time.Time{}}
	down := &sight{name: name + ": what he sees", since: up.since, drawn: map[string]time.Time{}}
	stop := make(chan struct{})
	drawn := sync.WaitGroup{}
	drawn.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Millisecond):
			}
			id := fmt.Sprintf("%s-%d", name, i)
			up.drawn[id+"-tom"] = time.Now()
			j.traveller.Draw(j.t, id+"-tom")
			down.drawn[id+"-ann"] = time.Now()
			if _, err := j.ann.Publish(wire.KindMark, id+"-ann", 0, "drawn"); err != nil {
				j.t.Error(err)
			}
		}
	})
	change()
	again := time.Now()
	for s, v := range map[*sight]*viewer{up: &j.here, down: &j.there} {
		if at := v.smooth(again, time.Minute); at.IsZero() {
			j.t.Errorf("%s: no pictures after a minute", s.name)
		} else {
			s.recovered = at.Sub(again)
		}
	}
	time.Sleep(lasting(time.Second))
	close(stop)
	drawn.Wait()
	for s, v := range map[*sight]*viewer{up: &j.here, down: &j.there} {
		s.took(v, &j.bob, int(30*time.Since(s.since).Seconds()))
		s.marks(j.t, v)
	}
	up.print(j.t)
	down.print(j.t)
	if up.otherFrozen > up.lasted/4 {
		j.t.Errorf("%s: Bob's picture of Ann stood still for %v", name, up.otherFrozen)
	}
	for _, s := range []*sight{up, down} {
		if s.recovered > 15*time.Second {
			j.t.Errorf("%s: pictures came again %v after the network did", s.name, s.recovered)
		}
	}
}

// A technician's network changes under him: his session goes on over another path. Nobody leaves, joins or publishes
// anew, no mark is lost or comes twice, and nobody else's picture stands still.
func TestAChangeOfNetworkIsNoChangeOfSession(t *testing.T) {
	t.Parallel()
	if !relaytest.Alone(t, fmt.Sprintf("-poor=%v", *poor)) {
		return
	}
	j := newJourney(t)
	v := j.traveller
	j.move("Wi-Fi goes, cellular comes at once", func() { v.Leave(t, "wifi"); v.Join(t, "cell", 2) })
	j.move("cellular goes, Wi-Fi comes 2 s later", func() { v.Leave(t, "cell"); time.Sleep(2 * time.Second); v.Join(t, "wifi", 1) })
	j.move("cellular comes, 1 s later Wi-Fi goes", func() { v.Join(t, "cell", 2); time.Sleep(time.Second); v.Leave(t, "wifi") })
	j.move("5 s of nothing", func() { v.Mute(t, "cell", 2); time.Sleep(5 * time.Second); v.Unmute(t, "cell", 2) })
	j.move("cellular turns silent, 1 s later Wi-Fi comes", func() { v.Mute(t, "cell", 2); time.Sleep(time.Second); v.Join(t, "wifi", 1) })
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, p := range j.people {
		if !p.Online {
			t.Errorf("the room was told of Tom: %s", p.Reason)
		}
	}
	if plain := len(slices.DeleteFunc(j.people, func(p wire.Participant) bool { return p.Reason != "" })); plain != 1 {
		t.Errorf("Tom has joined %d times", plain)
	}
	if j.heard != 1 || j.tracks != 1 {
		t.Errorf("Ann was given %d tracks of Tom's, Tom %d of Ann's", j.heard, j.tracks)
	}
	t.Logf("Tom's states: %v", j.states)
	file, err := os.ReadFile(j.data + "/audit.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(file, []byte(`"what":"came back"`)); n != 4 {
		t.Errorf("the audit log says %d times that Tom came back from another address, want 4:\n%s", n, file)
	}
}
