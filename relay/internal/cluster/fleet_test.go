package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/natstest"
	"sightline/relay/internal/relaytest"
	"sightline/relay/wire"
)

func TestMain(m *testing.M) { relaytest.Main(m) }

// fleet is three servers of NATS and three relays, each a process, with a party in each of some rooms.
type fleet struct {
	t       *testing.T
	servers *natstest.Cluster
	relays  []*relaytest.Process
	listen  []string
	token   func(room, role, name string) string
	admin   string
	parties []*party
	down    struct{ relay, server int } // what was killed last
}

// party is a field and an expert in one room.
type party struct {
	room          string
	field, expert *client.Client
	camera        *relaytest.Camera

	mu     sync.Mutex
	frames []time.Time // when pictures came to the expert
	drawn  map[string]time.Time
	seqs   map[string]map[uint64]bool // of the marks in the log, by message
	heard  map[string]time.Time       // when a mark came to the expert first
	errors int
	last   wire.Envelope // of the relay's own messages, the latest in the log
	back   int           // how often session time went back
	stop   chan struct{}
	tasks  sync.WaitGroup
}

func newFleet(t *testing.T, servers, relays int) *fleet {
	f := &fleet{t: t, servers: natstest.Start(t, servers), relays: make([]*relaytest.Process, relays), listen: make([]string, relays)}
	for i := range relays {
		f.listen[i] = "127.0.0.1:0"
		f.relays[i] = f.run(i, t.TempDir())
		f.listen[i] = f.relays[i].Listen()
	}
	a := f.relays[0].Authority(t)
	sign := func(g auth.Grant) string {
		token, err := a.Sign(g, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	f.token = func(room, role, name string) string { return sign(auth.Grant{Room: room, Role: role, Name: name}) }
	f.admin = sign(auth.Grant{Room: auth.AllRooms, Role: auth.Viewer, Name: "Ann", Staff: true, Rights: []string{auth.Moderate}})
	relaytest.Eventually(t, "the relays know one another", func() bool {
		for _, p := range f.relays {
			if strings.Count(p.Logged(), "another relay is there") < relays-1 {
				return false
			}
		}
		return true
	})
	return f
}

func (f *fleet) run(i int, data string) *relaytest.Process {
	return relaytest.StartProcess(f.t, data, f.listen[i], "--nats", f.servers.URL(), "--joins-per-minute", "0", "--requests-per-minute", "0", "--drain", "20s")
}

// restart starts a relay again that was killed.
func (f *fleet) restart(i int) { f.relays[i] = f.run(i, f.relays[i].Data) }

// rooms returns the rooms that somebody is in, on each relay that answers.
func (f *fleet) rooms() [][]string {
	all := make([][]string, len(f.relays))
	for i, p := range f.relays {
		var answer struct {
			Rooms []struct {
				Room         string
				Participants []struct{ ID string }
			}
		}
		if status, text := f.get(p.URL+"/api/v1/rooms", f.admin); status == http.StatusOK && json.Unmarshal([]byte(text), &answer) == nil {
			for _, r := range answer.Rooms {
				if len(r.Participants) > 0 {
					all[i] = append(all[i], r.Room)
				}
			}
		}
	}
	return all
}

func (f *fleet) get(address, token string) (status int, text string) {
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := (&http.Client{Timeout: 3 * time.Second}).Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// owner is the relay that has a room, -1 where none says so.
func (f *fleet) owner(room string) int {
	return slices.IndexFunc(f.rooms(), func(rooms []string) bool { return slices.Contains(rooms, room) })
}

// twice counts the rooms that two relays have people in, at two looks one after the other.
func (f *fleet) twice() int {
	look := func() map[string]int {
		n := map[string]int{}
		for _, rooms := range f.rooms() {
			for _, room := range rooms {
				n[room]++
			}
		}
		return n
	}
	first, n := look(), 0
	for room, owners := range first {
		if owners > 1 && look()[room] > 1 {
			n++
		}
	}
	return n
}

// join brings a party into its room, each of the two through another relay. Both draw every 100 ms.
func (f *fleet) join(n int) *party {
	p := &party{room: fmt.Sprintf("hall-%d", n), drawn: map[string]time.Time{}, heard: map[string]time.Time{}, seqs: map[string]map[uint64]bool{}, stop: make(chan struct{})}
	var track client.Track
	p.camera, track = relaytest.NewCamera()
	at := func(i int) string { return f.relays[(n+i)%len(f.relays)].URL }
	p.field = relaytest.Join(f.t, client.Config{URL: at(0), Token: f.token(p.room, auth.Field, "Tom"), Instance: p.room + "-field", Publish: []client.Track{track}})
	p.expert = relaytest.Join(f.t, client.Config{URL: at(1), Token: f.token(p.room, auth.Expert, "Eva"), Instance: p.room + "-expert", OnLog: p.hear, OnTrack: p.watch})
	p.camera.Play(p.field.Video("camera"))
	p.tasks.Go(func() { p.draw(p.field, "field") })
	p.tasks.Go(func() { p.draw(p.expert, "expert") })
	f.parties = append(f.parties, p)
	return p
}

func (p *party) hear(e wire.Envelope) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.From == "relay" && e.Seq > p.last.Seq {
		if e.Time < p.last.Time {
			p.back++
		}
		p.last = e
	}
	if e.Kind != wire.KindMark {
		return
	}
	if p.seqs[e.Msg] == nil {
		p.seqs[e.Msg] = map[uint64]bool{}
		p.heard[e.Msg] = time.Now()
	}
	p.seqs[e.Msg][e.Seq] = true
}

func (p *party) watch(t *client.RemoteTrack) {
	go func() {
		for {
			if _, err := t.ReadFrame(context.Background()); err != nil {
				return
			}
			p.mu.Lock()
			p.frames = append(p.frames, time.Now())
			p.mu.Unlock()
		}
	}()
}

// draw draws a new mark every 100 ms.
func (p *party) draw(c *client.Client, who string) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-p.stop:
			return
		}
		e, err := c.Publish(wire.KindMark, fmt.Sprintf("%s-%d", who, n), 0, n)
		p.mu.Lock()
		if err == nil {
			p.drawn[e.Msg] = time.Now()
		} else {
			p.errors++
		}
		p.mu.Unlock()
	}
}

// dark is the longest time without a picture since a moment, up to now.
func (p *party) dark(since time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, most := since, time.Duration(0)
	for _, at := range p.frames {
		if at.After(since) {
			most, last = max(most, at.Sub(last)), at
		}
	}
	return max(most, time.Since(last))
}

// missing counts what was drawn until a moment and has not come back in the log; twice what is in it at two places.
func (p *party) missing(from, until time.Time) (missing, twice int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for msg, at := range p.drawn {
		if at.Before(from) || at.After(until) {
			continue
		}
		switch len(p.seqs[msg]) {
		case 0:
			missing++
		case 1:
		default:
			twice++
		}
	}
	return missing, twice
}

// between counts what was drawn in a time, and returns how long the slowest of it took to the expert.
func (p *party) between(from, until time.Time) (n int, slowest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for msg, at := range p.drawn {
		if !at.Before(from) && !at.After(until) {
			n++
			slowest = max(slowest, p.heard[msg].Sub(at))
		}
	}
	return n, slowest
}

func (p *party) end() {
	close(p.stop)
	p.tasks.Wait()
}

// quiet says whether every party has seen pictures within the last half second, and has all its marks but those of the last second.
func (f *fleet) quiet() bool {
	for _, p := range f.parties {
		p.mu.Lock()
		fresh := len(p.frames) > 0 && time.Since(p.frames[len(p.frames)-1]) < 500*time.Millisecond
		p.mu.Unlock()
		if missing, _ := p.missing(time.Time{}, time.Now().Add(-time.Second)); !fresh || missing > 0 {
			return false
		}
	}
	return true
}
