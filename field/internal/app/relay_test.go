package app_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"sightline/field/internal/app"
	"sightline/relay/client"
	"sightline/relay/wire"
	"sightline/vision"
)

// relay is a real relay, a process of its own.
type relay struct{ program, data, url, mqtt string }

var theRelay relay // one for all tests: each has a room of its own

func TestMain(m *testing.M) {
	if os.Getenv(fieldEnv) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		code := app.Run(ctx, os.Args[1:], os.Stdout, os.Stderr, nil)
		stop()
		os.Exit(code)
	}
	dir, err := os.MkdirTemp("", "field-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	stop, err := startRelay(dir)
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
		stop()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func startRelay(dir string) (stop func(), err error) {
	theRelay = relay{program: filepath.Join(dir, "relay"), data: filepath.Join(dir, "data")}
	build := exec.Command("go", "build", "-o", theRelay.program, "sightline/relay")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("relay does not build: %w\n%s", err, out)
	}
	config := filepath.Join(dir, "relay.yaml")
	if err := os.WriteFile(config, []byte("rooms:\n  - match: asks-*\n    consent: true\n"), 0o600); err != nil {
		return nil, err
	}
	run := exec.Command(theRelay.program, "serve", "--config", config, "--listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0", "--data", theRelay.data)
	out, err := run.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := run.Start(); err != nil {
		return nil, err
	}
	stop = func() { _ = run.Process.Signal(os.Interrupt); _ = run.Wait() }
	line, _ := bufio.NewReader(out).ReadString('\n')
	found := regexp.MustCompile(`url=(\S+) mqtt=(\S+)`).FindStringSubmatch(line)
	if found == nil {
		stop()
		return nil, fmt.Errorf("relay says %q, not where it listens", line)
	}
	theRelay.url, theRelay.mqtt = found[1], found[2]
	return stop, nil
}

// token is a way into a room.
func (r relay) token(t *testing.T, room, role, name string) string {
	t.Helper()
	out, err := exec.Command(r.program, "invite", room, "--role", role, "--name", name, "--token-only", "--data", r.data).Output()
	if err != nil {
		t.Fatalf("invite: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// expert is a participant who looks and draws.
type expert struct {
	*client.Client
	mu     sync.Mutex
	frames []int64 // capture times of the pictures received
	states map[vision.State]int
	log    []wire.Envelope
}

func joinExpert(t *testing.T, room string) *expert {
	t.Helper()
	x := &expert{states: map[vision.State]int{}}
	var reading sync.WaitGroup
	var err error
	x.Client, err = client.Dial(t.Context(), client.Config{URL: theRelay.url, Token: theRelay.token(t, room, "expert", "Mei"),
		OnLog: func(e wire.Envelope) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.log = append(x.log, e)
		},
		OnPose: x.pose,
		OnTrack: func(tr *client.RemoteTrack) {
			if tr.Kind == wire.Video {
				reading.Go(func() { x.watch(tr) })
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close(); reading.Wait() })
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	if err := x.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	return x
}

// eventually waits for a condition on what the expert knows.
func (x *expert) eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		x.mu.Lock()
		done := ok()
		x.mu.Unlock()
		if done {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}
