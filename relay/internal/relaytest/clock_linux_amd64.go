package relaytest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// clocked runs this program again as a relay whose wall clock is off by what comes on stdin, nanoseconds a line; the
// clock that never runs backwards stays. libfaketime cannot do that to a Go program, which asks the kernel, not libc,
// and mostly not even the kernel but the page that the kernel shares (vDSO). So the page is hidden from it, and its
// system calls are traced: what clock_gettime answers for CLOCK_REALTIME is changed.
func clocked(args []string) (code int, err error) {
	runtime.LockOSThread() // who traces is a thread
	var offset atomic.Int64
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			if n, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
				offset.Store(n)
			}
		}
	}()
	env := append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, clockEnv+"=") }), processEnv+"=1")
	p, err := os.StartProcess(os.Args[0], append([]string{os.Args[0]}, args...), &os.ProcAttr{Env: env, Files: []*os.File{nil, os.Stdout, os.Stderr},
		Sys: &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL}})
	if err != nil {
		return 1, err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		for s := range stop {
			_ = p.Signal(s)
		}
	}()
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(p.Pid, &status, 0, nil); err != nil {
		return 1, err
	}
	if err := hideVDSO(p.Pid); err != nil {
		return 1, err
	}
	const sysgood, exitKill = 0x1, 0x100000
	if err := syscall.PtraceSetOptions(p.Pid, syscall.PTRACE_O_TRACECLONE|sysgood|exitKill); err != nil {
		return 1, fmt.Errorf("trace: %w", err)
	}
	if err := syscall.PtraceSyscall(p.Pid, 0); err != nil {
		return 1, fmt.Errorf("trace: %w", err)
	}
	return trace(p.Pid, &offset)
}

// hideVDSO takes AT_SYSINFO_EHDR out of what a program that has just begun is told on its stack.
func hideVDSO(pid int) error {
	var regs syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(pid, &regs); err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	word := func(at uintptr) (uint64, error) {
		var b [8]byte
		_, err := syscall.PtracePeekData(pid, at, b[:])
		return binary.LittleEndian.Uint64(b[:]), err
	}
	at := uintptr(regs.Rsp)
	argc, err := word(at)
	at += 8 + 8*uintptr(argc) + 8
	for v := uint64(1); err == nil && v != 0; at += 8 { // the environment
		v, err = word(at)
	}
	const null, ignore, sysinfo = 0, 1, 33
	for ; err == nil; at += 16 {
		var kind uint64
		switch kind, err = word(at); kind {
		case null:
			return errors.New("trace: the program is told of no vDSO")
		case sysinfo:
			var b [8]byte
			binary.LittleEndian.PutUint64(b[:], ignore)
			_, err = syscall.PtracePokeData(pid, at, b[:])
			return err
		}
	}
	return err
}

// trace lets all threads of a process run until it has ended.
func trace(pid int, offset *atomic.Int64) (code int, err error) {
	const syscallStop = syscall.SIGTRAP | 0x80
	within := map[int]bool{} // threads that are in a system call
	for {
		var status syscall.WaitStatus
		thread, err := syscall.Wait4(-1, &status, syscall.WALL, nil)
		if err != nil {
			return 1, fmt.Errorf("trace: %w", err)
		}
		pass := 0
		switch {
		case status.Exited() || status.Signaled():
			delete(within, thread)
			if thread == pid {
				return status.ExitStatus(), nil
			}
			continue
		case status.StopSignal() == syscallStop:
			if within[thread] = !within[thread]; !within[thread] {
				shift(thread, offset.Load())
			}
		case status.StopSignal() != syscall.SIGTRAP && status.StopSignal() != syscall.SIGSTOP:
			pass = int(status.StopSignal())
		}
		if err := syscall.PtraceSyscall(thread, pass); err != nil && !errors.Is(err, syscall.ESRCH) {
			return 1, fmt.Errorf("trace: %w", err)
		}
	}
}

// shift changes the answer of a clock_gettime that is returning.
func shift(thread int, offset int64) {
	var regs syscall.PtraceRegs
	if offset == 0 || syscall.PtraceGetRegs(thread, &regs) != nil || regs.Orig_rax != syscall.SYS_CLOCK_GETTIME || regs.Rdi != 0 {
		return
	}
	var b [16]byte
	if _, err := syscall.PtracePeekData(thread, uintptr(regs.Rsi), b[:]); err != nil {
		return
	}
	now := time.Unix(int64(binary.LittleEndian.Uint64(b[:])), int64(binary.LittleEndian.Uint64(b[8:]))).Add(time.Duration(offset))
	binary.LittleEndian.PutUint64(b[:], uint64(now.Unix()))
	binary.LittleEndian.PutUint64(b[8:], uint64(now.Nanosecond()))
	_, _ = syscall.PtracePokeData(thread, uintptr(regs.Rsi), b[:])
}
