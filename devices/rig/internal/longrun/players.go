package longrun

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// players plays every track of the case in other people's players: FFmpeg decodes it to its end, and ffplay, VLC and
// Chromium play from its middle.
func (s *session) players(ctx context.Context, t *Table) error {
	files, err := filepath.Glob(filepath.Join(s.caseDir, "*.mp4"))
	if err != nil || !s.cfg.Players {
		return err
	}
	for _, player := range []struct {
		name string
		play func(context.Context, []string) ([]string, error)
	}{{"ffmpeg, to the end", ffmpeg}, {"ffplay", ffplay}, {"VLC", vlc}, {"Chromium", chromium}} {
		faults, err := player.play(ctx, files)
		if err != nil {
			t.add("played in "+player.name, "not tried: %v", err)
			continue
		}
		t.add("played in "+player.name, "%d of %d tracks", len(files)-len(faults), len(files))
		for _, f := range faults {
			t.Failures = append(t.Failures, player.name+": "+f)
		}
	}
	return nil
}

// each plays each file by a command and gathers what fails.
func each(files []string, play func(file string) error) (faults []string) {
	for _, f := range files {
		if err := play(f); err != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", filepath.Base(f), err))
		}
	}
	return faults
}

func ffmpeg(ctx context.Context, files []string) ([]string, error) {
	return each(files, func(file string) error {
		_, err := command(ctx, "ffmpeg", "-v", "error", "-xerror", "-i", file, "-f", "null", "-")
		return err
	}), nil
}

// length is a file's, seconds.
func length(ctx context.Context, file string) float64 {
	var seconds float64
	out, _ := command(ctx, "ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", file)
	_, _ = fmt.Sscan(out, &seconds) // 0 plays from the start
	return seconds
}

func ffplay(ctx context.Context, files []string) ([]string, error) {
	if _, err := exec.LookPath("ffplay"); err != nil {
		return nil, err
	}
	return each(files, func(file string) error {
		cmd := exec.CommandContext(ctx, "ffplay", "-v", "error", "-autoexit", "-ss", fmt.Sprint(length(ctx, file)/2), "-t", "2", file)
		cmd.Env = append(os.Environ(), "SDL_VIDEODRIVER=dummy", "SDL_AUDIODRIVER=dummy")
		out, err := cmd.CombinedOutput()
		if err == nil && len(strings.TrimSpace(string(out))) > 0 {
			err = fmt.Errorf("%s", out)
		}
		return err
	}), nil
}

// vlc refuses to run as root: it runs as nobody then.
func vlc(ctx context.Context, files []string) ([]string, error) {
	path, err := exec.LookPath("cvlc")
	if err != nil {
		return nil, err
	}
	return each(files, func(file string) error {
		half := int(length(ctx, file) / 2)
		args := []string{path, "-vv", "--vout", "dummy", "--aout", "dummy", "--no-media-library", "--start-time", fmt.Sprint(half), "--stop-time", fmt.Sprint(half + 2), file, "vlc://quit"}
		if os.Geteuid() == 0 {
			args = append([]string{"setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "env", "HOME=/nonexistent"}, args...)
		}
		ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
		defer cancel()
		abs, err := filepath.Abs(file)
		if err != nil {
			return err
		}
		args[len(args)-2] = abs
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		switch said := string(out); {
		case err != nil:
			return err
		case !strings.Contains(said, "Received first picture") && !strings.Contains(said, "Received first audio") && !strings.Contains(said, "Decoder wait done"):
			return fmt.Errorf("nothing was decoded: %s", said[max(0, len(said)-300):])
		}
		return nil
	}), nil
}

// playIn plays a file in the page from its middle, and says what is wrong.
const playIn = `(async () => {
	const v = document.createElement("video"); v.muted = true; v.src = %q; document.body.append(v);
	const event = name => new Promise((yes, no) => { v.addEventListener(name, yes, {once: true});
		v.addEventListener("error", () => no(new Error(v.error.message)), {once: true}); setTimeout(() => no(new Error("no " + name)), 20000); });
	try {
		await event("loadedmetadata");
		const half = v.duration / 2;
		const there = event("seeked"); v.currentTime = half; await there;
		const from = v.currentTime; await v.play();
		await new Promise(f => setTimeout(f, 1500));
		if (v.currentTime < from + 0.5) return "it stands at " + v.currentTime;
		return "";
	} catch (e) { return String(e); } finally { v.remove(); }
})()`

func chromium(ctx context.Context, files []string) ([]string, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, err
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			_, _ = w.Write([]byte("<!doctype html><title>case</title><body>"))
			return
		}
		http.ServeFile(w, r, filepath.Join(filepath.Dir(files[0]), filepath.Base(r.URL.Path)))
	}))
	defer web.Close()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("autoplay-policy", "no-user-gesture-required"))
	all, stop := chromedp.NewExecAllocator(ctx, options...)
	defer stop()
	page, end := chromedp.NewContext(all)
	defer end()
	if err := chromedp.Do(page, chromedp.Navigate(web.URL+"/")); err != nil {
		return nil, err
	}
	return each(files, func(file string) error {
		said, err := chromedp.Run(page, chromedp.Evaluate[string](fmt.Sprintf(playIn, "/"+filepath.Base(file)), chromedp.EvalAwaitPromise))
		if err == nil && said != "" {
			err = fmt.Errorf("%s", said)
		}
		return err
	}), nil
}
