package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/s3test"
	"sightline/relay/internal/server"
	"sightline/relay/wire"
)

// row prints a line of the table of make trouble.
func row(t *testing.T, trouble, happens, seen string) {
	t.Helper()
	t.Logf("| %s | %s | %s |", trouble, happens, seen)
}

// last is the last fault of an ID that the room has heard of.
func (x *session) last(id string) wire.Fault {
	x.mu.Lock()
	defer x.mu.Unlock()
	return lastFault(x.heard, id)
}

// The S3 server goes away while a session runs, and comes back. The recording goes on, the room hears of both, and the
// case is put away when the server is there.
func TestStoreDown(t *testing.T) {
	s3 := s3test.Start(t)
	x := begin(t, func(c *server.Config) {
		c.Recording.Store, c.Recording.S3, c.Linger = server.StoreS3, s3.Config, 100*time.Millisecond
	})
	s3.Kill()
	other := relaytest.Join(t, client.Config{URL: x.s.URL(), Token: signedFor(t, x.s, "yard")})
	other.Close() // its case is closed now, and is to be put away
	relaytest.Eventually(t, "the room hears that the store is down", func() bool { return strings.Contains(x.last("store").Text, "refused") })
	seen := x.last("store").Text
	s3.Run(t)
	again := relaytest.Join(t, client.Config{URL: x.s.URL(), Token: signedFor(t, x.s, "yard")})
	again.Close() // something to do, at once
	relaytest.Eventually(t, "the room hears that it is over", func() bool { return x.last("store").Over })
	found := func() []string {
		all, _ := filepath.Glob(filepath.Join(s3.Dir, "yard", "*.zip"))
		return all
	}
	relaytest.Eventually(t, "both cases are in the bucket", func() bool { return len(found()) == 2 })
	dir, key := x.end(t)
	proven(t, dir, key)
	for _, path := range found() {
		if r := verify(t, path, key); !r.Proven {
			t.Errorf("%s: %+v", path, r.Faults)
		}
	}
	row(t, "object store down", "recorded on the relay's disk, nothing lost; put away when it is back", seen)
}

// The authority is down: the recording goes on, and the room hears of it while there is time to mend it.
func TestAuthorityDown(t *testing.T) {
	a := relaytest.NewAuthority(t)
	a.Down.Store(true)
	x := begin(t, func(c *server.Config) { c.Recording.Authority = a.URL })
	relaytest.Eventually(t, "the room hears that there is no timestamp", func() bool { return strings.Contains(x.last("authority").Text, "503") })
	seen := x.last("authority").Text
	time.Sleep(time.Second)
	dir, key := x.end(t)
	proven(t, dir, key)
	row(t, "timestamp authority down", "recorded and sealed; the chain says why there is no timestamp", seen)
}

// throttle is a group of processes whose writes to one disk are slow (cgroup v1, blkio).
type throttle struct{ dir, device string }

// slowDisk makes a group for the disk that a folder is on.
func slowDisk(t *testing.T, folder string) throttle {
	t.Helper()
	const root = "/sys/fs/cgroup/blkio"
	var st syscall.Stat_t
	if err := syscall.Stat(folder, &st); err != nil {
		t.Fatal(err)
	}
	device := fmt.Sprintf("%d:%d", st.Dev>>8&0xfff, st.Dev&0xff|st.Dev>>12&0xfff00)
	if _, err := os.Stat("/sys/dev/block/" + device + "/queue"); err != nil {
		t.Skipf("%s is on device %s, which is no whole disk: no group can slow it", folder, device)
	}
	g := throttle{filepath.Join(root, fmt.Sprintf("sightline-test-%d", os.Getpid())), device}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		t.Skipf("the disk cannot be slowed here (it takes root, and cgroup v1's blkio): %v", err)
	}
	t.Cleanup(func() { _ = os.Remove(g.dir) })
	return g
}

// set bounds the bytes per second; 0 bounds them no more.
func (g throttle) set(t *testing.T, bytes int) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, "blkio.throttle.write_bps_device"), []byte(g.device+" "+strconv.Itoa(bytes)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// take puts a process into the group.
func (g throttle) take(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The relay's disk takes some kilobytes a second for a while. The room hears of it while it lasts, nothing is lost, and
// pictures reach people as before.
func TestDiskSlow(t *testing.T) {
	data := t.TempDir()
	g := slowDisk(t, data)
	p := relaytest.StartProcess(t, data, "127.0.0.1:0")
	t.Cleanup(func() { g.set(t, 0) }) // before the process is killed, which would wait for the disk
	g.take(t, p.PID())
	camera, track := relaytest.NewCamera()
	camera.Size = 8000 // 240 kB a second
	var mu sync.Mutex
	var heard []wire.Envelope
	last := func() wire.Fault {
		mu.Lock()
		defer mu.Unlock()
		return lastFault(heard, "disk")
	}
	field := relaytest.Join(t, client.Config{URL: p.URL, Token: relaytest.Token(t, p.Authority(t), "field", "Tom"), Publish: []client.Track{track},
		OnLog: func(e wire.Envelope) { mu.Lock(); defer mu.Unlock(); heard = append(heard, e) }})
	camera.Play(field.Video("camera"))
	time.Sleep(2 * time.Second)
	g.set(t, 20_000)
	relaytest.Within(t, time.Minute, "the room hears that the disk is slow", func() bool { return strings.Contains(last().Text, "slow") })
	seen := last().Text
	time.Sleep(3 * time.Second)
	g.set(t, 0)
	relaytest.Within(t, time.Minute, "the room hears that it is over", func() bool { return last().Over })
	time.Sleep(time.Second)
	camera.Stop()
	field.Close()
	p.Terminate()
	p.WaitExit(t)
	dir := one(t, filepath.Join(data, "recordings", "hall", "*"))
	proven(t, dir, sealKey(t, data))
	c := open(t, dir)
	unbroken(t, c, camera)
	row(t, "disk slow (20 kB/s)", "waits in memory, nothing lost; people see and hear each other as before", seen)
}

// lastFault is the last fault of an ID in a log.
func lastFault(heard []wire.Envelope, id string) (f wire.Fault) {
	for _, e := range heard {
		if e.Kind == wire.KindFault && e.ID == id {
			f = wire.Fault{}
			_ = json.Unmarshal(e.Body, &f)
		}
	}
	return f
}

func signedFor(t *testing.T, s *server.Server, room string) string {
	t.Helper()
	token, err := s.Authority().Sign(auth.Grant{Room: room, Role: auth.Field, Name: "Yves"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token
}
