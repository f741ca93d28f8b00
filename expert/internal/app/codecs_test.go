package app

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sightline/expert/internal/reel"
	"sightline/expert/internal/tape"
)

// browser runs Debian's Chromium with a film for a camera, red, green and blue in three of its corners, until the
// test ends.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: make deps")
	}
	film := filepath.Join(t.TempDir(), "camera.y4m")
	const corners = "color=red:s=320x180:r=30:d=2[a];color=lime:s=320x180:r=30:d=2[b];color=blue:s=320x180:r=30:d=2[c];testsrc=s=320x180:r=30:d=2[d];" +
		"[a][b]hstack[x];[c][d]hstack[y];[x][y]vstack,format=yuv420p"
	if out, err := exec.Command("ffmpeg", "-v", "error", "-filter_complex", corners, film).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-file-for-fake-video-capture", film), chromedp.Flag("autoplay-policy", "no-user-gesture-required"))
	all, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	page, end := chromedp.NewContext(all)
	t.Cleanup(end)
	if err := chromedp.Do(page); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return page
}

// TestCodecs records a browser that publishes by WHIP in each codec: every frame is shown, and the film is made.
func TestCodecs(t *testing.T) {
	page := browser(t)
	for _, codec := range []string{"H264", "VP8", "VP9", "AV1"} {
		t.Run(codec, func(t *testing.T) {
			data := t.TempDir()
			r := startRelayIn(t, data)
			if err := chromedp.Do(page, chromedp.Navigate(r.url+"/publish?codec=video/"+codec+"#"+r.token(t, "field", "Tom"))); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a few seconds are recorded", func() bool {
				tables, _ := filepath.Glob(filepath.Join(data, "recordings", "hall", "*", "Tom-camera*.frames.csv"))
				for _, table := range tables {
					if out, err := exec.Command("wc", "-l", table).Output(); err == nil && number(t, strings.Fields(string(out))[0]) > 60 {
						return true
					}
				}
				return false
			})
			if _, err := chromedp.Run(page, chromedp.Evaluate[chromedp.Void](`session.close()`, chromedp.EvalAwaitPromise)); err != nil {
				t.Fatal(err)
			}
			dir, key := r.finish(t, data)
			everyFrame(t, dir, "video/"+codec)
			out := t.TempDir()
			if code, words := run(t, "export", dir, "--out", out, "--key", key, "--only", "film.mp4"); code != 0 || strings.Contains(words, "do not decode") {
				t.Fatalf("%d: %s", code, words)
			}
			size := strings.Split(probe(t, filepath.Join(out, "film.mp4"), "width,height"), ",")
			w, h := int(number(t, size[0])), int(number(t, size[1]))
			pictures := rgb(t, filepath.Join(out, "film.mp4"), w, h)
			p := pictures[len(pictures)/2]
			at := func(x, y int) (r, g, b byte) { o := 3 * (y*w + x); return p[o], p[o+1], p[o+2] }
			r1, g1, b1 := at(w/10, h/5)
			r2, g2, b2 := at(w*9/10, h/5)
			r3, g3, b3 := at(w/10, h*4/5)
			if r1 < 180 || g1 > 80 || b1 > 80 || r2 > 80 || g2 < 180 || b2 > 90 || r3 > 80 || g3 > 80 || b3 < 180 {
				t.Errorf("the corners of the film are %d %d %d, %d %d %d, %d %d %d; want red, green, blue", r1, g1, b1, r2, g2, b2, r3, g3, b3)
			}
		})
	}
}

// probe asks ffprobe for what a film's picture is.
func probe(t *testing.T, film, entries string) string {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream="+entries, "-of", "csv=p=0", film).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(strings.TrimSpace(string(out)), ",")
}

// everyFrame shows each frame of a case, the last first.
func everyFrame(t *testing.T, dir, codec string) {
	t.Helper()
	tp, err := tape.Open(dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tp.Close()
	c := tp.Cameras[0]
	r := reel.New(tp, c, 64<<20)
	defer r.Close()
	keys := 0
	begun := time.Now()
	for i := len(c.Shots) - 1; i >= 0; i-- {
		f, err := r.Frame(t.Context(), i, nil)
		if err != nil {
			t.Fatal(err)
		}
		if f.Captured != c.Shots[i].Captured || f.Damaged {
			t.Errorf("frame %d of %d: captured %d, want %d; damaged %v", i, len(c.Shots), f.Captured, c.Shots[i].Captured, f.Damaged)
		}
		f.Release()
		if c.Shots[i].Key {
			keys++
		}
	}
	t.Logf("%d frames in %d files, %d of them key frames, shown backwards in %v", len(c.Shots), len(c.Files), keys, time.Since(begun).Round(time.Millisecond))
	if len(c.Shots) < 60 || !strings.EqualFold(c.Files[0].Codec, codec) {
		t.Errorf("%d frames of %s", len(c.Shots), c.Files[0].Codec)
	}
}
