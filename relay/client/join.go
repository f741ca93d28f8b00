package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sightline/relay/internal/replay"
	"sightline/relay/wire"
)

// JoinError says that the relay will not let this client in; trying again cannot help.
type JoinError struct {
	Status int    // HTTP
	Text   string // the relay's reason
}

func (e *JoinError) Error() string { return "the relay does not let you in: " + e.Text }

// isFinal says that trying again cannot help.
func isFinal(err error) bool {
	var join *JoinError
	var parse *url.Error
	return errors.As(err, &join) || errors.Is(err, ErrReplaced) || errors.As(err, &parse) && parse.Op == "parse"
}

// run lives session after session until the client is closed or cannot come back.
func (c *Client) run(s *session, err error) {
	defer close(c.done)
	for wait := backoff(0); ; wait = wait.next() {
		if s != nil {
			began := c.cfg.Now()
			var next *session
			if err = s.lobby(c.ctx); err == nil {
				next, err = s.live(c.ctx)
			}
			c.leave(s)
			if next != nil {
				s, wait = next, 0
				c.setState(Connecting, errAnew)
				continue
			}
			if c.cfg.Now().Sub(began) > 5*time.Second {
				wait = 0
			}
		}
		if c.ctx.Err() != nil {
			c.setState(Closed, nil)
			return
		}
		if isFinal(err) {
			c.setState(Closed, err)
			c.cancel()
			return
		}
		c.setState(Connecting, err)
		c.log.Info("connecting again", "in", time.Duration(wait), "error", err)
		select {
		case <-time.After(wait.jittered()):
		case <-c.ctx.Done():
			c.setState(Closed, nil)
			return
		}
		s, err = c.join(c.ctx)
	}
}

// backoff is a pause between attempts: 0.25 s, doubled up to 3 s.
type backoff time.Duration

func (b backoff) next() backoff {
	return min(max(2*b, backoff(250*time.Millisecond)), backoff(3*time.Second))
}

func (b backoff) jittered() time.Duration {
	if b == 0 {
		b = backoff(100 * time.Millisecond)
	}
	return time.Duration(b)*3/4 + rand.N(time.Duration(b)/2)
}

var errAnew = errors.New("the relay does not know the session any more: joining anew")

// join begins a session at the relay of the room; it may be in the lobby at first.
func (c *Client) join(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	d, err := c.open(ctx, "new")
	if err != nil {
		return nil, err
	}
	s, err := c.begin(d)
	if err != nil {
		_ = d.ws.CloseNow()
	}
	return s, err
}

// open opens the signalling socket and reads the first that the relay says.
func (c *Client) open(ctx context.Context, resume string) (dialled, error) {
	d, err := c.dial(ctx, resume)
	if err != nil {
		return d, err
	}
	d.ws.SetReadLimit(wire.MaxSignal)
	_, data, err := d.ws.Read(ctx)
	if err == nil {
		d.first, err = wire.DecodeSignal(data)
	}
	if err != nil {
		_ = d.ws.CloseNow()
		return d, fmt.Errorf("relay did not say welcome: %w", err)
	}
	return d, nil
}

// begin begins a session with a socket.
func (c *Client) begin(d dialled) (*session, error) {
	s := &session{c: c, dialled: d, slots: map[string]*slot{}, sends: make(chan []string, 1), shown: make(chan struct{}, 1),
		lost: make(chan error, 1), doubt: make(chan struct{}, 1), out: replay.Out{Max: maxSaid}}
	return s, s.first(d.first)
}

// lobbySilence is how long the relay may say nothing to who waits in the lobby.
const lobbySilence = 30 * time.Second

// lobby waits until a moderator lets the client in, where the relay wants that.
func (s *session) lobby(ctx context.Context) error {
	for told := ""; s.waiting != ""; {
		if s.waiting != told {
			told = s.waiting
			s.c.setState(Waiting, errors.New(told))
		}
		late, cancel := context.WithTimeout(ctx, lobbySilence)
		_, data, err := s.dialled.ws.Read(late)
		cancel()
		var m wire.Signal
		if err == nil {
			m, err = wire.DecodeSignal(data)
		}
		if err == nil {
			err = s.first(m)
		} else {
			err = fmt.Errorf("signalling socket: %w", err)
		}
		if err != nil {
			_ = s.dialled.ws.CloseNow()
			return err
		}
	}
	return nil
}

// first takes what the relay says before anything else: welcome, wait, or go.
func (s *session) first(m wire.Signal) error {
	s.waiting = ""
	_ = s.in.Take(m, func(wire.Signal) {})
	switch {
	case m.Type == wire.SignalWaiting:
		s.waiting = cmp.Or(m.Text, "waiting to be let in")
		return nil
	case m.Type == wire.SignalError && m.Code == wire.CodeRemoved:
		return &JoinError{Status: http.StatusForbidden, Text: m.Text}
	case m.Type != wire.SignalWelcome:
		return fmt.Errorf("relay said %q in place of welcome: %s", m.Type, m.Text)
	}
	s.id, s.keep = m.Session, time.Duration(m.Keep)*time.Second
	c := s.c
	c.clock.begin(m.SessionTime, c.now())
	c.mu.Lock()
	c.self, c.room, c.began, c.session = *m.Self, m.Room, m.SessionBegan, s
	c.relays.told(m.Relays)
	c.mu.Unlock()
	return nil
}

func (c *Client) leave(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == s {
		c.session = nil
	}
}

// joinError is a JoinError when the relay answered that this client may not come in.
func joinError(resp *http.Response, err error) error {
	if resp == nil {
		return fmt.Errorf("relay cannot be reached: %w", err)
	}
	text := ""
	if resp.Body != nil {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		text = strings.TrimSpace(string(body))
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusBadRequest:
		return &JoinError{Status: resp.StatusCode, Text: text}
	}
	return fmt.Errorf("relay answered %s: %s", resp.Status, text)
}

// ParseLink takes a join link as "relay invite" prints it, http://host:port/join#TOKEN, apart.
func ParseLink(link string) (base, token string, err error) {
	u, err := url.Parse(strings.TrimSpace(link))
	if err != nil {
		return "", "", err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Fragment == "" {
		return "", "", errors.New("not a join link: want http://host:port/join#TOKEN, as relay invite prints it")
	}
	token = u.Fragment
	u.Path, u.Fragment, u.RawQuery = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/join"), "", ""
	return u.String(), token, nil
}
