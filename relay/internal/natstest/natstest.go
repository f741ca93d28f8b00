// Package natstest runs a cluster of NATS servers for tests, each in a process of its own that can be killed.
package natstest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sightline/relay/freeport"
)

// Env makes a test binary be a server of NATS: see Main.
const Env = "SIGHTLINE_TEST_NATS"

// Main is to be called first in TestMain: it makes the test binary a server of NATS where Start has started it.
func Main(m *testing.M) {
	if settings := os.Getenv(Env); settings != "" {
		os.Exit(Serve(settings))
	}
	os.Exit(m.Run())
}

// settings are those of one server.
type settings struct {
	Name   string
	Dir    string
	Port   int
	Route  int   // its port in the cluster
	Routes []int // of all
	// Password is what the user relay has to give; empty: everybody is let in.
	Password string
}

// Serve is a server of NATS until the process is killed. It returns the process's exit code.
func Serve(text string) int {
	var c settings
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	o := &server.Options{ServerName: c.Name, Host: "127.0.0.1", Port: c.Port, JetStream: true, StoreDir: c.Dir, NoSigs: true,
		NoLog: true, MaxPayload: 1 << 20}
	if c.Password != "" {
		o.Username, o.Password = "relay", c.Password
	}
	if len(c.Routes) > 1 {
		o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: c.Route}
		for _, port := range c.Routes {
			o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
		}
	}
	s, err := server.NewServer(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s.Start()
	s.WaitForShutdown()
	return 0
}

// Cluster is some servers of NATS.
type Cluster struct {
	t       testing.TB
	servers []settings
	running []*exec.Cmd // nil: killed
}

// Start runs so many servers on loopback until the test ends, and waits until JetStream works.
func Start(t testing.TB, n int) *Cluster {
	t.Helper()
	c := &Cluster{t: t, running: make([]*exec.Cmd, n)}
	ports := freeport.Get(t, 2*n)
	for i := range n {
		c.servers = append(c.servers, settings{Name: fmt.Sprintf("n%d", i+1), Dir: t.TempDir(), Port: ports[i], Route: ports[n+i], Routes: ports[n:]})
	}
	for i := range n {
		c.Run(i)
	}
	t.Cleanup(func() {
		for i := range n {
			c.Kill(i)
		}
	})
	c.Ready()
	return c
}

// StartGuarded runs one server that wants to know the user relay by a password.
func StartGuarded(t testing.TB, password string) *Cluster {
	t.Helper()
	port := freeport.Get(t, 1)[0]
	c := &Cluster{t: t, running: make([]*exec.Cmd, 1), servers: []settings{{Name: "n1", Dir: t.TempDir(), Port: port, Password: password}}}
	c.Run(0)
	t.Cleanup(func() { c.Kill(0) })
	c.Ready()
	return c
}

// URL is the addresses of all servers.
func (c *Cluster) URL() string {
	var all []string
	for _, s := range c.servers {
		who := ""
		if s.Password != "" {
			who = "relay:" + s.Password + "@"
		}
		all = append(all, fmt.Sprintf("nats://%s127.0.0.1:%d", who, s.Port))
	}
	return strings.Join(all, ",")
}

// Run starts a server, also again after Kill.
func (c *Cluster) Run(i int) {
	c.t.Helper()
	text, err := json.Marshal(c.servers[i])
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), Env+"="+string(text))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.running[i] = cmd
}

// Kill ends a server with SIGKILL.
func (c *Cluster) Kill(i int) {
	if cmd := c.running[i]; cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		c.running[i] = nil
	}
}

// Leader returns which server leads a stream, -1 while none does.
func (c *Cluster) Leader(stream string) int {
	conn, err := nats.Connect(c.URL(), nats.Timeout(time.Second))
	if err != nil {
		return -1
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return -1
	}
	s, err := js.Stream(c.t.Context(), stream)
	if err != nil || s.CachedInfo().Cluster == nil {
		return -1
	}
	for i, one := range c.servers {
		if one.Name == s.CachedInfo().Cluster.Leader {
			return i
		}
	}
	return -1
}

// Ready waits until JetStream works.
func (c *Cluster) Ready() {
	c.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		conn, err := nats.Connect(c.URL(), nats.Timeout(time.Second))
		if err != nil {
			continue
		}
		js, err := jetstream.New(conn)
		if err == nil {
			_, err = js.AccountInfo(c.t.Context())
		}
		conn.Close()
		if err == nil {
			return
		}
	}
	c.t.Fatal("after a minute JetStream does not work")
}
