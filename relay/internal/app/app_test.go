package app

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"sightline/relay/client"
)

func run(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Run(ctx, nil, args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestInvite(t *testing.T) {
	data := t.TempDir()
	code, out, errs := run(t.Context(), "invite", "hall-3", "--role", "expert", "--name", "Ann", "--data", data, "--url", "http://127.0.0.1:9")
	if code != 0 {
		t.Fatal(errs)
	}
	link, rest, _ := strings.Cut(out, "\n")
	base, token, err := client.ParseLink(link)
	if err != nil || base != "http://127.0.0.1:9" || strings.Count(token, ".") != 2 {
		t.Errorf("link %q: %q %q %v", link, base, token, err)
	}
	if !strings.Contains(rest, "▀") || !strings.Contains(rest, "Ann may join room hall-3") {
		t.Errorf("no QR code, or no words:\n%s", rest)
	}
	if code, out, _ = run(t.Context(), "invite", "hall-3", "--role", "field", "--data", data, "--token-only"); code != 0 ||
		strings.Count(out, ".") != 2 || strings.Count(out, "\n") != 1 {
		t.Errorf("--token-only printed %q", out)
	}
}

func TestKeys(t *testing.T) {
	data := t.TempDir()
	keys := func(args string, want string) {
		t.Helper()
		if _, out, errs := run(t.Context(), strings.Fields("keys "+args+" --data "+data)...); !strings.Contains(out+errs, want) {
			t.Errorf("keys %s printed %q, want %q", args, out+errs, want)
		}
	}
	keys("rotate", "key 1 signs now")
	keys("rotate", "key 2 signs now")
	keys("list", "1 verifies\n2 signs\n")
	keys("remove 1", "")
	keys("remove 2", "rotate first")
	keys("remove x", "want a number")
	if code, _, errs := run(t.Context(), "invite", "a", "--role", "viewer", "--right", "fly", "--data", data); code == 0 || !strings.Contains(errs, "right") {
		t.Errorf("a right that is none: %q", errs)
	}
}

func TestWhatCannotBe(t *testing.T) {
	data := t.TempDir()
	file := filepath.Join(data, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args string
		want string
	}{
		"no command":   {"", "expected one of"},
		"bad room":     {"invite a/b --role field --data " + data, "letters, digits"},
		"bad role":     {"invite a --role boss --data " + data, "must be one of"},
		"bad url":      {"invite a --role field --url nowhere --data " + data, "want http://"},
		"plain HTTP":   {"serve --listen 0.0.0.0:0 --data " + data, "tls-cert"},
		"half of TLS":  {"serve --tls-key x --data " + data, "both"},
		"bad proxy":    {"serve --proxy nowhere --data " + data, "want an address"},
		"two sources":  {"serve --tls-cert a --tls-key b --acme-domain c --data " + data, "one of both"},
		"open broker":  {"serve --listen 127.0.0.1:0 --mqtt-listen 0.0.0.0:0 --data " + data, "mqtt-users"},
		"no address":   {"serve --listen nowhere --data " + data, "want host:port"},
		"not a dir":    {"serve --listen 127.0.0.1:0 --data " + file, "data directory"},
		"no such cert": {"serve --listen 127.0.0.1:0 --mqtt-listen 127.0.0.1:0 --tls-cert x --tls-key y --data " + data, "no such file"},
		"bad broker":   {"serve --listen 127.0.0.1:0 --mqtt nowhere --data " + data, "want tcp://"},
		"bare broker":  {"serve --listen 127.0.0.1:0 --mqtt relay:sesame@broker:1883 --data " + data, "want tcp://"},
		"odd password": {"serve --listen 127.0.0.1:0 --mqtt tcp://relay:sesame%zz@broker:1883 --data " + data, "%25"},
		"bad media":    {"serve --listen 127.0.0.1:0 --mqtt-listen 127.0.0.1:0 --advertise nowhere --data " + data, "want host:port"},
	} {
		if code, _, errs := run(t.Context(), strings.Fields(c.args)...); code == 0 || !strings.Contains(errs, c.want) || strings.Contains(errs, "sesame") {
			t.Errorf("%s: exit %d, %q; want %q", name, code, errs, c.want)
		}
	}
}

// A relay starts, says where it is, answers, and leaves nothing running behind.
func TestServe(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- Run(ctx, nil, []string{"serve", "--listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0", "--data", t.TempDir()}, w, io.Discard)
		w.Close()
	}()
	line := make([]byte, 200)
	n, err := r.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	said := string(line[:n])
	url := strings.TrimPrefix(strings.Fields(said)[1], "url=")
	if !strings.HasPrefix(said, "listening url=http://127.0.0.1:") || !strings.Contains(said, " mqtt=tcp://127.0.0.1:") {
		t.Errorf("said %q", said)
	}
	for path, want := range map[string]int{"/healthz": 200, "/join": 200, "/ws": 401, "/api/v1/health": 200, "/api/v1/rooms": 401, "/nothing": 404} {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, resp.Status, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	if code := <-done; code != 0 {
		t.Errorf("exit %d", code)
	}
}

// The first line says which broker is read, without its password.
func TestFirstLineTellsNoPassword(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, w := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- Run(ctx, nil, []string{"serve", "--listen", "127.0.0.1:0", "--mqtt", "tcp://relay:sesame@127.0.0.1:1", "--data", t.TempDir()}, w, io.Discard)
		w.Close()
	}()
	line := make([]byte, 200)
	n, err := r.Read(line)
	if said := string(line[:n]); err != nil || strings.Contains(said, "sesame") || !strings.Contains(said, " mqtt=tcp://127.0.0.1:1 ") {
		t.Errorf("said %q, %v", said, err)
	}
	stop()
	<-done
}

func TestBuildsWithoutCgo(t *testing.T) {
	cmd := exec.Command("go", "build", "-o", os.DevNull, "sightline/relay")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// An invitation that was made is listed, and can be revoked.
func TestInvitationsAreListedAndRevoked(t *testing.T) {
	data := t.TempDir()
	if code, _, errs := run(t.Context(), "invite", "hall-3", "--role", "expert", "--name", "Ann", "--data", data); code != 0 {
		t.Fatal(errs)
	}
	_, out, _ := run(t.Context(), "invite", "list", "--data", data)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 || !strings.Contains(lines[1], "hall-3") || !strings.Contains(lines[1], "publish,draw") {
		t.Fatalf("listed %q", out)
	}
	if code, out, errs := run(t.Context(), "invite", "revoke", strings.Fields(lines[1])[0], "--data", data); code != 0 || !strings.Contains(out, "Ann") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	if _, out, _ = run(t.Context(), "invite", "list", "--data", data); !strings.Contains(out, "revoked") {
		t.Errorf("listed %q", out)
	}
	if code, _, errs := run(t.Context(), "invite", "revoke", "none", "--data", data); code == 0 || !strings.Contains(errs, "no such invitation") {
		t.Errorf("exit %d, %s", code, errs)
	}
	if code, _, errs := run(t.Context(), "invite", "*", "--role", "viewer", "--data", data); code == 0 || !strings.Contains(errs, "--staff") {
		t.Errorf("a guest for all rooms: exit %d, %s", code, errs)
	}
}
