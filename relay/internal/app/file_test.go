package app

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sightline/relay/internal/config"
)

// What cannot be is refused with the line of the file where it stands, and the file is under flags and
// environment.
func TestConfigurationFile(t *testing.T) {
	data := t.TempDir()
	file := filepath.Join(data, "relay.yaml")
	for name, c := range map[string]struct{ text, args, want string }{
		"unknown name": {"data: x\nlissen: 127.0.0.1:0\n", "", "relay.yaml:2: there is no setting \"lissen\"; did you mean listen?"},
		"no number":    {"# media\nmedia-port: many\n", "", "relay.yaml:2: --media-port"},
		"no truth":     {"verbose: maybe\n", "", "relay.yaml:1: --verbose"},
		"plain HTTP":   {"\nlisten: 0.0.0.0:0\n", "", "relay.yaml:2: listen: plain HTTP"},
		"bad media":    {"listen: 127.0.0.1:0\nmqtt-listen: 127.0.0.1:0\nadvertise: nowhere\n", "", "relay.yaml:3: advertise:"},
		"no own place": {"listen: 0.0.0.0:0\ntls-cert: a\ntls-key: b\nnats: nats://127.0.0.1:1\n", "", "relay.yaml:4: nats: relays lead clients"},
		"relay-url":    {"listen: 127.0.0.1:0\nrelay-url: here\n", "", "relay.yaml:2: relay-url:"},
		"no NATS":      {"listen: 127.0.0.1:0\nnats: nats://127.0.0.1:1\n", "", "relay.yaml:2: nats:"},
		"no cert":      {"listen: 127.0.0.1:0\nmqtt-listen: 127.0.0.1:0\ntls-cert: x\ntls-key: y\n", "", "relay.yaml:3: tls-cert:"},
		"overridden":   {"listen: 127.0.0.1:0\n", "--listen nowhere", "relay: listen: \"nowhere\""},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		args := strings.Fields("serve --config " + file + " --data " + data + " " + c.args)
		if code, _, errs := run(t.Context(), args...); code == 0 || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit %d, %q; want %q", name, code, errs, c.want)
		}
	}
	if err := os.WriteFile(file, []byte("listen: from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SIGHTLINE_LISTEN", "from-environment")
	t.Setenv("SIGHTLINE_CONFIG", file)
	if _, _, errs := run(t.Context(), "serve", "--data", data); !strings.Contains(errs, `relay: listen: "from-environment"`) {
		t.Errorf("environment is not over the file: %q", errs)
	}
}

// The example that relay config prints starts a relay as it is.
func TestExampleStarts(t *testing.T) {
	_, example, _ := run(t.Context(), "config")
	dir := t.TempDir()
	text := strings.Replace(example, "data: /var/lib/sightline", "data: "+dir+"/data", 1)
	text = strings.Replace(text, "#listen: 127.0.0.1:8080", "listen: 127.0.0.1:0", 1)
	text = strings.Replace(text, "#mqtt-listen: 127.0.0.1:1883", "mqtt-listen: 127.0.0.1:0", 1)
	file := filepath.Join(dir, "relay.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	said, errs := &first{then: stop}, &bytes.Buffer{}
	code := Run(ctx, nil, []string{"serve", "--config", file}, said, errs)
	if code != 0 || !strings.HasPrefix(said.text, "listening url=http://127.0.0.1:") {
		t.Errorf("exit %d, %q %q\n%s", code, said.text, errs, text)
	}
}

// first keeps the first thing that is written, and then does something.
type first struct {
	text string
	then func()
}

func (f *first) Write(p []byte) (int, error) {
	if f.text == "" {
		f.text = string(p)
		f.then()
	}
	return len(p), nil
}

// The sections of the example are read when they are no longer commented out, each with its entries.
func TestExampleSections(t *testing.T) {
	text := strings.NewReplacer("\n#", "\n", "whsec_...", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDz2Q4mQ==", "$2y$...", "long-enough-for-one").Replace(sectionsExample)
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(line, " ") || strings.HasPrefix(line, "  ") { // not the words above a section
			lines = append(lines, line)
		}
	}
	file := filepath.Join(t.TempDir(), "relay.yaml")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := config.Read(file, nil, sectionNames())
	if err != nil {
		t.Fatal(err)
	}
	s, err := readSections(read)
	if err != nil || len(s.rooms) != 1 || len(s.webhooks) != 1 || len(s.staff) != 2 || len(s.machines) != 2 {
		t.Errorf("%+v %v", s, err)
	}
}
