package server_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/evidence"
	"sightline/relay/internal/relaytest"
	"sightline/relay/wire"
)

func TestMain(m *testing.M) { relaytest.Main(m) }

// The relay is killed in the middle: what was recorded up to then plays, and is what was sent.
func TestRecordingOutlivesAKill(t *testing.T) {
	data := t.TempDir()
	p := relaytest.StartProcess(t, data, "127.0.0.1:0")
	camera, track := relaytest.NewCamera()
	field := relaytest.Join(t, client.Config{URL: p.URL, Token: relaytest.Token(t, p.Authority(t), "field", "Tom/ 王"),
		Publish: []client.Track{track, {Name: "mic", Kind: wire.Audio}}})
	camera.Play(field.Video("camera"))
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for captured := time.Now().UnixMicro(); ; captured += 20000 {
			_ = field.Audio("mic").WriteOpus([]byte{0xfc, 0xff, 0xfe}, captured, 20*time.Millisecond)
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	if _, err := field.Publish(wire.KindMark, "m-1", 7, "drawn"); err != nil {
		t.Fatal(err)
	}
	if err := field.SendPose(7, "pose"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second)
	killed := time.Now()
	p.Kill()
	close(stop)
	<-done
	camera.Stop()

	dir := one(t, filepath.Join(data, "recordings", "hall", "*"))
	key := sealKey(t, data)
	if r := verify(t, dir, key); r.Proven || len(r.Faults) != 1 || r.Faults[0].Kind != evidence.NotClosed {
		t.Errorf("before recovery: %+v", r.Faults)
	}
	again := relaytest.StartProcess(t, data, "127.0.0.1:0")
	again.Kill()
	r := verify(t, dir, key)
	if !r.Proven || r.ClosedBy != "recovery" {
		t.Errorf("after recovery: %+v", r)
	}
	c := open(t, dir)
	if lost := killed.Sub(time.UnixMicro(c.Manifest.Case.SessionBegan + c.Manifest.To)); lost > 2*time.Second {
		t.Errorf("%v are lost", lost)
	}
	checkLog(t, c, field.Self().ID)
	if len(c.Manifest.Tracks) != 2 {
		t.Fatalf("%+v", c.Manifest.Tracks)
	}
	for _, track := range c.Manifest.Tracks {
		if track.TrackName == "camera" {
			checkMovie(t, c, track, camera)
		}
		if seconds := probe(t, filepath.Join(dir, track.File)); seconds < 2.5 || seconds > 6 {
			t.Errorf("%s plays for %.2f s; 5 s were sent", track.File, seconds)
		}
	}
}

func sealKey(t *testing.T, data string) string {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(data, "seal", "key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	return string(key)
}

func verify(t *testing.T, path, key string) *evidence.Report {
	t.Helper()
	r, err := evidence.Verify(path, evidence.VerifyConfig{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func open(t *testing.T, path string) *evidence.Case {
	t.Helper()
	c, err := evidence.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func one(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: found %q, %v", pattern, found, err)
	}
	return found[0]
}

// checkMovie compares every frame with what the camera sent under its name.
func checkMovie(t *testing.T, c *evidence.Case, track evidence.TrackFile, camera *relaytest.Camera) {
	t.Helper()
	frames, err := c.Frames(track.Track)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		got, err := c.Data(track.Track, f)
		if err != nil || string(got) != string(camera.Sent(f.Captured)) {
			t.Fatalf("frame %d, captured %d: %d bytes, not as sent (%v)", i, f.Captured, len(got), err)
		}
	}
	if len(frames) < 75 {
		t.Errorf("%d frames were recorded of %d", len(frames), camera.Count())
	}
}

func checkLog(t *testing.T, c *evidence.Case, self string) {
	t.Helper()
	seen := map[string]bool{}
	if err := c.Log(func(e wire.Envelope) error { seen[e.Kind+" "+e.From] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"participant relay", "recorded relay", "mark " + self, "pose " + self} {
		if !seen[want] {
			t.Errorf("log.jsonl has no %s: %v", want, seen)
		}
	}
}

// probe decodes a file with ffmpeg, where it is installed, and returns for how many seconds it plays.
func probe(t *testing.T, path string) float64 {
	t.Helper()
	if _, err := exec.LookPath("ffprobe"); err != nil {
		t.Log("ffprobe is not installed: the file is not decoded")
		return 4
	}
	// Frames keep their own times: rounded to a frame rate, two that a busy machine sent close together would be one.
	if out, err := exec.Command("ffmpeg", "-v", "error", "-xerror", "-i", path, "-vsync", "passthrough", "-enc_time_base", "-1",
		"-f", "null", "-").CombinedOutput(); err != nil || len(out) > 0 && strings.HasSuffix(path, "camera.mp4") {
		t.Errorf("ffmpeg on %s: %v\n%s", filepath.Base(path), err, out)
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-show_entries", "packet=pts_time", "-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(strings.ReplaceAll(string(out), ",", ""))
	var first, last float64
	if len(lines) > 1 {
		_, _ = fmt.Sscan(lines[0], &first)
		_, _ = fmt.Sscan(lines[len(lines)-1], &last)
	}
	return last - first
}

// A publisher that makes a key frame only when it is asked, as browsers do, is asked while it is recorded: who looks
// for a moment in the recording has not to wait for more than a few seconds of frames.
func TestKeyFramesAreAskedFor(t *testing.T) {
	data := t.TempDir()
	s := relaytest.StartProcess(t, data, "127.0.0.1:0")
	var asked atomic.Bool
	asked.Store(true)
	tom := relaytest.Join(t, client.Config{URL: s.URL, Token: relaytest.Token(t, s.Authority(t), "field", "Tom"),
		Publish: []client.Track{{Name: "camera", Kind: wire.Video, OnKeyFrame: func() { asked.Store(true) }}}})
	film := relaytest.Film()
	for i := range 240 {
		unit := film[1+i%9] // none of these is a key frame
		if asked.Swap(false) {
			unit = film[0]
		}
		_ = tom.Video("camera").WriteFrame(unit, time.Now().UnixMicro()) // offline is seen below
		time.Sleep(time.Second / 30)
	}
	tom.Close()
	s.Terminate()
	s.WaitExit(t)
	c := open(t, one(t, filepath.Join(data, "recordings", "hall", "*")))
	frames, err := c.Frames(c.Manifest.Tracks[0].Track)
	if err != nil {
		t.Fatal(err)
	}
	last, most := frames[0].Session, int64(0)
	for _, f := range frames {
		most = max(most, f.Session-last)
		if f.Key {
			last = f.Session
		}
	}
	t.Logf("%d frames, key frames at most %.1f s apart", len(frames), float64(most)/1e6)
	if len(frames) < 150 || most > 4_000_000 {
		t.Errorf("%d frames, key frames up to %.1f s apart", len(frames), float64(most)/1e6)
	}
}
