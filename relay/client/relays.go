package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"sightline/relay/wire"
)

// joinPatience is how long one attempt to join may take: over TLS three round trips, which may be of two seconds.
const joinPatience = 8 * time.Second

// maxHops is how often a relay may lead a client on in one attempt.
const maxHops = 4

// relays are the relays that a client may join at. Its owner's mutex guards it.
type relays struct {
	given string   // as the client was made
	known []string // as the latest welcome has said
	last  string   // where the client was let in
	turn  int      // attempts since
}

// told takes the list of a welcome; the relay that has the room stands first.
func (r *relays) told(all []string) {
	if len(all) > 0 {
		r.known = slices.Clone(all)
	}
}

// next returns where to try: where it has worked last, then each of the others in turn.
func (r *relays) next() string {
	all := []string{}
	for _, one := range append([]string{r.last, r.given}, r.known...) {
		if one != "" && !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	r.turn++
	return all[(r.turn-1)%len(all)]
}

// joined takes note of where the client was let in.
func (r *relays) joined(at string) { r.last, r.turn = at, 0 }

// trusts says whether the token may be told to an address: over https, on this machine, or at a relay that is known.
func (r *relays) trusts(u *url.URL) bool {
	return secure(u) || slices.ContainsFunc(append([]string{r.given}, r.known...), func(one string) bool {
		k, err := url.Parse(one)
		return err == nil && k.Scheme == u.Scheme && k.Host == u.Host
	})
}

// secure says whether nobody on the way can read what is told to an address: over https, or on this machine.
func secure(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// dialled is a signalling socket that was opened.
type dialled struct {
	ws    *websocket.Conn
	local string      // the address on this machine, without the port; empty where it is not known
	first wire.Signal // what the relay has said first
}

// dial opens the signalling socket: at the relay whose turn it is, or where that one leads. resume is what wire.ResumeHeader says.
func (c *Client) dial(ctx context.Context, resume string) (d dialled, err error) {
	c.mu.Lock()
	base := c.relays.next()
	c.mu.Unlock()
	address, err := socketURL(base)
	if err != nil {
		return d, err
	}
	seen := []string{}
	for len(seen) <= maxHops {
		var to *url.URL
		if d, to, err = c.dialAt(ctx, address, resume); err != nil {
			return d, err
		}
		if d.ws != nil {
			c.mu.Lock()
			c.relays.joined(address.Scheme + "://" + address.Host + strings.TrimSuffix(address.Path, "/ws"))
			c.mu.Unlock()
			return d, nil
		}
		seen = append(seen, address.Host+address.Path)
		if address = to; slices.Contains(seen, address.Host+address.Path) {
			break
		}
		c.mu.Lock()
		trusted := c.relays.trusts(address)
		c.mu.Unlock()
		if !trusted {
			return d, fmt.Errorf("the relay leads to %s://%s, which is neither https nor a relay that it has named: the token is not sent there", address.Scheme, address.Host)
		}
		c.log.Debug("the room is on another relay", "at", address.Host)
	}
	return d, errors.New("the relays do not agree on where the room is: they lead in a circle")
}

// dialAt opens the socket at one relay, or returns where that one leads.
func (c *Client) dialAt(ctx context.Context, at *url.URL, resume string) (d dialled, to *url.URL, err error) {
	header := http.Header{"Authorization": {"Bearer " + c.cfg.Token}, wire.InstanceHeader: {c.cfg.Instance}, wire.ResumeHeader: {resume}}
	direct := *c.cfg.HTTP
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	var local net.Addr
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { local = i.Conn.LocalAddr() }})
	ws, resp, err := websocket.Dial(traced, at.String(), &websocket.DialOptions{HTTPClient: &direct, HTTPHeader: header})
	if err == nil {
		if a, ok := local.(*net.TCPAddr); ok {
			d.local = a.IP.String()
		}
		d.ws = ws
		return d, nil, nil
	}
	if resp == nil || resp.StatusCode != http.StatusTemporaryRedirect {
		return d, nil, joinError(resp, err)
	}
	to, err = at.Parse(resp.Header.Get("Location"))
	if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" {
		return d, nil, fmt.Errorf("the relay leads to %.80q, which is no address of a relay", resp.Header.Get("Location"))
	}
	return d, to, nil
}

// socketURL is where the signalling socket of a relay is. Schemes stay http and https, which websocket.Dial takes too.
func socketURL(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "http", "https":
	case "ws", "wss":
		u.Scheme = "http" + strings.TrimPrefix(u.Scheme, "ws")
	default:
		return nil, &url.Error{Op: "parse", URL: base, Err: errors.New("want http://host:port or https://host:port")}
	}
	u.Path, u.RawQuery, u.Fragment = strings.TrimSuffix(u.Path, "/")+"/ws", "", ""
	return u, nil
}
