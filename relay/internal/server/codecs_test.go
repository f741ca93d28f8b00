package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
	"sightline/relay/wire"
)

// encode makes two seconds of a test picture with FFmpeg, as frames of a codec, a key frame each second.
func encode(t *testing.T, encoder, size string) [][]byte {
	t.Helper()
	args := []string{"-v", "error", "-f", "lavfi", "-i", "testsrc=duration=2:rate=30:size=" + size, "-pix_fmt", "yuv420p", "-g", "30", "-c:v", encoder, "-b:v", "300k"}
	if encoder == "libaom-av1" {
		args = append(args, "-usage", "realtime", "-cpu-used", "8", "-lag-in-frames", "0")
	} else {
		args = append(args, "-deadline", "realtime", "-cpu-used", "8", "-auto-alt-ref", "0", "-lag-in-frames", "0")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ffmpeg", append(args, "-f", "ivf", "-")...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("ffmpeg cannot encode with %s: %v %s", encoder, err, said.String())
	}
	in, _, err := ivfreader.NewWith(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	var frames [][]byte
	for {
		frame, _, err := in.ParseNextFrame()
		if errors.Is(err, io.EOF) {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame)
	}
}

// VP8, VP9 and AV1 are recorded as they come, in a new file where the picture changes its size, and play.
func TestRecordingOfCodecs(t *testing.T) {
	for _, c := range []struct{ mime, encoder string }{
		{webrtc.MimeTypeVP8, "libvpx"}, {webrtc.MimeTypeVP9, "libvpx-vp9"}, {webrtc.MimeTypeAV1, "libaom-av1"},
	} {
		t.Run(strings.TrimPrefix(c.mime, "video/"), func(t *testing.T) {
			small, large := encode(t, c.encoder, "320x240"), encode(t, c.encoder, "480x360")
			x := begin(t, nil)
			g := relaytest.NewGuest(t, relaytest.Token(t, x.s.Authority(), "field", "Web"))
			track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: c.mime, ClockRate: 90000}, "video", "web")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := g.PC.AddTrack(track); err != nil {
				t.Fatal(err)
			}
			g.Open(x.s.URL() + "/whip/hall")
			relaytest.Eventually(t, "the guest is connected", func() bool { return g.PC.ConnectionState() == webrtc.PeerConnectionStateConnected })
			for _, frame := range append(append(append([][]byte{}, small...), large...), small...) {
				if err := track.WriteSample(media.Sample{Data: frame, Duration: time.Second / 30}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second / 40)
			}
			_ = g.PC.GracefulClose()
			dir, key := x.end(t)
			proven(t, dir, key)
			var sizes []string
			for _, track := range open(t, dir).Manifest.Tracks {
				if track.Name != "Web" {
					continue
				}
				sizes = append(sizes, probed(t, filepath.Join(dir, track.File)))
			}
			if got := strings.Join(sizes, " "); got != "320x240 480x360 320x240" {
				t.Errorf("recorded %s", got)
			}
		})
	}
}

// probed decodes a file to its end, and returns the size of its picture.
func probed(t *testing.T, path string) string {
	t.Helper()
	if out, err := exec.Command("ffmpeg", "-v", "error", "-xerror", "-i", path, "-f", "null", "-").CombinedOutput(); err != nil {
		t.Errorf("%s does not play: %v %s", filepath.Base(path), err, out)
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height", "-of", "csv=p=0:s=x", path).Output()
	if err != nil {
		t.Errorf("%s: %v", filepath.Base(path), err)
	}
	return strings.TrimSpace(string(out))
}

// Sound and picture of a participant who drops and comes back are on one clock, to a few milliseconds.
func TestRecordingIsInSync(t *testing.T) {
	x := begin(t, nil)
	for range 2 {
		camera, track := relaytest.NewCamera()
		c := relaytest.Join(t, client.Config{URL: x.s.URL(), Token: relaytest.Token(t, x.s.Authority(), "expert", "Eva"), Instance: "eva",
			Publish: []client.Track{track, {Name: "mic", Kind: wire.Audio}}})
		camera.Play(c.Video("camera"))
		for range 100 {
			_ = c.Audio("mic").WriteOpus([]byte{0xfc, 0xff, 0xfe}, time.Now().UnixMicro(), 20*time.Millisecond)
			time.Sleep(20 * time.Millisecond)
		}
		camera.Stop()
		c.Close()
	}
	dir, key := x.end(t)
	proven(t, dir, key)
	c := open(t, dir)
	tracks, least, most := 0, int64(0), int64(0)
	for _, track := range c.Manifest.Tracks {
		frames, err := c.Frames(track.Track)
		if err != nil {
			t.Fatal(err)
		}
		if track.Name != "Eva" {
			continue
		}
		for i, f := range frames {
			off := f.Session - f.Captured
			if tracks == 0 && i == 0 {
				least, most = off, off
			}
			least, most = min(least, off), max(most, off)
		}
		tracks++
	}
	if tracks != 4 || most-least > 40_000 {
		t.Errorf("%d tracks, whose clocks are up to %d µs apart", tracks, most-least)
	}
	t.Logf("%d tracks, at most %d µs apart", tracks, most-least)
}
