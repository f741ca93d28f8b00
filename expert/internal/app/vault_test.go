package app

import (
	"context"
	"encoding/json"
	"image"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"sightline/devices/media"
	"sightline/relay/client"
	"sightline/relay/wire"
)

// green sends a green picture for a while.
func green(t *testing.T, r *relay, name string, length time.Duration) {
	t.Helper()
	c, err := client.Dial(t.Context(), client.Config{URL: r.url, Token: r.token(t, "expert", name), Logger: slog.New(slog.DiscardHandler),
		Publish: []client.Track{{Name: "camera", Kind: wire.Video}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	enc, err := media.NewH264Encoder(media.EncoderConfig{Width: 160, Height: 120, FPS: 15, Whole: true, KeyInterval: 15})
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	picture := image.NewYCbCr(image.Rect(0, 0, 160, 120), image.YCbCrSubsampleRatio420)
	for i := range picture.Y {
		picture.Y[i] = 150
	}
	for i := range picture.Cb {
		picture.Cb[i], picture.Cr[i] = 44, 21
	}
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(time.Second / 15) {
		unit, _, err := enc.Encode(picture)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Video("camera").WriteFrame(unit, time.Now().UnixMicro()) // before the connection stands it is nobody's
	}
}

// TestCaseAtRelay records two cameras encrypted, and exports the case from the relay with one in the other's picture:
// whose token may, and with the identity that opens it. The relay notes it.
func TestCaseAtRelay(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	identity := filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(identity, []byte(id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	r := startRelayIn(t, data, "--encrypt-to", id.Recipient().String())
	kill := r.field(t)
	green(t, r, "Eva", 4*time.Second)
	kill()
	r.finish(t, data) // an empty room stays open for a while; the relay's end closes it at once
	r = startRelayIn(t, data, "--encrypt-to", id.Recipient().String())
	may, mayNot := r.token(t, "viewer", "Ida", "--right", "record,play,export"), r.token(t, "viewer", "Lia", "--right", "record")
	address := r.closed(t, may)
	key := r.key(t)
	out := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{address}, "--token"},
		{[]string{address, "--token", mayNot, "--identity", identity, "--key", key}, "403"},
		{[]string{address, "--token", may, "--key", key}, "--identity"},
	} {
		if code, words := run(t, append([]string{"export", "--out", out, "--only", "film.mp4"}, c.args...)...); code == 0 || !strings.Contains(words, c.want) {
			t.Errorf("%v: %d: %s", c.args, code, words)
		}
	}
	args := []string{"export", address, "--token", may, "--identity", identity, "--key", key, "--out", out, "--pip", "--only", "film.mp4"}
	if code, words := run(t, args...); code != 0 {
		t.Fatalf("%d: %s", code, words)
	}
	inset, pictures := 0, rgb(t, filepath.Join(out, "film.mp4"), 320, 240)
	for _, p := range pictures {
		if o := 3 * (180*320 + 270); p[o] < 90 && p[o+1] > 200 && p[o+2] < 90 {
			inset++
		}
	}
	if inset < 4 || 4*inset < len(pictures) { // on a busy machine a film of few pictures is made
		t.Errorf("the other camera is in %d of %d pictures", inset, len(pictures))
	}
	shot := filepath.Join(out, "shot.png")
	if code, words := run(t, "open", address, "--token", may, "--identity", identity, "--key", key, "--at", "2s", "--screenshot", shot); code != 0 {
		t.Errorf("%d: %s", code, words)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "sightline-case-*")); len(left) > 0 {
		t.Errorf("copies are left: %v", left)
	}
	log, err := os.ReadFile(filepath.Join(data, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"case exported", "case played"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the audit log does not say %q", want)
		}
	}
}

// closed waits until the relay's one case is closed, and returns its address.
func (r *relay) closed(t *testing.T, token string) string {
	t.Helper()
	address := ""
	eventually(t, "the case is closed", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		ask, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/api/v1/cases", nil)
		if err != nil {
			t.Fatal(err)
		}
		ask.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(ask)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		var list struct{ Cases []struct{ ID, State string } }
		if json.NewDecoder(answer.Body).Decode(&list) != nil || len(list.Cases) != 1 || list.Cases[0].State != "closed" {
			return false
		}
		address = r.url + "/api/v1/cases/" + list.Cases[0].ID
		return true
	})
	return address
}
