package plant

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/crypto/bcrypt"

	"sightline/devices/mqtt"
)

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		allowed, filter string
		want            bool
	}{
		{"plant/hall1/#", "plant/hall1/pump/pressure", true}, {"plant/hall1/#", "plant/hall1", true}, {"plant/hall1/#", "plant/hall1/+/x", true},
		{"plant/hall1/#", "plant/hall2/pump", false}, {"plant/hall1/#", "plant/+/pump", false}, {"plant/hall1/#", "plant/#", false},
		{"plant/hall1/#", "#", false}, {"plant/+/state", "plant/x/state", true}, {"plant/+/state", "plant/+/state", true},
		{"plant/+/state", "plant/#", false}, {"plant/+/state", "plant/x/state/y", false}, {"a/b", "a", false}, {"#", "$SYS/x", false}, {"$SYS/#", "$SYS/x", true},
	} {
		if got := covers(c.allowed, c.filter); got != c.want {
			t.Errorf("%s covers %s: %v", c.allowed, c.filter, got)
		}
	}
}

func TestCheckUser(t *testing.T) {
	for _, c := range []struct {
		user User
		want string
	}{
		{User{Name: "a/b", Password: "long-enough-1"}, "without /"}, {User{Name: "a", Password: "short"}, "at least 12"},
		{User{Name: "a", Password: "long-enough-1", Publish: []string{"x/#/y"}}, "no topic filter"}, {User{Name: "a", Password: "long-enough-1", Subscribe: []string{"x/+/y"}}, ""},
	} {
		if err := c.user.Check(); (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "short")) {
			t.Errorf("%+v: %v, want %q", c.user, err, c.want)
		}
	}
}

// Machines get in with their passwords, and each writes to and reads its own topics and no others; the relay reads all.
func TestUsersKeepToTheirTopics(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("password-of-hall1"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBroker("127.0.0.1:0", []User{{Name: "hall1", Password: string(hash)},
		{Name: "wall", Password: "password-of-wall", Subscribe: []string{"plant/hall1/+/pressure"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if strings.Contains(b.URL(), "@") {
		t.Errorf("the address that is told holds a password: %s", b.URL())
	}
	at := func(name, password string) string {
		u, _ := url.Parse(b.URL())
		u.User = url.UserPassword(name, password)
		return u.String()
	}
	for who, address := range map[string]string{"nobody": b.URL(), "wrong password": at("hall1", "password-of-wall"), "no user": at("hall2", "password-of-hall1")} {
		if _, err := connect(t, address, who, ""); err == nil {
			t.Errorf("%s was let in", who)
		}
	}
	var heard sync.Map
	hub, err := mqtt.NewReader(mqtt.ReaderConfig{URL: b.inside, OnMessage: func(m mqtt.Message) { heard.Store(m.ID, true) }})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	relay := func(id string) bool { _, ok := heard.Load(id); return ok }
	gateway := in(t, at("hall1", "password-of-hall1"), "gateway")
	wall := in(t, at("wall", "password-of-wall"), "screen")
	if !wall.reads("plant/hall1/+/pressure") {
		t.Error("the wall may not read what it may")
	}
	for _, filter := range []string{"#", "plant/#", "plant/hall1/#", "$SYS/#", "$share/g/plant/#"} {
		if wall.reads(filter) {
			t.Errorf("the wall may read %s", filter)
		}
	}
	for end := time.Now().Add(20 * time.Second); !relay("hall1/pump/pressure"); time.Sleep(20 * time.Millisecond) {
		gateway.writes("plant/hall2/pump/pressure", "1")
		wall.writes("plant/hall1/pump/faked", "1")
		gateway.writes("plant/hall1/pump/pressure", "6.2")
		if time.Now().After(end) {
			t.Fatal("the relay hears nothing")
		}
	}
	time.Sleep(100 * time.Millisecond)
	if relay("hall2/pump/pressure") || relay("hall1/pump/faked") {
		t.Error("a machine wrote to another's topic")
	}
	if _, err := connect(t, at("wall", "password-of-wall"), "gateway", ""); err == nil {
		t.Error("the wall took the gateway's session")
	}
	if _, err := connect(t, at("wall", "password-of-wall"), "w2", "plant/hall1/pump/will"); err == nil {
		t.Error("the wall left a will on another's topic")
	}
}

// connect connects a client that leaves a will on a topic, where that is not empty.
func connect(t *testing.T, address, id, will string) (paho.Client, error) {
	t.Helper()
	o := paho.NewClientOptions().AddBroker(address).SetClientID(id).SetConnectTimeout(5 * time.Second)
	if will != "" {
		o.SetWill(will, "gone", 0, false)
	}
	c := paho.NewClient(o)
	done := c.Connect()
	if !done.WaitTimeout(10 * time.Second) {
		t.Fatal("the broker does not answer")
	}
	if done.Error() == nil {
		t.Cleanup(func() { c.Disconnect(0) })
	}
	return c, done.Error()
}

// machine is a client that was let in.
type machine struct {
	t *testing.T
	paho.Client
}

func in(t *testing.T, address, id string) machine {
	t.Helper()
	c, err := connect(t, address, id, "")
	if err != nil {
		t.Fatal(err)
	}
	return machine{t, c}
}

// reads says whether the broker lets it subscribe.
func (m machine) reads(filter string) bool {
	m.t.Helper()
	done := m.Subscribe(filter, 0, nil).(*paho.SubscribeToken)
	if !done.WaitTimeout(10 * time.Second) {
		m.t.Fatal("the broker does not answer")
	}
	for _, code := range done.Result() { // of one filter, which paho writes in its own way where it is shared
		return done.Error() == nil && code < 0x80
	}
	return false
}

func (m machine) writes(topic, payload string) {
	m.Publish(topic, 0, false, payload).WaitTimeout(5 * time.Second)
}
