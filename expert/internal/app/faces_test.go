package app

import (
	"context"
	"image"
	"image/color"
	"image/draw"
	_ "image/jpeg"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sightline/devices/media"
	"sightline/devices/sim"
	"sightline/relay/client"
	"sightline/relay/wire"
)

// portrait is the photograph of a person that pigo's tests use, 320x400.
func portrait(t *testing.T) image.Image {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/esimov/pigo").Output()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(strings.TrimSpace(string(dir)), "testdata", "sample.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// visitor sends the plant, through which a person walks from the left to the right: frame by frame, where the middle
// of the face is, of those in which it is whole.
func visitor(t *testing.T, r *relay) (face map[int64]image.Point) {
	t.Helper()
	const width, height, fps, frames, size = 640, 480, 15, 90, 160
	w, err := sim.NewWorld(sim.Options{Width: width, Height: height, FPS: fps})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(t.Context(), client.Config{URL: r.url, Token: r.token(t, "field", "Tom"), Logger: slog.New(slog.DiscardHandler),
		Publish: []client.Track{{Name: "camera", Kind: wire.Video}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := c.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	enc, err := media.NewH264Encoder(media.EncoderConfig{Width: width, Height: height, FPS: fps, Whole: true, KeyInterval: fps})
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	person := portrait(t)
	face = map[int64]image.Point{}
	tick := time.NewTicker(time.Second / fps)
	defer tick.Stop()
	for n := range frames {
		<-tick.C
		p := w.Picture(n % 20)
		whole := image.NewRGBA(p.Rect)
		draw.Draw(whole, whole.Rect, p, image.Point{}, draw.Src)
		at := image.Pt(-size+n*(width+size)/frames, 150)
		for y := range size * 5 / 4 { // a fifth of the photograph's size and more, by its nearest pixels
			for x := range size {
				r, g, b, _ := person.At(x*320/size, y*400/(size*5/4)).RGBA()
				whole.Set(at.X+x, at.Y+y, color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 255})
			}
		}
		captured := time.Now().UnixMicro()
		unit, _, err := enc.Encode(media.FromImage(whole))
		if err != nil {
			t.Fatal(err)
		}
		if middle := at.Add(image.Pt(size/2, size*5/8)); middle.X > size/2 && middle.X < width-size/2 {
			face[captured] = middle
		}
		_ = c.Video("camera").WriteFrame(unit, captured) // what is missing in the case is not looked at
	}
	return face
}

// TestBlurFaces sends a person through the picture and exports the case without and with blurring: the face is gone in
// all pictures, and all else is as it was.
func TestBlurFaces(t *testing.T) {
	data := t.TempDir()
	r := startRelayIn(t, data)
	face := visitor(t, r)
	dir, key := r.finish(t, data)
	open, hidden := t.TempDir(), t.TempDir()
	for out, flags := range map[string][]string{open: nil, hidden: {"--blur-faces"}} {
		args := append([]string{"export", dir, "--out", out, "--key", key, "--only", "film.mp4", "--only", "frames.csv", "--only", "report.pdf"}, flags...)
		code, words := run(t, args...)
		if code != 0 || strings.Contains(words, "some may have been missed") != (flags != nil) {
			t.Fatalf("%d: %s", code, words)
		}
	}
	rows := table(t, filepath.Join(open, "frames.csv"))
	before, after := pictures(t, open), pictures(t, hidden)
	seen, gone, elsewhere := 0, 0, 0.0
	for i, row := range rows {
		at, ok := face[int64(number(t, row["captured_us"]))]
		if !ok || i >= len(before) || i >= len(after) {
			continue
		}
		seen++
		if differs(before[i], after[i], image.Rectangle{at, at}.Inset(-30)) > 8 {
			gone++
		}
		elsewhere = max(elsewhere, differs(before[i], after[i], image.Rect(0, 400, 640, 480)))
	}
	t.Logf("the face is gone in %d of %d pictures; elsewhere they differ by %.1f at most", gone, seen, elsewhere)
	if seen < 40 || gone < seen*98/100 || elsewhere > 3 {
		t.Errorf("the face is gone in %d of %d pictures; elsewhere they differ by %.1f at most", gone, seen, elsewhere)
	}
	text, err := exec.Command("pdftotext", filepath.Join(hidden, "report.pdf"), "-").Output()
	if err != nil || !strings.Contains(string(text), "Some may have been missed") {
		t.Errorf("the report does not say that faces were blurred: %v", err)
	}
}

// pictures are those of a film that are no cards.
func pictures(t *testing.T, dir string) [][]byte {
	t.Helper()
	all := rgb(t, filepath.Join(dir, "film.mp4"), 640, 480)
	for len(all) > 0 && all[0][0] < 30 && all[0][3*(240*640+600)] < 30 {
		all = all[1:]
	}
	return all
}

// differs is the mean difference of two pictures, 640 wide, in a part.
func differs(a, b []byte, part image.Rectangle) float64 {
	sum, n := 0.0, 0.0
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := 3 * part.Min.X; x < 3*part.Max.X; x++ {
			d := float64(a[3*640*y+x]) - float64(b[3*640*y+x])
			sum, n = sum+max(d, -d), n+1
		}
	}
	return sum / n
}
