package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sightline/devices/mqtt"
	"sightline/relay/internal/bus"
)

// relay is what was seen of a running one.
type relay struct {
	url   string
	up    bool
	here  bool // on this machine, by these settings
	err   error
	ahead time.Duration // its clock, before this machine's
}

// maxAhead is how far the relay's clock may be off this machine's.
const maxAhead = 5 * time.Second

// address is where the relay is looked for, as a URL.
func (c Config) address() string {
	if c.URL != "" {
		return c.URL
	}
	host, port, _ := net.SplitHostPort(c.Listen)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// look asks the relay whether it is well, as a client would. Without a URL the name in its certificate is not
// looked at: clients use another.
func (c Config) look(ctx context.Context) relay {
	r := relay{url: c.address()}
	local := c
	local.URL = ""
	r.here = c.healthy(ctx, local.address(), true, &relay{}) == nil
	r.err = c.healthy(ctx, r.url, c.URL == "", &r)
	r.up = r.err == nil
	return r
}

func (c Config) healthy(ctx context.Context, base string, anyName bool, r *relay) error {
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/healthz", nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: anyName}}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		r.ahead = date.Sub(c.Now())
	}
	word := make([]byte, 3)
	if _, _ = resp.Body.Read(word); resp.StatusCode != http.StatusOK || string(word) != "ok\n" {
		return fmt.Errorf("%s/healthz answers %s, but not as a relay does", base, resp.Status)
	}
	return nil
}

// outside looks at the relay as a client does.
func (c Config) outside(ctx context.Context, r relay) []Finding {
	f := Finding{What: "relay", Level: OK, Text: r.url + " answers"}
	if !r.up {
		f.Level, f.Text, f.Mend = Warn, r.url+" does not answer: "+r.err.Error(), "start the relay, and run doctor again to look at it from outside"
		if c.URL != "" {
			f.Level, f.Mend = Fail, "start the relay; let the port through every firewall on the way, TCP and UDP; see that the name leads here"
		}
		var unknown x509.UnknownAuthorityError
		if errors.As(r.err, &unknown) {
			f.Mend = "the certificate is signed by nobody that clients know: get one that is, or put its authority on every client; tls-cert must hold the chain"
		}
		return []Finding{f}
	}
	return []Finding{f, c.turn(ctx, r.url)}
}

// turn asks the TURN server for the address that it sees, over TCP as clients do.
func (c Config) turn(ctx context.Context, base string) Finding {
	f := Finding{What: "TURN", Level: OK, Text: "answers over TCP on the same port"}
	if err := c.askTURN(ctx, base); err != nil {
		f.Level, f.Text = Fail, err.Error()
		f.Mend = "something between here and the relay lets only HTTP through, a proxy for one: pass TCP on as it is, or clients behind strict firewalls have no media"
	}
	return f
}

func (c Config) askTURN(ctx context.Context, base string) error {
	u, err := url.Parse(base)
	if err != nil {
		return err
	}
	host, secure := u.Host, u.Scheme == "https"
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), map[bool]string{true: "443", false: "80"}[secure])
	}
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	var conn net.Conn
	if secure {
		conn, err = (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", host) // relay looks at the certificate
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", host)
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	request := append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, rand.Text()[:12]...) // a binding request (RFC 8489, section 5)
	if _, err := conn.Write(request); err != nil {
		return err
	}
	answer := make([]byte, len(request))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return fmt.Errorf("%s does not answer STUN over TCP: %w", host, err)
	}
	if !bytes.Equal(answer[:2], []byte{1, 1}) || !bytes.Equal(answer[4:], request[4:]) {
		return fmt.Errorf("%s answers STUN over TCP with something else", host)
	}
	return nil
}

func (c Config) nats(ctx context.Context) Finding {
	f := Finding{What: "nats", Level: OK, Text: "embedded"}
	if c.NATS.URL == "" {
		return f
	}
	about, err := bus.Check(ctx, c.NATS)
	f.Text = about
	if err != nil {
		text, mend, _ := strings.Cut(err.Error(), "; ")
		f.Level, f.Text, f.Mend = Fail, text, mend
	}
	return f
}

func (c Config) broker(ctx context.Context) Finding {
	f := Finding{What: "mqtt", Level: OK, Text: mqtt.Redact(c.MQTT) + " takes connections"}
	host, err := mqtt.Host(c.MQTT)
	if err == nil {
		var conn net.Conn
		ctx, cancel := context.WithTimeout(ctx, c.Patience)
		defer cancel()
		if conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", host); err == nil {
			_ = conn.Close()
		}
	}
	if err != nil {
		f.Level, f.Text, f.Mend = Fail, mqtt.Redact(c.MQTT)+": "+err.Error(), "start the plant's broker, let its port through, or leave mqtt out for the embedded one"
	}
	return f
}
