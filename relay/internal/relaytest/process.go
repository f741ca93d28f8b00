package relaytest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/freeport"
	"sightline/relay/internal/app"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/natstest"
)

// processEnv makes a test binary be a relay.
const processEnv = "SIGHTLINE_TEST_RELAY"

// publisherEnv makes it be a participant who sends a camera, with this token at the address in its argument.
const publisherEnv = "SIGHTLINE_TEST_PUBLISHER"

// clockEnv makes it run another as a relay, with a wall clock that can be set.
const clockEnv = "SIGHTLINE_TEST_CLOCK"

// Main is to be called first in TestMain: it makes the test binary a relay where Process has started it.
func Main(m *testing.M) {
	switch {
	case os.Getenv(natstest.Env) != "":
		os.Exit(natstest.Serve(os.Getenv(natstest.Env)))
	case os.Getenv(clockEnv) != "":
		code, err := clocked(os.Args[1:])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(code)
	case os.Getenv(travelEnv) != "":
		os.Exit(travel(os.Stdin, os.Stdout))
	case os.Getenv(publisherEnv) != "":
		camera, track := NewCamera()
		c, err := client.Dial(context.Background(), client.Config{URL: os.Args[1], Token: os.Getenv(publisherEnv), Publish: []client.Track{track}})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		camera.Play(c.Video("camera"))
		select {}
	case os.Getenv(processEnv) != "":
		os.Exit(app.Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// Process is a relay in a process of its own.
type Process struct {
	URL, MQTT string
	Data      string
	cmd       *exec.Cmd
	log       *testWriter
	clock     io.Writer // nil: it has this machine's
	exited    chan struct{}
}

// StartProcess runs "relay serve" on loopback. listen is "127.0.0.1:0" or where it was before.
func StartProcess(t testing.TB, data, listen string, args ...string) *Process {
	t.Helper()
	return startProcess(t, processEnv, data, listen, args...)
}

// StartClocked runs one whose wall clock SetClock sets.
func StartClocked(t testing.TB, data, listen string, args ...string) *Process {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("a process's clock can be set on linux/amd64 only")
	}
	return startProcess(t, clockEnv, data, listen, args...)
}

// SetClock makes the wall clock of the relay differ so much from this machine's.
func (p *Process) SetClock(t testing.TB, off time.Duration) {
	t.Helper()
	if _, err := fmt.Fprintln(p.clock, int64(off)); err != nil {
		t.Fatal(err)
	}
}

func startProcess(t testing.TB, env, data, listen string, args ...string) *Process {
	t.Helper()
	if listen == "127.0.0.1:0" {
		listen = freeport.Address(t) // it may be wanted again, after a restart
	}
	args = append([]string{"serve", "--listen", listen, "--mqtt-listen", "127.0.0.1:0", "--data", data}, args...)
	p := &Process{Data: data, exited: make(chan struct{}), cmd: exec.Command(os.Args[0], args...)}
	p.cmd.Env = append(os.Environ(), env+"=1")
	if env == clockEnv {
		var err error
		if p.clock, err = p.cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
	}
	p.log = &testWriter{t: t}
	t.Cleanup(p.log.end)
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(out)
	late := time.AfterFunc(endTime, func() { _ = p.cmd.Process.Kill() })
	line, err := reader.ReadString('\n')
	late.Stop()
	go func() { _, _ = io.Copy(io.Discard, reader); _ = p.cmd.Wait(); close(p.exited) }()
	t.Cleanup(p.Kill)
	if err != nil {
		t.Fatalf("relay did not start: %v", err)
	}
	for _, word := range strings.Fields(line) {
		if v, ok := strings.CutPrefix(word, "url="); ok {
			p.URL = v
		} else if v, ok := strings.CutPrefix(word, "mqtt="); ok {
			p.MQTT = v
		}
	}
	return p
}

// StartPublisher runs a participant who sends a camera in a process of its own, and returns what kills it (SIGKILL).
func StartPublisher(t testing.TB, url, token string) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], url)
	cmd.Env = append(os.Environ(), publisherEnv+"="+token)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	return kill
}

// Listen is where the relay listens.
func (p *Process) Listen() string { return strings.TrimPrefix(p.URL, "http://") }

// Kill ends the relay with SIGKILL.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// PID is the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Terminate asks the relay to end with SIGTERM.
func (p *Process) Terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

// Exited is closed when the process has ended; ExitCode is set then.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// WaitExit waits for the end of a relay that was asked to end. One that does not is made to say who waits for what.
func (p *Process) WaitExit(t testing.TB) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(endTime):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		time.Sleep(time.Second)
		t.Fatalf("after %v the relay has not ended", endTime)
	}
}

// ExitCode is the code with which the process has ended.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Logged is what the relay has written to its log so far.
func (p *Process) Logged() string { return p.log.text() }

// Authority signs tokens as the relay does: with the key in its directory.
func (p *Process) Authority(t testing.TB) *auth.Authority {
	t.Helper()
	a, err := auth.Open(p.Data, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
