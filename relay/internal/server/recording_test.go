package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"

	"sightline/relay/client"
	"sightline/relay/internal/record"
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
	p.Kill()
	close(stop)
	<-done
	camera.Stop()

	dir := one(t, filepath.Join(data, "recordings", "hall", "*"))
	checkMovie(t, one(t, filepath.Join(dir, "Tom__王-camera.mp4")), camera)
	checkLog(t, dir, field.Self().ID)
	for _, name := range []string{"camera", "mic"} {
		path := one(t, filepath.Join(dir, "Tom__王-"+name+".mp4"))
		if seconds := probe(t, path); seconds < 2.5 || seconds > 6 {
			t.Errorf("%s plays for %.2f s; 5 s were sent", filepath.Base(path), seconds)
		}
	}
}

func one(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: found %q, %v", pattern, found, err)
	}
	return found[0]
}

// checkMovie compares every frame with what the camera sent under the name that the table gives it.
func checkMovie(t *testing.T, path string, camera *relaytest.Camera) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var parts fmp4.Parts
	if err := parts.Unmarshal(data); err != nil {
		t.Fatal(err)
	}
	rows := table(t, strings.TrimSuffix(path, ".mp4")+".frames.csv")
	n := 0
	var at, began int64
	for _, part := range parts {
		at = int64(part.Tracks[0].BaseTime)
		for _, s := range part.Tracks[0].Samples {
			row := rows[n]
			nalus, err := s.GetH264()
			if err != nil {
				t.Fatal(err)
			}
			got, err := h264.AnnexB(nalus).Marshal()
			if err != nil || string(got) != string(camera.Sent(row.captured)) {
				t.Fatalf("frame %d, captured %d: %d bytes, not as sent (%v)", n, row.captured, len(got), err)
			}
			if began == 0 {
				began = row.session - at*1e6/90000
			}
			if off := row.session - began - at*1e6/90000; off < -100 || off > 100 {
				t.Fatalf("frame %d is at %d of 90000, %d µs from its session time", n, at, off)
			}
			at += int64(s.Duration)
			n++
		}
	}
	if n < 75 {
		t.Errorf("%d frames were recorded of %d", n, camera.Count())
	}
}

type row struct{ captured, session int64 }

func table(t *testing.T, path string) []row {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for i, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
		f := strings.Split(line, ",")
		if len(f) != 4 || f[0] != strconv.Itoa(i) {
			t.Fatalf("line %q", line)
		}
		captured, _ := strconv.ParseInt(f[1], 10, 64)
		session, _ := strconv.ParseInt(f[2], 10, 64)
		rows = append(rows, row{captured, session})
	}
	return rows
}

func checkLog(t *testing.T, dir, self string) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "log.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		e, err := wire.Decode(lines.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", lines.Bytes(), err)
		}
		seen[e.Kind+" "+e.From] = true
	}
	for _, want := range []string{"participant relay", "mark " + self, "pose " + self} {
		if !seen[want] {
			t.Errorf("log.jsonl has no %s: %v", want, seen)
		}
	}
	var about record.About
	data, err := os.ReadFile(filepath.Join(dir, "recording.json"))
	if err != nil || json.Unmarshal(data, &about) != nil || about.Room != "hall" || about.SessionBegan == 0 {
		t.Errorf("recording.json: %s, %v", data, err)
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
