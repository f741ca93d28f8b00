package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/cluster"
	"sightline/relay/internal/room"
)

var errDraining = errors.New("the relay is going out of service and opens no new rooms: try again in a minute, or another relay")

// Drain takes the relay out of service: it is no longer ready and refuses new rooms. Where there are other relays, its
// rooms go there at once. Otherwise running rooms go on, and let people in, until nobody is in any, the time is over, or
// ctx ends. Close ends them then.
func (s *Server) Drain(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	s.note(audit.Event{What: audit.Draining})
	idle := s.rooms.drain()
	s.handOver()
	select {
	case <-idle:
		s.log.Info("drained: nobody is in a room")
	case <-timer.C:
		_, rooms := s.rooms.draining()
		s.log.Warn("drained: the time is over", "rooms", rooms)
	case <-ctx.Done():
	}
}

// serveReady tells a load balancer whether to send new rooms here.
func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	if draining, rooms := s.rooms.draining(); draining {
		http.Error(w, fmt.Sprintf("draining: no new rooms; %d still running", rooms), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

// retryAfter is when somebody who was refused for the relay's own sake may come again, seconds.
const retryAfter = "10"

// unavailable answers somebody for whom no room could be opened.
func (s *Server) unavailable(w http.ResponseWriter, r *http.Request, g auth.Grant, err error) {
	var moved *movedError
	if errors.As(err, &moved) {
		redirect(w, r, moved.to)
		return
	}
	after := retryAfter
	reason := "the room cannot be opened; the relay's log says why"
	switch {
	case errors.Is(err, room.ErrLocked):
		s.forbid(w, r, g, err.Error())
		return
	case errors.Is(err, errDraining), errors.Is(err, errClosing), errors.Is(err, room.ErrFull):
		reason = err.Error()
	case errors.Is(err, errMoving), errors.Is(err, cluster.ErrWait), errors.Is(err, cluster.ErrCutOff), errors.Is(err, cluster.ErrDraining):
		reason, after = err.Error(), "1"
	default:
		s.log.Error("room cannot be opened", "room", g.Room, "error", err)
	}
	s.refused(r, g, reason)
	w.Header().Set("Retry-After", after)
	http.Error(w, reason, http.StatusServiceUnavailable)
}
