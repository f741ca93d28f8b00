package server

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/webrtc/v4"

	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/wire"
)

// Who loses the signalling socket and comes back in time goes on with the same session: package wire says how. Nobody
// else sees more of it than a picture that stands still for a moment.
const (
	// keepTime is how long a session is kept whose socket was lost.
	keepTime = 15 * time.Second
	// maxKept is how many such sessions are kept at once. Those beyond are lost at once.
	maxKept = 500
	// tellAfter is when the room is told that somebody is away, after what was last heard of him, unless his media still
	// come; that is looked at again every tellAgain.
	tellAfter = 3 * time.Second
	tellAgain = 200 * time.Millisecond
	// pathTime is how much longer a silent path is waited for: a restart of it may be under way.
	pathTime = 10 * time.Second
)

// sessions are those that their clients can come back to.
type sessions struct {
	mu   sync.Mutex
	byID map[string]*conn
	kept int // without a socket
}

// add takes a session, and says whether it can be come back to.
func (a *sessions) add(c *conn) bool {
	if c.id == "" || c.s.cfg.KeepTime < time.Second {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byID == nil {
		a.byID = map[string]*conn{}
	}
	a.byID[c.id] = c
	return true
}

func (a *sessions) remove(c *conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.byID, c.id)
}

func (a *sessions) get(id string) *conn {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byID[id]
}

// keep counts one more or one less that has no socket, and says whether there may be one more.
func (a *sessions) keep(more int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if more > 0 && a.kept >= maxKept {
		return false
	}
	a.kept += more
	return true
}

// resumption is what a request says of coming back.
type resumption struct {
	able    bool   // the client knows how to
	session string // empty: it comes for the first time
	heard   int64
}

// resumeOf reads "new", or the session and the number of the message that was heard last.
func resumeOf(r *http.Request) resumption {
	word := strings.Fields(r.Header.Get(wire.ResumeHeader))
	if len(word) == 0 {
		word = strings.Fields(r.URL.Query().Get("resume"))
	}
	switch len(word) {
	case 0:
		return resumption{}
	case 2:
		if heard, err := strconv.ParseInt(word[1], 10, 64); err == nil {
			return resumption{true, word[0], heard}
		}
	}
	return resumption{able: true}
}

// returning finds the session that a request comes back to: its own only, and while that goes on. It is nil where there
// is none; the client joins anew then.
func (s *Server) returning(r resumption, g auth.Grant, req *http.Request) *conn {
	c := s.sessions.get(r.session)
	if c == nil || c.who.ID != participantID(g, instance(req)) || c.grant.ID != g.ID || !c.out.Joins(r.heard) {
		return nil
	}
	return c
}

// resume goes on with a session on a new socket.
func (s *Server) resume(w http.ResponseWriter, r *http.Request, c *conn, heard int64) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	from := address(r)
	if !c.attach(ws, heard) {
		_ = ws.Close(websocket.StatusTryAgainLater, "the session has just ended")
		return
	}
	before := c.movedTo(from)
	s.log.Info("came back", "room", c.room.Name(), "id", c.who.ID, "name", c.who.Name, "address", from)
	if before != from {
		s.note(happened(c.event(), audit.CameBack, "", "from another address, before "+before))
		c.peer.Restart()
	}
	c.tellRoom(false)
}

// attach lets the session go on with a socket, after the message that its client has heard last. It is false where the
// session is over.
func (c *conn) attach(ws *websocket.Conn, heard int64) bool {
	ws.SetReadLimit(-1) // read has a limit of its own, which says so
	resumed := wire.Signal{Type: wire.SignalResumed, Heard: c.heard.Last()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.ctx.Err() != nil {
		return false
	}
	number, err := c.out.Open(heard)
	if err != nil {
		return false
	}
	k := &socket{c: c, ws: ws, number: number, heard: time.Now()}
	if number > 1 {
		k.first = &resumed
	}
	k.ctx, k.stop = context.WithCancel(c.ctx)
	if old := c.socket; old != nil { // its end may not have been noticed, and closing it may take a while
		c.tasks.Go(old.close)
	}
	if c.away != nil {
		c.away.Stop()
		c.away = nil
		c.s.sessions.keep(-1)
	}
	c.socket = k
	k.run()
	return true
}

// settings set pion up for the participant: the path of who knows how to come back is waited for.
func (c *conn) settings() webrtc.SettingEngine {
	settings := c.s.media.settings()
	if c.id != "" {
		settings.SetICETimeouts(iceLost, c.s.cfg.KeepTime+pathTime, iceKeep)
	}
	return settings
}

// movedTo takes note of the address that the participant is at, and returns the one before.
func (c *conn) movedTo(address string) (before string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, c.note.Address = c.note.Address, address
	return before
}

// event is what the audit log says of the participant in every line.
func (c *conn) event() audit.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.note
}

// left ends the session: its client has closed the socket in order.
func (c *conn) left(k *socket) {
	c.mu.Lock()
	mine := c.socket == k
	c.mu.Unlock()
	if mine {
		c.fail(errLeft)
	}
}

// broken keeps the session for a while whose socket was lost, or ends it.
func (c *conn) broken(k *socket, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.socket != k || c.ended {
		return
	}
	if c.s.sessions.get(c.id) != c || c.ctx.Err() != nil || !c.s.sessions.keep(1) {
		c.fail(err)
		return
	}
	c.socket = nil
	c.tasks.Go(k.close)
	c.s.log.Info("interrupted", "room", c.room.Name(), "id", c.who.ID, "name", c.who.Name, "reason", err)
	keep := c.s.cfg.KeepTime
	c.away = time.AfterFunc(keep, func() { c.fail(fmt.Errorf("did not come back within %v: %w", keep, err)) })
	heard := k.heard
	c.tasks.Go(func() { c.awaited(heard) })
}

// awaited tells the room of somebody who does not come back at once, after he was last heard.
func (c *conn) awaited(heard time.Time) {
	late := time.NewTimer(min(tellAfter, c.s.cfg.KeepTime) - time.Since(heard))
	defer late.Stop()
	for {
		select {
		case <-late.C:
		case <-c.ctx.Done():
			return
		}
		c.mu.Lock()
		back := c.socket != nil
		c.mu.Unlock()
		if back {
			return
		}
		if !c.peer.Alive() {
			c.tellRoom(true)
			return
		}
		late.Reset(tellAgain)
	}
}

// tellRoom tells the room that the participant's connection is interrupted, or no longer.
func (c *conn) tellRoom(amiss bool) {
	c.mu.Lock()
	same := c.amiss == amiss || amiss && c.socket != nil
	if !same {
		c.amiss = amiss
	}
	c.mu.Unlock()
	if !same {
		c.room.Restate(c, either(amiss, wire.Interrupted, wire.Back))
	}
}

// detach takes no socket any more, and returns the one that there is.
func (c *conn) detach() *socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.away != nil {
		c.away.Stop()
		c.away = nil
		c.s.sessions.keep(-1)
	}
	return c.socket
}
