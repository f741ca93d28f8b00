package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/wire"
)

// The disk that holds the room log is full for a while. Marks wait, people are told, and when there is room again all marks are
// in the log, each once.
func TestLogDiskFull(t *testing.T) {
	data := t.TempDir()
	mounted := filepath.Join(data, "nats")
	if err := os.Mkdir(mounted, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", mounted, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("a small disk cannot be mounted here (it takes root): %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(mounted, syscall.MNT_DETACH) })
	p := relaytest.StartProcess(t, data, "127.0.0.1:0")
	var log relaytest.Replica
	c := relaytest.Join(t, client.Config{URL: p.URL, Token: relaytest.Token(t, p.Authority(t), "expert", "Ann"), OnLog: log.Take})
	draw := func(name string) {
		t.Helper()
		if _, err := c.Publish(wire.KindMark, name, 0, map[string]string{"pad": fmt.Sprintf("%4000d", 0)}); err != nil {
			t.Fatal(err)
		}
	}
	draw("before")
	relaytest.Eventually(t, "the first mark is in the log", func() bool { return c.Pending() == 0 })
	fill(t, mounted)
	for i := range 50 {
		draw(fmt.Sprintf("during-%d", i))
	}
	relaytest.Eventually(t, "the relay's log says what is wrong", func() bool { return strings.Contains(p.Logged(), "no space left") })
	if n := c.Pending(); n < 25 {
		t.Errorf("%d marks wait: the disk was not full", n)
	}
	if err := os.Remove(filepath.Join(mounted, "filler")); err != nil {
		t.Fatal(err)
	}
	draw("after")
	relaytest.Within(t, 2*time.Minute, "nothing waits any more", func() bool { return c.Pending() == 0 })
	c.Close()
	var late relaytest.Replica
	relaytest.Join(t, client.Config{URL: p.URL, Token: relaytest.Token(t, p.Authority(t), "expert", "Bob"), OnLog: late.Take})
	relaytest.Eventually(t, "who comes later has all marks", func() bool { return len(late.State(wire.KindMark)) == 52 })
	row(t, "disk of the room log full", "marks wait with who drew them, and come into the log when there is room; 52 of 52, none twice",
		"the relay's log: no space left on device; written again")
}

// fill fills the disk that a folder is on, with a file "filler" in it.
func fill(t *testing.T, folder string) {
	t.Helper()
	f, err := os.Create(filepath.Join(folder, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
}
