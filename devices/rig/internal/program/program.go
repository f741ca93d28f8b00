// Package program runs the programs of a bench: what they say goes into files, their first line says that they are ready,
// and an error brings their last words.
package program

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
	"syscall"
	"time"
)

// Program is a program that was started. Its methods may be called from any goroutine.
type Program struct {
	Name string // of its log, without the extension

	cmd   *exec.Cmd
	log   *os.File
	first chan string
	done  chan struct{}
	err   error // how it has ended, valid after done
}

// Start runs a program with its log at a path, and env added to the environment; it ends at the latest with ctx, by
// SIGKILL.
func Start(ctx context.Context, log string, env []string, path string, args ...string) (*Program, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	p := &Program{Name: strings.TrimSuffix(filepath.Base(log), ".log"), cmd: exec.CommandContext(ctx, path, args...), log: f,
		first: make(chan string, 1), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = f
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, errors.Join(err, f.Close()))
	}
	go p.read(out)
	return p, nil
}

// read reads the standard output to its end, so that the program never blocks on it, and then reaps it.
func (p *Program) read(out io.Reader) {
	defer close(p.done)
	in := bufio.NewReader(out)
	if line, _ := in.ReadString('\n'); line != "" { // the end says the rest
		p.first <- line
		_, _ = p.log.WriteString(line)
	}
	_, _ = io.Copy(p.log, in)
	p.err = errors.Join(p.cmd.Wait(), p.log.Close())
}

// Line waits for the first line of the standard output; it is given once.
func (p *Program) Line(limit time.Duration) (string, error) {
	select {
	case line := <-p.first:
		return line, nil
	case <-p.done:
	case <-time.After(limit):
		return "", p.failure(errors.New("was not ready in time"))
	}
	select {
	case line := <-p.first:
		return line, nil
	default:
		return "", p.failure(errors.New("ended before it was ready"))
	}
}

// Says waits until the program's log has some words.
func (p *Program) Says(ctx context.Context, words string, limit time.Duration) error {
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

// Done is closed when the program has ended.
func (p *Program) Done() <-chan struct{} { return p.done }

// Wait waits until the program has ended by itself, and says how where it has failed.
func (p *Program) Wait() error {
	<-p.done
	if p.err != nil {
		return p.failure(p.err)
	}
	return nil
}

// End asks the program to end, and waits; past the limit it is killed, and that is an error.
func (p *Program) End(limit time.Duration) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-p.done:
	case <-time.After(limit):
		_ = p.cmd.Process.Kill()
		<-p.done
		return p.failure(errors.New("did not end when asked to"))
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() && s.Signal() == syscall.SIGTERM {
			return nil
		}
	}
	return p.Wait()
}

// Kill ends the program with SIGKILL.
func (p *Program) Kill() error {
	err := p.cmd.Process.Kill()
	<-p.done
	return err
}

// Usage is what the program and its children used: of the processors, and of memory at most, in bytes. It is valid after the
// end.
func (p *Program) Usage() (cpu time.Duration, peak int64) {
	r, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), r.Maxrss << 10
}

// failure is an error that brings the last words of the program.
func (p *Program) failure(err error) error {
	data, _ := os.ReadFile(p.log.Name())
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return fmt.Errorf("%s: %w; it said last:\n  %s", p.Name, err, strings.Join(lines[max(0, len(lines)-5):], "\n  "))
}
