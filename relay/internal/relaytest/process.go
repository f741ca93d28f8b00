package relaytest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"sightline/relay/internal/app"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/natstest"
)

// processEnv makes a test binary be a relay.
const processEnv = "SIGHTLINE_TEST_RELAY"

// Main is to be called first in TestMain: it makes the test binary a relay where Process has started it.
func Main(m *testing.M) {
	switch {
	case os.Getenv(natstest.Env) != "":
		os.Exit(natstest.Serve(os.Getenv(natstest.Env)))
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
	exited    chan struct{}
}

// StartProcess runs "relay serve" on loopback. listen is "127.0.0.1:0" or where it was before.
func StartProcess(t testing.TB, data, listen string, args ...string) *Process {
	t.Helper()
	args = append([]string{"serve", "--listen", listen, "--mqtt-listen", "127.0.0.1:0", "--data", data}, args...)
	p := &Process{Data: data, exited: make(chan struct{}), cmd: exec.Command(os.Args[0], args...)}
	p.cmd.Env = append(os.Environ(), processEnv+"=1")
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
	line, err := reader.ReadString('\n')
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
