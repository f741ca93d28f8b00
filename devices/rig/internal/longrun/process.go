package longrun

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// process is a program of the session; what it says goes into a file.
type process struct {
	cmd   *exec.Cmd
	log   *os.File
	first chan string
	done  chan struct{} // closed when it has ended
	err   error         // how, valid after done
}

// start runs a program; it ends at the latest with ctx.
func start(ctx context.Context, log, program string, args ...string) (*process, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(ctx, program, args...), log: f, first: make(chan string, 1), done: make(chan struct{})}
	p.cmd.Stderr = f
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	go func() { // until the program ends
		defer close(p.done)
		in := bufio.NewReader(out)
		line, _ := in.ReadString('\n') // the end says the rest
		p.first <- line
		_, _ = io.Copy(f, in)
		p.err = errors.Join(p.cmd.Wait(), f.Close())
	}()
	return p, nil
}

// line waits for the first thing that the program says.
func (p *process) line(limit time.Duration) (string, error) {
	select {
	case line := <-p.first:
		return line, nil
	case <-time.After(limit):
		return "", p.failure(errors.New("was not ready in time"))
	}
}

// says waits until a program's log has some words.
func (p *process) says(ctx context.Context, words string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		if data, err := os.ReadFile(p.log.Name()); err != nil || strings.Contains(string(data), words) {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return p.failure(fmt.Errorf("did not say %q in %v", words, limit))
		case <-p.done:
			return p.failure(errors.New("ended early"))
		}
	}
}

// wait waits until the program has ended by itself.
func (p *process) wait() error {
	<-p.done
	if p.err != nil {
		return p.failure(p.err)
	}
	return nil
}

// end asks the program to end, and waits.
func (p *process) end() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		_ = p.cmd.Process.Kill()
		<-p.done
		return p.failure(errors.New("did not end when asked to"))
	}
	if p.err != nil && !strings.Contains(p.err.Error(), syscall.SIGTERM.String()) {
		return p.failure(p.err)
	}
	return nil
}

// failure is an error that brings the last words of the program.
func (p *process) failure(err error) error {
	data, _ := os.ReadFile(p.log.Name())
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return fmt.Errorf("%s: %w; it said last:\n  %s", p.cmd.Path, err, strings.Join(lines[max(0, len(lines)-5):], "\n  "))
}
