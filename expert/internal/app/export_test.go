package app

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sightline/annotate/typeset"
	"sightline/devices"
	"sightline/devices/mqtt"
	"sightline/expert/internal/export"
	"sightline/expert/internal/report"
	"sightline/expert/internal/tape"
)

// recorded is a case that a real relay made of a call in which a mark was drawn, a value rose by one every
// 50 ms, and something was said.
type recorded struct {
	dir, key string
	truth    map[int64][]float64 // by frame: the two ends of the line, where it was placed already
	sent     []time.Time         // when each value was sent, by the value
}

// theCase is made once for all tests of this file.
var theCase = sync.OnceValues(makeCase)

func makeCase() (*recorded, error) {
	dir, err := os.MkdirTemp(filepath.Dir(relayProgram), "case-")
	return &recorded{dir: dir}, err
}

// record makes the case where it is not made yet.
func record(t *testing.T) *recorded {
	t.Helper()
	c, err := theCase()
	if err != nil {
		t.Fatal(err)
	}
	if c.truth == nil {
		c.make(t, `
		wait video
		wait tracking
		wait tag hall1/pump count
		mark stroke 0.5,0.5 0.62,0.5 colour=#ff00ff
		wait placed 1
		say "Close V-31 <slowly> & look?"
		sleep 2s
		snapshot `+filepath.Join(c.dir, "snapshot.png")+`
		sleep 1s
		pause "a drawing"
		sleep 700ms
		resume
		sleep 700ms`)
	}
	return c
}

func (c *recorded) make(t testing.TB, script string) {
	t.Helper()
	config := filepath.Join(c.dir, "relay.yaml")
	if err := os.WriteFile(config, []byte("rooms:\n  - match: \"*\"\n    consent: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := startRelayIn(t, c.dir, "--config", config)
	truth := filepath.Join(c.dir, "truth")
	t.Setenv("SIGHTLINE_TEST_TRUTH", truth)
	kill := r.field(t)
	stop := c.plant(t, r.mqtt)
	r.expert(t, "Eva", script, "--watch", "hall1/pump", "--consent", "yes")
	stop()
	kill()
	c.dir, c.key = r.finish(t, c.dir)
	data, err := os.ReadFile(truth)
	if err != nil {
		t.Fatal(err)
	}
	c.truth = map[int64][]float64{}
	for line := range strings.Lines(string(data)) {
		var v []float64
		words := strings.Fields(line)
		for _, w := range words[1:] {
			v = append(v, number(t, w))
		}
		c.truth[int64(number(t, words[0]))] = v
	}
}

// plant sends a value that counts.
func (c *recorded) plant(t testing.TB, broker string) (stop func()) {
	t.Helper()
	p, err := mqtt.NewPublisher(mqtt.PublisherConfig{URL: broker, ClientID: "plant"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	if err := p.WaitConnected(ctx); err != nil {
		t.Fatal(err)
	}
	high := 20.0
	if err := p.Birth(devices.Machine{Name: "hall1/pump", Title: "Pump", Marker: -1, Tags: map[string]devices.Tag{"count": {Title: "Count", Unit: "1", High: &high}}}); err != nil {
		t.Fatal(err)
	}
	var task sync.WaitGroup
	task.Go(func() {
		for ctx.Err() == nil {
			c.sent = append(c.sent, time.Now())
			_ = p.Value("hall1/pump", "count", float64(len(c.sent)-1), time.Now(), devices.Good)
			time.Sleep(50 * time.Millisecond)
		}
	})
	return func() { cancel(); task.Wait(); p.Close() }
}

func number(t testing.TB, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// run runs the expert and returns its exit code and what it said.
func run(t testing.TB, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := Run(context.Background(), args, &out, &out, nil)
	return code, out.String()
}

// TestExport makes everything of a case, and looks at it with other programs.
func TestExport(t *testing.T) {
	c := record(t)
	dir := t.TempDir()
	code, words := run(t, "export", c.dir, "--out", dir, "--key", c.key)
	if code != 0 || !strings.Contains(words, "times real time") {
		t.Fatalf("%d: %s", code, words)
	}
	rows := table(t, filepath.Join(dir, "frames.csv"))
	t.Run("marks", func(t *testing.T) { c.marks(t, filepath.Join(dir, "film.mp4"), rows) })
	t.Run("telemetry", func(t *testing.T) { c.telemetry(t, dir, rows) })
	t.Run("words", func(t *testing.T) {
		vtt, err := os.ReadFile(filepath.Join(dir, "captions.vtt"))
		if err != nil || !strings.Contains(string(vtt), "<v Eva>Close V-31 &lt;slowly&gt; &amp; look?") {
			t.Errorf("%v: %s", err, vtt)
		}
		chapters, err := os.ReadFile(filepath.Join(dir, "chapters.vtt"))
		if err != nil || !strings.Contains(string(chapters), "Eva: Draws freehand") || !strings.Contains(string(chapters), "Alarm: Pump: Count is high") {
			t.Errorf("%v: %s", err, chapters)
		}
		if !strings.Contains(string(chapters), "Not recorded: paused for privacy: a drawing") || !strings.Contains(string(chapters), "Eva: Snapshot") {
			t.Errorf("%s", chapters)
		}
	})
	t.Run("report", func(t *testing.T) {
		text, err := exec.Command("pdftotext", "-layout", filepath.Join(dir, "report.pdf"), "-").Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Session report", "PROVEN", "Pump (hall1/pump)", "Eva", "Tom", "Draws freehand", "as the technician saw it", "Count",
			"still active at the end", "agreed", "paused for privacy: a drawing (Eva)", "Snapshot", "nobody wrote an answer", "sightline case head v1"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("the report does not say %q", want)
			}
		}
		if strings.Contains(string(text), "NOT PROVEN") {
			t.Error("the report of a proven case says that it is not")
		}
	})
	t.Run("again", func(t *testing.T) {
		before, _ := os.Stat(filepath.Join(dir, "film.mp4"))
		if err := os.WriteFile(filepath.Join(dir, "captions.vtt"), []byte("changed"), 0o600); err != nil {
			t.Fatal(err)
		}
		code, words := run(t, "export", c.dir, "--out", dir, "--key", c.key)
		after, _ := os.Stat(filepath.Join(dir, "film.mp4"))
		if code != 0 || !strings.Contains(words, "there already: chapters.vtt") || !after.ModTime().Equal(before.ModTime()) {
			t.Errorf("%d: %s", code, words)
		}
		if vtt, _ := os.ReadFile(filepath.Join(dir, "captions.vtt")); string(vtt) == "changed" {
			t.Error("a changed file was taken for finished")
		}
	})
}

func table(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, cells := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			row[name] = cells[i]
		}
		out = append(out, row)
	}
	return out
}

// marks compares every picture of the film with where the field knows that the line ends in that very
// frame: there the film is magenta, and where it was half a second before it is not.
func (c *recorded) marks(t *testing.T, film string, rows []map[string]string) {
	pictures := rgb(t, film, 320, 240)
	times, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0", film).Output()
	if err != nil {
		t.Fatal(err)
	}
	var at []float64
	for _, line := range strings.Fields(string(times)) {
		at = append(at, number(t, strings.TrimRight(line, ",")))
	}
	if len(at) != len(pictures) {
		t.Fatalf("%d pictures at %d times", len(pictures), len(at))
	}
	seen, elsewhere, far := 0, 0, 0.0
	var first []float64
	for _, row := range rows {
		v := c.truth[int64(number(t, row["captured_us"]))]
		if len(v) < 4 || row["marks"] == "0" {
			continue
		}
		when := number(t, row["film_s"])
		i := slices.IndexFunc(at, func(v float64) bool { return math.Abs(v-when) < 0.0011 })
		if i < 0 {
			t.Fatalf("the film has no picture at %s s", row["film_s"])
		}
		if v[2] < 6 || v[2] > 313 || v[3] < 6 || v[3] > 233 {
			continue
		}
		if first == nil {
			first = v
		}
		far = max(far, math.Hypot(v[2]-first[2], v[3]-first[3]))
		if magenta(pictures[i], v[2], v[3]) {
			seen++
		} else {
			elsewhere++
		}
	}
	t.Logf("the end is where it must be in %d pictures, not in %d; it wandered %.0f px", seen, elsewhere, far)
	if seen < 20 || elsewhere > 2 || far < 8 { // two: the anchor's message takes a moment to reach the relay
		t.Errorf("the end is where it must be in %d pictures, not in %d; it wandered %.0f px", seen, elsewhere, far)
	}
}

// magenta says whether there is magenta within a pixel of a place.
func magenta(rgb []byte, x, y float64) bool {
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			o := 3 * ((int(y+0.5)+dy)*320 + int(x+0.5) + dx)
			if rgb[o] > 140 && rgb[o+1] < 120 && rgb[o+2] > 140 {
				return true
			}
		}
	}
	return false
}

// rgb decodes a film with FFmpeg.
func rgb(t *testing.T, film string, width, height int) [][]byte {
	t.Helper()
	raw, err := exec.Command("ffmpeg", "-v", "error", "-i", film, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for size := width * height * 3; len(raw) >= size; raw = raw[size:] {
		out = append(out, raw[:size])
	}
	return out
}

// telemetry compares the value beside each frame with what had been sent when it was taken.
func (c *recorded) telemetry(t *testing.T, dir string, rows []map[string]string) {
	if n := len(table(t, filepath.Join(dir, "telemetry.csv"))); n < 50 {
		t.Errorf("%d readings", n)
	}
	checked, worst := 0, time.Duration(0)
	for _, row := range rows {
		if row["hall1/pump/count"] == "" {
			continue
		}
		v := int(number(t, row["hall1/pump/count"]))
		captured := time.UnixMicro(int64(number(t, row["captured_us"])))
		late := captured.Sub(c.sent[v])
		worst = max(worst, late)
		if late < -150*time.Millisecond { // the relay knows when a frame was captured to its least delay on the way
			t.Errorf("the frame of %v has a value that was sent %v later", captured, -late)
		}
		checked++
	}
	t.Logf("%d frames; a value was at most %v old", checked, worst)
	if checked < 20 || worst > time.Second {
		t.Errorf("%d frames; a value was at most %v old", checked, worst)
	}
}

// TestExportOfWhatIsNotProven says so everywhere, and only where it is asked for.
func TestExportOfWhatIsNotProven(t *testing.T) {
	c := record(t)
	dir := t.TempDir()
	if code, words := run(t, "export", c.dir, "--out", dir); code == 0 || !strings.Contains(words, "--unproven") || !strings.Contains(words, "--key") {
		t.Errorf("%d: %s", code, words)
	}
	spoilt := filepath.Join(t.TempDir(), "case")
	if err := os.CopyFS(spoilt, os.DirFS(c.dir)); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(spoilt, "log.jsonl")
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, bytes.Replace(data, []byte("V-31"), []byte("V-13"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, words := run(t, "export", spoilt, "--out", dir, "--key", c.key); code == 0 || !strings.Contains(words, "changed: log.jsonl") {
		t.Errorf("%d: %s", code, words)
	}
	if code, words := run(t, "export", spoilt, "--out", dir, "--key", c.key, "--unproven"); code != 0 {
		t.Fatalf("%d: %s", code, words)
	}
	text, err := exec.Command("pdftotext", filepath.Join(dir, "report.pdf"), "-").Output()
	if err != nil || strings.Count(string(text), "NOT PROVEN") < strings.Count(string(text), "\f") {
		t.Errorf("not every page says that it is not proven: %v", err)
	}
	for i, p := range rgb(t, filepath.Join(dir, "film.mp4"), 320, 240) {
		if o := 3 * (12*320 + 305); p[o] < 120 || p[o+1] > 90 {
			t.Fatalf("picture %d has no sign: %v", i, p[o:o+3])
		}
	}
}

// TestExportGoesOn breaks a film off in its middle and lets it go on: it is not begun anew, and it is whole.
func TestExportGoesOn(t *testing.T) {
	c := record(t)
	dir := t.TempDir()
	if code, words := run(t, "export", c.dir, "--out", dir, "--key", c.key, "--only", "banana"); code == 0 || !strings.Contains(words, "film.mp4") {
		t.Errorf("%d: %s", code, words)
	}
	faces, err := typeset.New()
	if err != nil {
		t.Fatal(err)
	}
	tp, err := tape.Open(c.dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tp.Close()
	cfg := export.Config{Tape: tp, Faces: faces, Dir: dir, Seal: report.Seal{Proven: true}, Only: []string{export.Film}}
	clock := time.Unix(0, 0)
	cfg.Now = func() time.Time { clock = clock.Add(time.Second); return clock } // so that each picture is told of
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Progress = func(_ string, done float64, _ bool) {
		if done > 0.8 {
			cancel()
		}
	}
	if _, err := export.Run(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Fatal("broken off:", err)
	}
	least := 1.0
	cfg.Progress = func(_ string, done float64, _ bool) {
		if done > 0 {
			least = min(least, done)
		}
	}
	if _, err := export.Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if least < 0.3 {
		t.Errorf("the film went on at %.2f of it", least)
	}
	whole := t.TempDir()
	if code, words := run(t, "export", c.dir, "--out", whole, "--key", c.key, "--only", "film.mp4"); code != 0 {
		t.Fatalf("%d: %s", code, words)
	}
	one, two := rgb(t, filepath.Join(dir, "film.mp4"), 320, 240), rgb(t, filepath.Join(whole, "film.mp4"), 320, 240)
	if len(one) != len(two) || len(one) < 40 {
		t.Errorf("%d pictures, in one go %d", len(one), len(two))
	}
}
