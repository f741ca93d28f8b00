package server_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	_ "image/png"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sightline/relay/internal/relaytest"
)

// browserTime is after when a browser is ended, so that one that hangs does not hold up its test for ever.
const browserTime = 3 * time.Minute

// browser runs Debian's Chromium, with a film for a camera, until the test ends. Each call of the function
// that it returns opens a page.
func browser(t *testing.T) func(address string) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: make deps")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(800, 600),
		chromedp.Flag("use-fake-ui-for-media-stream", true), chromedp.Flag("use-fake-device-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-video-capture", relaytest.FakeCamera(t)),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"))
	limited, late := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(late)
	all, stop := chromedp.NewExecAllocator(limited, options...)
	t.Cleanup(stop)
	root, end := chromedp.NewContext(all)
	t.Cleanup(end)
	if err := chromedp.Do(root); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return func(address string) context.Context {
		t.Helper()
		page, done := chromedp.NewContext(root)
		t.Cleanup(done)
		if err := chromedp.Do(page); err != nil { // the page lives as long as this call's context
			t.Fatal(err)
		}
		page, late := context.WithTimeout(page, browserTime)
		t.Cleanup(late)
		if err := chromedp.Do(page, chromedp.Navigate(address)); err != nil {
			t.Fatal(err)
		}
		return page
	}
}

// evaluate returns what a page says.
func evaluate[T any](t *testing.T, page context.Context, script string) T {
	t.Helper()
	value, err := chromedp.Run(page, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return value
}

// picture takes a picture of a page; SIGHTLINE_PICTURES names a directory that keeps it for people.
func picture(t *testing.T, page context.Context, name string) image.Image {
	t.Helper()
	data, err := chromedp.Run(page, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("SIGHTLINE_PICTURES"); dir != "" {
		if err := os.WriteFile(fmt.Sprintf("%s/%s.png", dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// A page publishes by WHIP, another watches by WHEP, in every codec that Chromium encodes; the picture that
// is seen is the camera's.
func TestChromiumPublishesAndWatches(t *testing.T) {
	open := browser(t)
	s := relaytest.Start(t, nil)
	for _, codec := range []string{"H264", "VP8", "VP9", "AV1"} {
		t.Run(codec, func(t *testing.T) {
			publisher := open(s.URL() + "/publish?codec=video/" + codec + "#" + relaytest.Token(t, s.Authority(), "field", "Tom "+codec))
			watcher := open(s.URL() + "/watch#" + relaytest.Token(t, s.Authority(), "viewer", "Wall"))
			relaytest.Eventually(t, "a picture is shown", func() bool {
				return evaluate[int](t, watcher, `picture.getVideoPlaybackQuality().totalVideoFrames`) > 15
			})
			const mime = `(async () => { const all = [...(await session.pc.getStats()).values()];
				const s = all.find(s => s.type === "inbound-rtp" && s.kind === "video");
				return all.find(c => c.id === s.codecId).mimeType + " " + s.framesDecoded; })()`
			got := evaluate[string](t, watcher, mime)
			if want := "video/" + codec; len(got) < len(want) || got[:len(want)] != want {
				t.Errorf("decoded %q, want %s", got, want)
			}
			checkCorners(t, watcher, codec)
			for _, page := range []context.Context{publisher, watcher} { // a new path on either side
				evaluate[chromedp.Void](t, page, `session.restart()`)
				from := evaluate[int](t, watcher, `picture.getVideoPlaybackQuality().totalVideoFrames`)
				relaytest.Eventually(t, "the picture goes on over the new path", func() bool {
					return evaluate[int](t, watcher, `picture.getVideoPlaybackQuality().totalVideoFrames`) > from+15
				})
			}
			sound := evaluate[int](t, watcher, `session.pc.getReceivers().filter(r => r.track.kind === "audio" && !r.track.muted).length`)
			if sound != 1 {
				t.Errorf("%d sounding tracks", sound)
			}
			for _, page := range []context.Context{publisher, watcher} {
				evaluate[chromedp.Void](t, page, `session.close()`)
			}
		})
	}
}

// checkCorners looks at the picture that the watcher sees.
func checkCorners(t *testing.T, watcher context.Context, name string) {
	t.Helper()
	box := evaluate[[]float64](t, watcher, `(() => { const r = picture.getBoundingClientRect(); const s = Math.min(r.width / picture.videoWidth, r.height / picture.videoHeight);
		const w = picture.videoWidth * s, h = picture.videoHeight * s; return [r.x + (r.width - w) / 2, r.y + (r.height - h) / 2, w, h]; })()`)
	relaytest.Eventually(t, "the corners are red, green, blue and white", func() bool {
		img := picture(t, watcher, "watch-"+name)
		at := func(x, y float64) (r, g, b uint32) {
			r, g, b, _ = img.At(int(box[0]+x*box[2]), int(box[1]+y*box[3])).RGBA()
			return r >> 8, g >> 8, b >> 8
		}
		r1, g1, b1 := at(0.2, 0.2)
		r2, g2, b2 := at(0.8, 0.2)
		r3, g3, b3 := at(0.2, 0.8)
		r4, g4, b4 := at(0.8, 0.8)
		return r1 > 180 && g1 < 80 && b1 < 80 && r2 < 80 && g2 > 180 && b2 < 90 && r3 < 80 && g3 < 80 && b3 > 180 &&
			r4 > 200 && g4 > 200 && b4 > 200
	})
}
