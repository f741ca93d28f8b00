package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// What there is to tell.
const (
	RoomStarted       = "room.started"
	RoomEnded         = "room.ended"
	ParticipantJoined = "participant.joined"
	ParticipantLeft   = "participant.left"
	LobbyWaiting      = "lobby.waiting"
	MarkPlaced        = "mark.placed"
	AlarmRaised       = "alarm.raised"
	AlarmCleared      = "alarm.cleared"
	RecordingSealed   = "recording.sealed"
)

// Events are all that there are.
func Events() []string {
	return []string{RoomStarted, RoomEnded, ParticipantJoined, ParticipantLeft, LobbyWaiting, MarkPlaced, AlarmRaised, AlarmCleared, RecordingSealed}
}

// Target is who is told. The operator writes it in the section "webhooks" of the configuration file.
type Target struct {
	URL string `yaml:"url"`
	// Secret signs: whsec_ and at least 24 bytes in base64, as Standard Webhooks have it.
	Secret string   `yaml:"secret"`
	Events []string `yaml:"events"` // none: all
	Rooms  string   `yaml:"rooms"`  // a pattern of rooms' names; empty: all
	// AllowPrivate lets the name lead to a private address (RFC 1918, RFC 4193), AllowHTTP do so without TLS.
	AllowPrivate bool `yaml:"allow-private"`
	AllowHTTP    bool `yaml:"allow-http"`
}

// leastSecret is how long a secret is at least, bytes.
const leastSecret = 24

// Check returns an error that names what cannot be, or nil. It does not say the secret.
func (t *Target) Check() error {
	u, err := url.Parse(t.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("url: want https://host/path, without a password in it")
	}
	if u.Scheme == "http" && !t.AllowHTTP && !isLoopback(u.Hostname()) {
		return fmt.Errorf("url: http to %s can be read and changed on the way: want https, or say allow-http: true", u.Hostname())
	}
	if key, err := t.key(); err != nil || len(key) < leastSecret {
		return fmt.Errorf("secret: want whsec_ and at least %d bytes in base64: echo whsec_$(openssl rand -base64 32)", leastSecret)
	}
	for _, e := range t.Events {
		if !slices.Contains(Events(), e) {
			return fmt.Errorf("events: there is no %.40q; want some of %s", e, strings.Join(Events(), ", "))
		}
	}
	if _, err := path.Match(t.Rooms, ""); err != nil {
		return fmt.Errorf("rooms: %q is no pattern: want letters, digits, -, _, * and ?", t.Rooms)
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// wants says whether an event of a room is for the target.
func (t *Target) wants(event, room string) bool {
	if len(t.Events) > 0 && !slices.Contains(t.Events, event) {
		return false
	}
	ok, err := path.Match(t.Rooms, room)
	return t.Rooms == "" || ok && err == nil
}

// lane names the target's lane in the queue.
func (t *Target) lane() string {
	sum := sha256.Sum256([]byte(t.URL))
	return hex.EncodeToString(sum[:8])
}

// Name is the target for logs: without path and query, which may hold a secret of its own.
func (t *Target) Name() string {
	u, err := url.Parse(t.URL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func (t *Target) key() ([]byte, error) {
	text, ok := strings.CutPrefix(t.Secret, "whsec_")
	if !ok {
		return nil, errors.New("secret without whsec_")
	}
	return base64.StdEncoding.DecodeString(text)
}

// Sign returns the signature of a message by the scheme v1 of Standard Webhooks.
func (t *Target) Sign(id string, at time.Time, body []byte) (string, error) {
	key, err := t.key()
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}
