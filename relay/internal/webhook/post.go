package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

// newClient reaches a target and nothing else: no redirects, no proxy, and no address that the target's name should
// not lead to (see Target), whatever the name resolves to at the moment.
func newClient(t *Target, timeout time.Duration) *http.Client {
	local := false
	if u, err := url.Parse(t.URL); err == nil {
		local = isLoopback(u.Hostname())
	}
	dialer := &net.Dialer{Timeout: timeout, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return mayReach(at.Addr().Unmap(), local, t.AllowPrivate)
	}}
	return &http.Client{Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConns: 1, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: timeout}}
}

// mayReach returns why an address must not be reached, or nil.
func mayReach(ip netip.Addr, local, private bool) error {
	switch {
	case ip.IsLoopback():
		if !local {
			return fmt.Errorf("the name leads to this machine itself (%s): write 127.0.0.1 where that is meant", ip)
		}
	case ip.IsLinkLocalUnicast(), ip.IsMulticast(), ip.IsUnspecified(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("the name leads to %s, which no webhook may reach", ip)
	case ip.IsPrivate() && !private:
		return fmt.Errorf("the name leads to the private address %s: say allow-private: true where that is meant", ip)
	}
	return nil
}

// post sends a message. It fails unless the answer is 2xx.
func (s *Sender) post(t *Target, client *http.Client, m message) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Timeout)
	defer cancel()
	now := s.cfg.Now()
	signature, err := t.Sign(m.ID, now, m.Body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL, bytes.NewReader(m.Body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Sightline")
	r.Header.Set("Webhook-Id", m.ID)
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("Webhook-Signature", signature)
	resp, err := client.Do(r)
	var in *url.Error
	if errors.As(err, &in) {
		return in.Err // without the address, which may hold a secret
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return nil
}

// Reach asks the target for its headers, and fails where nothing answers. It tells it nothing.
func (t *Target) Reach(ctx context.Context) error {
	client := newClient(t, time.Minute)
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, t.URL, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	var in *url.Error
	if errors.As(err, &in) {
		return in.Err
	}
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
