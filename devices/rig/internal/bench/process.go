package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one program of the bench. Its standard error goes to a file of its own under the output
// folder.
type process struct {
	name string
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{} // closed when it has ended
	err  error         // how, valid after done
	mu   sync.Mutex
	line string // first line of its standard output
	said chan struct{}
}

// start runs a program; it ends at the latest with the context (by SIGKILL).
func start(ctx context.Context, out, name string, env []string, program string, args ...string) (*process, error) {
	log, err := os.Create(filepath.Join(out, name+".log"))
	if err != nil {
		return nil, err
	}
	p := &process{name: name, log: log, done: make(chan struct{}), said: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, program, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = log
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		log.Close()
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		log.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go p.wait(stdout)
	return p, nil
}

// wait reads the standard output to its end, so that the program never blocks on it, and then reaps it.
func (p *process) wait(stdout io.Reader) {
	sc := bufio.NewScanner(stdout)
	for first := true; sc.Scan(); first = false {
		if first {
			p.mu.Lock()
			p.line = sc.Text()
			p.mu.Unlock()
			close(p.said)
		}
		fmt.Fprintln(p.log, sc.Text())
	}
	_, _ = io.Copy(io.Discard, stdout) // what a too long line left
	p.err = p.cmd.Wait()
	p.log.Close()
	close(p.done)
}

// firstLine waits for the program to say that it is ready.
func (p *process) firstLine(limit time.Duration) (string, error) {
	select {
	case <-p.said:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.line, nil
	case <-p.done:
		return "", p.failure("ended before it was ready")
	case <-time.After(limit):
		return "", p.failure("was not ready in time")
	}
}

// failure is an error that brings the last words of the program's log.
func (p *process) failure(what string) error {
	data, _ := os.ReadFile(p.log.Name())
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return fmt.Errorf("%s %s; its log ends:\n  %s", p.name, what, strings.Join(lines[max(0, len(lines)-5):], "\n  "))
}

// end asks the program to end and waits; past the limit it is killed and that is an error.
func (p *process) end(limit time.Duration) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-p.done:
	case <-time.After(limit):
		_ = p.cmd.Process.Kill()
		<-p.done
		return p.failure("did not end when asked to")
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGTERM {
			return nil
		}
	}
	if p.err != nil {
		return p.failure("failed: " + p.err.Error())
	}
	return nil
}

// usage is what the program and its children used; valid after it has ended.
func (p *process) usage() Usage {
	u := Usage{Process: p.name}
	if r, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.CPUSeconds = time.Duration(r.Utime.Nano() + r.Stime.Nano()).Seconds()
		u.PeakMB = float64(r.Maxrss) / 1024
	}
	return u
}

// display returns the X display to show windows on: the one there is, or a virtual one of our own.
func display(ctx context.Context, out string) (name string, own *process, err error) {
	if d := os.Getenv("DISPLAY"); d != "" {
		return d, nil, nil
	}
	path, err := exec.LookPath("Xvfb")
	if err != nil {
		return "", nil, errors.New("no display and no Xvfb: install xvfb (make deps), or run with --headless")
	}
	// -displayfd lets it choose a free number and say it on its standard output.
	p, err := start(ctx, out, "xvfb", nil, path, "-displayfd", "1", "-screen", "0", "1920x1080x24", "-nolisten", "tcp")
	if err != nil {
		return "", nil, err
	}
	n, err := p.firstLine(20 * time.Second)
	if err != nil {
		return "", nil, err
	}
	return ":" + strings.TrimSpace(n), p, nil
}
