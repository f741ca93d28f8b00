package plant

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// User is somebody who may speak to the embedded broker. The operator writes it in the section "mqtt-users" of the
// configuration file.
type User struct {
	Name string `yaml:"name"`
	// Password is the password, or, better, its bcrypt hash: htpasswd -nB NAME.
	Password string `yaml:"password"`
	// Publish and Subscribe are topic filters; where both are left out, plant/NAME/# for both.
	Publish   []string `yaml:"publish"`
	Subscribe []string `yaml:"subscribe"`
}

// leastPassword is how long a password is at least, bytes.
const leastPassword = 12

// Check returns an error that names what cannot be, or nil. It does not say the password.
func (u *User) Check() error {
	if u.Name == "" || strings.ContainsAny(u.Name, "/+#") || strings.HasPrefix(u.Name, "$") {
		return fmt.Errorf("name %.40q: want one without /, + and #", u.Name)
	}
	if _, err := bcrypt.Cost([]byte(u.Password)); err != nil && len(u.Password) < leastPassword {
		return fmt.Errorf("password of %s: want at least %d letters, or a bcrypt hash (htpasswd -nB %s)", u.Name, leastPassword, u.Name)
	}
	for _, f := range append(u.Publish, u.Subscribe...) {
		if !isFilter(f) {
			return fmt.Errorf("%q is no topic filter: # may be the last level, + a whole one", f)
		}
	}
	return nil
}

// isFilter says whether a text is a topic filter (MQTT 5, section 4.7.1).
func isFilter(text string) bool {
	levels := strings.Split(text, "/")
	for i, l := range levels {
		if l != "+" && l != "#" && strings.ContainsAny(l, "+#\x00") || l == "#" && i < len(levels)-1 {
			return false
		}
	}
	return text != ""
}

// covers says whether everything that a filter matches is matched by another.
func covers(allowed, filter string) bool {
	a, f := strings.Split(allowed, "/"), strings.Split(filter, "/")
	if strings.HasPrefix(f[0], "$") && a[0] != f[0] { // wildcards do not reach the broker's own topics
		return false
	}
	for i, level := range a {
		switch {
		case level == "#":
			return true
		case i == len(f), f[i] == "#", level != "+" && level != f[i]:
			return false
		}
	}
	return len(a) == len(f)
}

// may says whether the user may write to a topic, or read what a filter matches.
func (u *User) may(filter string, write bool) bool {
	allowed := u.Subscribe
	if write {
		allowed = u.Publish
	}
	if len(u.Publish)+len(u.Subscribe) == 0 {
		allowed = []string{"plant/" + u.Name + "/#"}
	}
	for _, a := range allowed {
		if covers(a, filter) {
			return true
		}
	}
	return false
}

func (u *User) is(password []byte) bool {
	if _, err := bcrypt.Cost([]byte(u.Password)); err == nil {
		return bcrypt.CompareHashAndPassword([]byte(u.Password), password) == nil
	}
	return subtle.ConstantTimeCompare([]byte(u.Password), password) == 1
}

// guard lets in users with their passwords, and each only to his topics.
type guard struct {
	mochi.HookBase
	server *mochi.Server
	users  map[string]*User
}

var errTwice = errors.New("two users of the same name")

func newGuard(server *mochi.Server, users []User) (*guard, error) {
	g := &guard{server: server, users: map[string]*User{}}
	for i := range users {
		u := &users[i]
		if g.users[u.Name] != nil {
			return nil, fmt.Errorf("%w: %s", errTwice, u.Name)
		}
		g.users[u.Name] = u
	}
	return g, nil
}

func (*guard) ID() string { return "guard" }

func (*guard) Provides(b byte) bool { return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck }

// OnConnectAuthenticate looks at the password, at the last will, which the broker publishes without asking, and at the
// client's ID: who takes another's would get his session.
func (g *guard) OnConnectAuthenticate(c *mochi.Client, p packets.Packet) bool {
	u := g.users[string(p.Connect.Username)]
	if u == nil || !u.is(p.Connect.Password) {
		return false
	}
	if p.Connect.WillFlag && !u.may(p.Connect.WillTopic, true) {
		return false
	}
	other, there := g.server.Clients.Get(p.Connect.ClientIdentifier)
	return !there || other == c || string(other.Properties.Username) == u.Name
}

// OnACLCheck looks at a topic that is written to, a filter that is subscribed to, or a topic that is delivered.
func (g *guard) OnACLCheck(c *mochi.Client, topic string, write bool) bool {
	if c.Net.Inline {
		return true
	}
	u := g.users[string(c.Properties.Username)]
	if u == nil || write && strings.ContainsAny(topic, "+#") {
		return false
	}
	if rest, shared := strings.CutPrefix(topic, "$share/"); shared { // $share/GROUP/FILTER
		_, topic, _ = strings.Cut(rest, "/")
	}
	return u.may(topic, write)
}
