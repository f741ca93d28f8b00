package app_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sightline/field/internal/standby"
	"sightline/relay/evidence"
	"sightline/relay/freeport"
)

// link is a way to a relay, TCP and UDP, that can be cut.
type link struct {
	addr  string
	relay string // host:port
	cut   atomic.Bool
	tcp   net.Listener
	udp   net.PacketConn
	tasks sync.WaitGroup
	mu    sync.Mutex
	open  map[io.Closer]bool
}

func newLink(t *testing.T, relay string) *link {
	t.Helper()
	l := &link{relay: relay, open: map[io.Closer]bool{}}
	var err error
	if l.tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	l.addr = l.tcp.Addr().String()
	if l.udp, err = net.ListenPacket("udp", l.addr); err != nil {
		t.Fatal(err)
	}
	l.tasks.Go(l.accept)
	l.tasks.Go(l.packets)
	t.Cleanup(func() {
		_, _ = l.tcp.Close(), l.udp.Close()
		l.closeAll()
		l.tasks.Wait()
	})
	return l
}

// Cut takes the way away, or gives it back.
func (l *link) Cut(on bool) {
	l.cut.Store(on)
	if on {
		l.closeAll()
	}
}

func (l *link) keep(c io.Closer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = true
}

func (l *link) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		_ = c.Close()
	}
	clear(l.open)
}

func (l *link) accept() {
	for {
		c, err := l.tcp.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", l.relay)
		if err != nil || l.cut.Load() {
			_ = c.Close()
			continue
		}
		l.keep(c)
		l.keep(out)
		for _, pair := range [][2]net.Conn{{c, out}, {out, c}} {
			l.tasks.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_, _ = pair[0].Close(), pair[1].Close()
			})
		}
	}
}

// packets carries UDP: one socket towards the relay for each client.
func (l *link) packets() {
	out := map[string]net.Conn{}
	buf := make([]byte, 2048)
	for {
		n, from, err := l.udp.ReadFrom(buf)
		if err != nil {
			for _, c := range out {
				_ = c.Close()
			}
			return
		}
		c := out[from.String()]
		if c == nil {
			if c, err = net.Dial("udp", l.relay); err != nil {
				continue
			}
			out[from.String()] = c
			l.tasks.Go(func() { l.back(c, from) })
		}
		if !l.cut.Load() {
			_, _ = c.Write(buf[:n])
		}
	}
}

func (l *link) back(c net.Conn, to net.Addr) {
	buf := make([]byte, 2048)
	for {
		n, err := c.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil && !l.cut.Load() {
			_, _ = l.udp.WriteTo(buf[:n], to)
		}
	}
}

// process is a relay or a field that can be killed.
type process struct {
	*exec.Cmd
	log bytes.Buffer
}

func start(t *testing.T, p *process) {
	t.Helper()
	p.Stderr = &p.log
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.ProcessState == nil {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
		if t.Failed() {
			t.Logf("%s\n%s", p.Path, p.log.String())
		}
	})
}

func (p *process) kill() { _ = p.Process.Kill(); _ = p.Wait() }

func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.Process.Signal(syscall.SIGINT)
	if err := p.Wait(); err != nil {
		t.Errorf("%s: %v\n%s", p.Path, err, p.log.String())
	}
}

// startRecording runs a relay of its own for a test, where the link leads to.
func startRecording(t *testing.T, data, listen, advertise string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(theRelay.program, "serve", "--listen", listen, "--mqtt-listen", "127.0.0.1:0", "--data", data, "--drain", "1s", "--advertise", advertise)}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, p)
	line, _ := bufio.NewReader(out).ReadString('\n')
	if !strings.Contains(line, "url=") {
		t.Fatalf("relay says %q\n%s", line, p.log.String())
	}
	return p
}

// runField is a field in a process of its own, with a second recorder.
func runField(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], append([]string{"--headless", "--source", "sim:plant?seed=7&size=320x240", "--fps", "10"}, args...)...)}
	p.Env = append(os.Environ(), fieldEnv+"=1")
	start(t, p)
	return p
}

// fieldEnv makes the test binary be a field.
const fieldEnv = "SIGHTLINE_TEST_FIELD"

// tone writes a minute of a quiet tone, 8 kHz.
func tone(t *testing.T) string {
	t.Helper()
	const rate, seconds = 8000, 60
	var b bytes.Buffer
	b.WriteString("RIFF")
	_ = binary.Write(&b, binary.LittleEndian, uint32(36+2*rate*seconds))
	b.WriteString("WAVEfmt ")
	for _, v := range []any{uint32(16), uint16(1), uint16(1), uint32(rate), uint32(2 * rate), uint16(2), uint16(16)} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, uint32(2*rate*seconds))
	for i := range rate * seconds {
		_ = binary.Write(&b, binary.LittleEndian, int16(1000*(i/20%2)))
	}
	path := filepath.Join(t.TempDir(), "tone.wav")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func wait(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// frames counts the rows of the tables of pictures in the cases that match.
func frames(pattern string) int {
	files, _ := filepath.Glob(pattern)
	n := 0
	for _, f := range files {
		data, _ := os.ReadFile(f)
		n += bytes.Count(data, []byte("\n"))
	}
	return n
}

// TestTheSecondRecorder cuts the link, kills the relay, and kills the field. What the relay's cases lack is filled from
// the field's, both are proven, and a byte that is changed in either is found.
func TestTheSecondRecorder(t *testing.T) {
	data, kept := t.TempDir(), t.TempDir()
	listen := freeport.Address(t)
	way := newLink(t, listen)
	relay := startRecording(t, data, listen, way.addr)
	out, err := exec.Command(theRelay.program, "invite", "hall", "--role", "field", "--name", "Tom", "--token-only", "--data", data).Output()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--relay", "http://" + way.addr, "--token", strings.TrimSpace(string(out)), "--standby", kept, "--standby-upload", "0", "--audio", "file:" + tone(t)}
	pictures := filepath.Join(data, "recordings", "hall", "*Z*", "Tom-camera*.csv")
	more := func(n int) func() bool { return func() bool { return frames(pictures) >= n } }

	field := runField(t, args...)
	wait(t, "three seconds are recorded", more(30))
	before := frames(pictures)
	way.Cut(true)
	time.Sleep(4 * time.Second)
	way.Cut(false)
	wait(t, "pictures come again after the cut", more(before+30))

	relay.kill()
	time.Sleep(2 * time.Second)
	relay = startRecording(t, data, listen, way.addr)
	before = frames(pictures)
	wait(t, "pictures come again after the relay was killed", more(before+30))

	field.kill()
	halfway(t, kept, "http://"+listen, args[3])
	field = runField(t, args...)
	seconds := filepath.Join(data, "recordings", "hall", "*-second-*")
	wait(t, "the case that was left open is with the relay", func() bool { found, _ := filepath.Glob(seconds); return len(found) == 1 })
	before = frames(pictures)
	wait(t, "pictures come from the new field", more(before+20))
	field.stop(t)
	if found, _ := filepath.Glob(seconds); len(found) != 2 {
		t.Errorf("the relay has %v, want two cases of the second recorder\n%s", found, field.log.String())
	}
	relay.stop(t)

	key, err := os.ReadFile(filepath.Join(data, "seal", "key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	checkSession(t, filepath.Join(data, "recordings", "hall"), string(key))
}

// halfway gives the relay the first half of the case that was left open, so that the field has to go on with it.
func halfway(t *testing.T, kept, url, token string) {
	t.Helper()
	s, err := standby.Open(kept, standby.Limits{Bytes: 1 << 40}, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.List()
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v %v", all, err)
	}
	var packed bytes.Buffer
	if err := evidence.Pack(all[0].Dir, &packed); err != nil {
		t.Fatal(err)
	}
	size := packed.Len()
	req, err := http.NewRequest(http.MethodPatch, url+"/api/v1/rooms/hall/standbys/"+all[0].ID, io.LimitReader(&packed, int64(size/2)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Upload-Offset", "0")
	req.Header.Set("Upload-Length", strconv.Itoa(size))
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("false")) {
		t.Errorf("%s %s", answer.Status, body)
	}
}

var primaryName = regexp.MustCompile(`Z(-\d+)?$`)

// checkSession proves the cases of a folder, and that together they have every frame.
func checkSession(t *testing.T, dir, key string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var primaries, all []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		all = append(all, path)
		if primaryName.MatchString(e.Name()) {
			primaries = append(primaries, path)
		}
	}
	if len(primaries) != 2 || len(all) != 4 {
		t.Fatalf("cases %v", all)
	}
	cfg := evidence.VerifyConfig{Key: strings.TrimSpace(key)}
	same, absent := 0, 0
	for _, p := range primaries {
		others, err := evidence.Beside(p)
		if err != nil || len(others) != 2 {
			t.Fatalf("beside %s: %v %v", p, others, err)
		}
		r, err := evidence.VerifySession(p, others, cfg, nil)
		if err != nil || !r.Proven {
			var b bytes.Buffer
			_ = r.Write(&b)
			t.Fatalf("%s: %v\n%s", p, err, b.String())
		}
		for _, c := range r.Compared {
			same, absent = same+c.Same, absent+c.Outside
			for _, a := range c.Here {
				absent += a.Frames
			}
			t.Logf("%s %s: %d the same, %d outside, missing here %v, there %v", filepath.Base(p), c.Track, c.Same, c.Outside, c.Here, c.There)
		}
	}
	if same < 50 || absent < 50 {
		t.Errorf("%d frames are the same, and %d are with the second recorder only", same, absent)
	}
	checkMerged(t, primaries[0], all)
	checkChanges(t, primaries[0], cfg)
}

// checkMerged wants every frame that any of the cases has to be in the merged view, once, and to be readable.
func checkMerged(t *testing.T, primary string, all []string) {
	t.Helper()
	others := make([]string, 0, len(all))
	for _, p := range all {
		if p != primary {
			others = append(others, p)
		}
	}
	c, err := evidence.OpenMerged(primary, others, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	recorders := map[string]int{}
	var sessions []int64
	seen := map[string]int{}
	for _, tr := range c.Manifest.Tracks {
		got, err := c.Frames(tr.Track)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range got {
			if _, err := c.Data(tr.Track, f); err != nil {
				t.Fatalf("%s frame %d: %v", tr.File, i, err)
			}
			seen[fmt.Sprint(tr.Participant, tr.TrackName, f.Captured)]++
			if tr.Kind == "video" {
				sessions = append(sessions, f.Session)
			}
		}
		recorders[tr.Recorder] += len(got)
		if len(got) > 0 && !got[0].Key {
			t.Errorf("%s begins with a frame that no decoder can begin with", tr.File)
		}
	}
	t.Logf("frames by recorder: %v", recorders)
	if len(recorders) < 3 {
		t.Errorf("frames come from %v, want both cases of the relay, and the second recorder", recorders)
	}
	t.Logf("longest gaps of pictures: %v", longest(sessions)) // the field's own death leaves one
	for _, path := range all {
		o, err := evidence.Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, tr := range o.Manifest.Tracks {
			got, err := o.Frames(tr.Track)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range got {
				if n := seen[fmt.Sprint(tr.Participant, tr.TrackName, f.Captured)]; n != 1 {
					t.Errorf("the frame %d of %s in %s is %d times in the merged view", f.Captured, tr.TrackName, filepath.Base(path), n)
				}
			}
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}
}

func checkChanges(t *testing.T, primary string, cfg evidence.VerifyConfig) {
	t.Helper()
	others, err := evidence.Beside(primary)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range append(others, primary) {
		films, err := filepath.Glob(filepath.Join(dir, "*.mp4"))
		if err != nil || len(films) == 0 {
			t.Fatalf("%s has no film (%v)", dir, err)
		}
		was, err := os.ReadFile(films[0])
		if err != nil {
			t.Fatal(err)
		}
		now := bytes.Clone(was)
		now[len(now)/2] ^= 1
		if err := os.WriteFile(films[0], now, 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := evidence.VerifySession(primary, others, cfg, nil)
		if err != nil || r.Proven {
			t.Errorf("a changed byte of %s is not found (%v)", films[0], err)
		}
		if err := os.WriteFile(films[0], was, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := evidence.VerifySession(primary, others, cfg, nil); err != nil || !r.Proven {
		t.Errorf("what was put back is accused: %v", err)
	}
}

// longest returns the two longest pauses between times, the longest first.
func longest(sessions []int64) [2]time.Duration {
	slices.Sort(sessions)
	var gaps [2]time.Duration
	for i := 1; i < len(sessions); i++ {
		d := time.Duration(sessions[i]-sessions[i-1]) * time.Microsecond
		switch {
		case d > gaps[0]:
			gaps[0], gaps[1] = d, gaps[0]
		case d > gaps[1]:
			gaps[1] = d
		}
	}
	return gaps
}
