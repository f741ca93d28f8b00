package app

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image/png"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sightline/annotate"
	"sightline/expert/internal/call"
	"sightline/expert/internal/desk"
	"sightline/vision/geom"
)

// relayProgram is the real relay, built once.
var relayProgram string

func TestMain(m *testing.M) {
	if where := os.Getenv("SIGHTLINE_TEST_FIELD"); where != "" {
		url, token, _ := strings.Cut(where, " ")
		fatal(runField(url, token))
		return
	}
	dir, err := os.MkdirTemp("", "expert-test-")
	fatal(err)
	relayProgram = filepath.Join(dir, "relay")
	build := exec.Command("go", "build", "-o", relayProgram, "sightline/relay")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fatal(fmt.Errorf("build the relay: %w\n%s", err, out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// relay is a relay process on loopback.
type relay struct {
	url, mqtt, data string
	cmd             *exec.Cmd
}

func startRelay(t testing.TB) *relay {
	t.Helper()
	return startRelayIn(t, t.TempDir())
}

func startRelayIn(t testing.TB, data string, more ...string) *relay {
	t.Helper()
	r := &relay{data: data}
	cmd := exec.Command(relayProgram, "serve", "--listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0", "--data", r.data)
	cmd.Args = append(cmd.Args, more...)
	r.cmd = cmd
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal("the relay did not start:", err)
	}
	for _, w := range strings.Fields(line) {
		if url, ok := strings.CutPrefix(w, "url="); ok {
			r.url = url
		}
		if url, ok := strings.CutPrefix(w, "mqtt="); ok {
			r.mqtt = url
		}
	}
	return r
}

func (r *relay) token(t testing.TB, role, name string, more ...string) string {
	t.Helper()
	out, err := exec.Command(relayProgram, append([]string{"invite", "hall", "--role", role, "--name", name, "--data", r.data, "--token-only"}, more...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// field starts a field process; it returns how to kill it.
func (r *relay) field(t testing.TB) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SIGHTLINE_TEST_FIELD="+r.url+" "+r.token(t, "field", "Tom"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	t.Cleanup(kill)
	return kill
}

// expert plays a script as "expert --headless" does, and returns its trace.
func (r *relay) expert(t testing.TB, name, text string, more ...string) (trace []map[string]any) {
	t.Helper()
	dir := t.TempDir()
	file, out := filepath.Join(dir, "script"), filepath.Join(dir, "trace.jsonl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	args := append([]string{"--relay", r.url, "--token", r.token(t, "expert", name), "--headless", "--script", file, "--trace", out}, more...)
	if code := Run(context.Background(), args, &stdout, &stderr, nil); code != 0 {
		t.Fatalf("expert %s ended with %d: %s%s", name, code, stdout.String(), stderr.String())
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		m, err := decode(line)
		if err != nil {
			t.Fatalf("trace: %v in %s", err, line)
		}
		trace = append(trace, m)
	}
	return trace
}

func find(trace []map[string]any, event string) (out []map[string]any) {
	for _, m := range trace {
		if m["event"] == event {
			out = append(out, m)
		}
	}
	return out
}

// TestScriptedExpert draws on a call, and another one joins in the middle.
func TestScriptedExpert(t *testing.T) {
	r := startRelay(t)
	kill := r.field(t)
	shot := filepath.Join(t.TempDir(), "window.png")
	trace := r.expert(t, "Eva", `
		wait video
		wait tracking
		mark arrow 0.5,0.5 0.7,0.3 delay=300ms
		mark gesture:press 0.4,0.6
		mark text 0.6,0.5 text="关闭 close"
		wait placed 3 10s
		undo
		wait marks 2 5s
		freeze
		mark circle 0.5,0.6 0.6,0.6
		wait placed 3 10s
		unfreeze
		say "look here"
		sleep 300ms
		screenshot `+shot+`
		report`)
	marks, frames := find(trace, "mark"), find(trace, "frame")
	if len(marks) != 4 || len(find(trace, "placed")) < 4 || len(frames) < 5 || len(find(trace, "end")) != 1 {
		t.Errorf("trace has %d marks, %d placed, %d frames", len(marks), len(find(trace, "placed")), len(frames))
	}
	named := map[float64]bool{}
	for _, f := range frames {
		named[f["captured"].(float64)] = true
	}
	for _, m := range marks {
		if !named[m["captured"].(float64)] {
			t.Errorf("mark %v names a frame that was never on screen", m["id"])
		}
	}
	if delay := (marks[0]["sent"].(float64) - marks[0]["captured"].(float64)) / 1e6; delay < 0.3 {
		t.Errorf("the delayed mark was sent after %.3f s", delay)
	}
	wantPNG(t, shot, 1280, 800)

	began := time.Now().UnixMicro()
	late := r.expert(t, "Lin", "wait video 10s\nwait placed 3 10s\nwait marks 3")
	seen := (find(late, "frame")[0]["shown"].(float64) - float64(began)) / 1e6
	t.Logf("joined in the middle: first picture after %.2f s", seen)
	if seen > 4 {
		t.Errorf("first picture after %.1f s; meant to be within 1 s", seen)
	}

	lost := filepath.Join(t.TempDir(), "lost.png")
	time.AfterFunc(1500*time.Millisecond, kill)
	dead := r.expert(t, "Ann", "wait video 10s\nwait lost 8s\nscreenshot "+lost)
	wantPNG(t, lost, 1280, 800)
	frames = find(dead, "frame")
	last := frames[len(frames)-1]["shown"].(float64)
	for _, s := range find(dead, "state") {
		if s["what"] == "field" && (s["state"] == "offline" || s["state"] == "interrupted") {
			after := (s["at"].(float64) - last) / 1e6
			t.Logf("lost: said %.1f s after the last picture", after)
			if after > 6.5 {
				t.Errorf("the field's death was noticed after %.1f s", after)
			}
			return
		}
	}
	t.Error("nothing was said of the field's death")
}

func wantPNG(t *testing.T, path string, width, height int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if p.Bounds().Dx() != width || p.Bounds().Dy() != height {
		t.Errorf("%s is %v", filepath.Base(path), p.Bounds())
	}
}

// TestTwoExpertsAgree has two draw, and delete and move each other's marks at the same time.
func TestTwoExpertsAgree(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
	r := startRelay(t)
	dial := func(name string) *call.Call {
		c, err := call.Dial(t.Context(), call.Config{URL: r.url, Token: r.token(t, "expert", name), Logger: slog.New(slog.DiscardHandler), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, b := dial("Ann"), dial("Bob")
	defer a.Close()
	defer b.Close()
	eventually(t, "both are connected", func() bool { return a.Room().Link.Connected && b.Room().Link.Connected })
	draw := func(c *call.Call, n int) string {
		m, err := desk.Body(desk.Circle, 640, 480, []geom.Vec2{{float64(n), 1}, {9, 9}})
		if err != nil {
			t.Fatal(err)
		}
		m.Camera, m.Colour = "nobody", desk.Palette[0]
		id, err := c.Create(m, int64(n))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	var ofA, ofB []string
	for i := range 20 {
		ofA, ofB = append(ofA, draw(a, i)), append(ofB, draw(b, 100+i))
	}
	eventually(t, "all marks are everywhere", func() bool { return len(a.Marks()) == 40 && len(b.Marks()) == 40 })
	if err := a.Delete(ofB[:15]...); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(ofA[10:]...); err != nil {
		t.Fatal(err)
	}
	moved := entry(a.Marks(), ofB[19]).Mark
	moved.Points = []geom.Vec2{{77, 77}, {80, 80}}
	if err := a.Move(ofB[19], moved, 5); err != nil {
		t.Fatal(err)
	}
	if did, err := b.Undo(); !did || err != nil {
		t.Fatal(did, err)
	}
	eventually(t, "both have the same marks", func() bool { return state(a) == state(b) && a.Pending() == 0 && b.Pending() == 0 })
	if n := len(a.Marks()); n != 25 {
		t.Errorf("%d marks are left, want 25", n)
	}
}

func entry(marks []annotate.Entry, id string) annotate.Entry {
	for _, e := range marks {
		if e.ID == id {
			return e
		}
	}
	return annotate.Entry{}
}

func state(c *call.Call) string {
	var b strings.Builder
	for _, e := range c.Marks() {
		fmt.Fprintln(&b, e.ID, e.Time, e.From, e.Captured, e.Mark.Points)
	}
	return b.String()
}

func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 15 s still not: %s", what)
		}
	}
}

// TestRunSaysWhatIsWrong goes through what a user gets wrong.
func TestRunSaysWhatIsWrong(t *testing.T) {
	r := startRelay(t)
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad")
	vain := filepath.Join(dir, "vain")
	for path, text := range map[string]string{bad: "wait sun", vain: "wait video 100ms"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	token := r.token(t, "expert", "Eva")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "where to?"},
		{[]string{"http://127.0.0.1:1/nothing"}, "link"},
		{[]string{"--relay", r.url, "--token", token, "--size", "big"}, "--size big"},
		{[]string{"--relay", r.url, "--token", token, "--script", bad}, `line 1, column 6: wait knows`},
		{[]string{"--relay", r.url, "--token", token, "--script", filepath.Join(dir, "none")}, "--script"},
		{[]string{"--relay", r.url, "--token", "nonsense", "--headless"}, "token"},
		{[]string{"--relay", r.url, "--token", token, "--headless", "--script", vain}, "script line 1: wait: video: not within 100ms; "},
		{[]string{"--relay", r.url, "--token", token, "--headless", "--trace", filepath.Join(dir, "no", "where")}, "trace"},
	} {
		var stdout, stderr bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		code := Run(ctx, c.args, &stdout, &stderr, nil)
		cancel()
		if code == 0 || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%v: %d, %q; want %q", c.args, code, stderr.String(), c.want)
		}
	}
}
