package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"sightline/relay/internal/bus"
	"sightline/relay/internal/cluster"
	"sightline/relay/internal/config"
	"sightline/relay/internal/record"
	"sightline/relay/wire"
)

// errMoving is told to who is in a room that goes to another relay, and who comes just then.
var errMoving = errors.New("the room goes to another relay: come again, and you are led there")

// movedError says that a room is on another relay.
type movedError struct{ to string }

func (e *movedError) Error() string { return "the room is on " + e.to }

// checkMany refuses settings for many relays that cannot be.
func (c *Config) checkMany() error {
	if err := c.NATS.Check(); err != nil {
		return config.Bad("nats", err)
	}
	if u, err := url.Parse(c.RelayURL); c.RelayURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return config.Bad("relay-url", fmt.Errorf("%q: want https://host, where clients reach this very relay", c.RelayURL))
	}
	host, _, _ := net.SplitHostPort(c.Listen)
	if ip := net.ParseIP(host); c.NATS.URL != "" && c.RelayURL == "" && c.PublicURL == "" && (host == "" || ip != nil && ip.IsUnspecified()) {
		return config.Bad("nats", fmt.Errorf("relays lead clients to one another, and nobody is reached at %s: say with relay-url where this one is", c.Listen))
	}
	return nil
}

// relayURL is where clients reach this very relay.
func (s *Server) relayURL() string {
	if s.cfg.RelayURL != "" {
		return s.cfg.RelayURL
	}
	return either(s.cfg.PublicURL != "", s.cfg.PublicURL, s.URL())
}

// relayURLs are where all relays are reached; none where this is the only one.
func (s *Server) relayURLs() []string {
	if s.dir == nil {
		return nil
	}
	return s.dir.URLs()
}

// openCluster joins the other relays that are on the same NATS.
func (s *Server) openCluster(ctx context.Context) error {
	if s.cfg.NATS.URL == "" {
		return nil
	}
	if s.cfg.MQTT == "" {
		s.log.Warn("each of many relays has an MQTT broker of its own, and hears its own machines only: set mqtt to the plant's broker, for all relays")
	}
	places, err := s.bus.OpenBucket(ctx, "places", 0)
	if err != nil {
		return err
	}
	proofs, err := s.bus.OpenBucket(ctx, "relays", time.Hour)
	if err != nil {
		return err
	}
	name := rand.Text()
	s.dir, err = cluster.Open(cluster.Config{URL: s.relayURL(), Name: name, Rooms: places, Air: s.bus, Log: s.log, Now: s.cfg.Now,
		Prove: func(ctx context.Context, data []byte) error { return proofs.Put(ctx, name, data) },
		Taken: func(err error) bool { return errors.Is(err, bus.ErrTaken) },
		Load:  s.load, Lost: s.loseRoom})
	if err != nil {
		return err
	}
	s.conns.Go(s.tidyPlaces)
	return s.share(ctx)
}

// load is what the relay carries. It does not wait: beats depend on it.
func (s *Server) load() cluster.Load {
	r := &s.rooms
	if r.mu.TryLock() {
		var l cluster.Load
		for _, o := range r.open {
			l.Rooms, l.Participants = l.Rooms+1, l.Participants+o.users
		}
		r.load.Store(&l)
		r.mu.Unlock()
	}
	if l := r.load.Load(); l != nil {
		return *l
	}
	return cluster.Load{}
}

// hold makes sure that a room that is opened is this relay's. lost is the relay that had it and was lost.
func (s *Server) hold(ctx context.Context, name string) (lost string, err error) {
	if s.dir == nil {
		return "", nil
	}
	to, mine, err := s.dir.Where(ctx, name, true)
	if err != nil {
		return "", err
	}
	if !mine {
		return "", &movedError{to.URL}
	}
	return s.dir.TakenFrom(name), nil
}

// release gives a room back to the directory, which was closed here.
func (s *Server) release(name string) {
	if s.dir == nil {
		return
	}
	if err := s.dir.Release(context.Background(), name); err != nil {
		s.log.Warn("room stays in the directory until this relay ends", "room", name, "error", err)
	}
}

// held is the log of the rooms that this relay holds: once it is cut off from the others it writes no more.
type held struct {
	*bus.Bus
	s *Server
}

func (h held) Append(ctx context.Context, room string, e wire.Envelope, late bool) (seq uint64, again bool, err error) {
	if h.s.dir != nil && !h.s.dir.In() {
		return 0, false, cluster.ErrCutOff
	}
	return h.Bus.Append(ctx, room, e, late)
}

// loseRoom lets go of a room that another relay has taken; of all, where this one is cut off.
func (s *Server) loseRoom(name string) {
	for _, o := range s.rooms.all() {
		if name == "" || o.Name() == name {
			s.rooms.move(o, false)
		}
	}
	s.sendOn(name)
}

// handOver gives the rooms of a relay that goes out of service to the others, where there are any.
func (s *Server) handOver() {
	if s.dir == nil || !s.dir.Drain() {
		return
	}
	var moves sync.WaitGroup
	for _, o := range s.rooms.all() {
		moves.Go(func() {
			o.Report(record.KindFault, "relay", record.Fault{Text: "The relay " + s.relayURL() + " goes out of service, and the room goes to another one. " +
				"A recording goes on there; what was recorded until now is on the disk of " + s.relayURL() + "."})
			s.rooms.move(o, true)
		})
	}
	moves.Wait()
	for _, name := range s.dir.Mine() { // those in whose lobby somebody waits, and nobody is in
		if !s.rooms.isClosing(name) { // it is released when it has
			s.release(name)
		}
	}
	s.sendOn("")
}

// sendOn lets those who wait in the lobby come again, and be led to their room's relay.
func (s *Server) sendOn(room string) {
	for _, k := range s.lobby.list(room) {
		if k := s.lobby.take(k.room, k.who.ID); k != nil {
			k.answer <- signalError{wire.CodeMoved, errMoving.Error()}
		}
	}
}

// move ends a room here, which goes on elsewhere: nothing is said of who is in it, so that nobody seems to leave.
func (r *rooms) move(o *openRoom, release bool) {
	r.mu.Lock()
	if o.moving || o.over != nil || r.closed {
		r.mu.Unlock()
		return
	}
	o.moving = true
	if o.timer != nil {
		o.timer.Stop()
	}
	r.mu.Unlock()
	r.s.log.Info("room goes to another relay", "room", o.Name())
	o.Room.Close()
	if release {
		r.s.release(o.Name())
	}
	r.s.guests.move(o)
	r.mu.Lock()
	defer r.mu.Unlock()
	close(o.moved)
	if o.users == 0 && !r.closed {
		r.gone(o.Name(), o)
		r.settle()
	}
}

// gone forgets a room that has moved, when everybody has left. The caller holds mu.
func (r *rooms) gone(name string, o *openRoom) {
	if r.open[name] != o {
		return
	}
	delete(r.open, name)
	r.ending.Go(func() { r.s.endRecording(o) }) // it takes its time
}

// move ends the sessions by WHIP and WHEP in a room.
func (g *guests) move(o *openRoom) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, one := range g.byID {
		if one.room == o {
			one.fail(errMoving)
		}
	}
}

// tidyPlaces releases rooms that this relay holds and nobody is in: somebody wanted to come, and did not. It runs until
// the relay closes.
func (s *Server) tidyPlaces() {
	tick := time.NewTicker(s.cfg.Linger)
	defer tick.Stop()
	idle := map[string]bool{}
	for {
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return
		}
		now := map[string]bool{}
		for _, name := range s.dir.Mine() {
			if s.rooms.has(name) || len(s.lobby.list(name)) > 0 {
				continue
			}
			if idle[name] {
				s.release(name)
			} else {
				now[name] = true
			}
		}
		idle = now
	}
}

// has says whether a room is open, opening or closing.
func (r *rooms) has(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open[name] != nil
}

// Relays returns this relay and the others that live.
func (s *Server) Relays() []cluster.Relay {
	if s.dir == nil {
		return nil
	}
	return s.dir.Relays()
}
