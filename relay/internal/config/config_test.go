package config

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

var names = []string{"listen", "data", "tls-cert", "media-port"}
var sections = []string{"rooms"}

func TestParse(t *testing.T) {
	f, err := parse("r.yaml", []byte("# ours\nlisten: 127.0.0.1:8080\n\nmedia-port: 8080\ntls-cert:\n"), names, sections)
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := f.Get("media-port"); !ok || v != "8080" || f.Place("media-port") != "r.yaml:4" {
		t.Errorf("media-port %q at %s", v, f.Place("media-port"))
	}
	if _, ok := f.Get("tls-cert"); ok {
		t.Error("a name without a value sets something")
	}
	located := f.Locate(Bad("listen", errors.New("is taken")), func(string) bool { return false })
	if located.Error() != "r.yaml:2: listen: is taken" {
		t.Error(located)
	}
	if other := f.Locate(Bad("listen", errors.New("is taken")), func(string) bool { return true }); other.Error() != "listen: is taken" {
		t.Error(other)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"listen: a\nlisen: b":          `r.yaml:2: there is no setting "lisen"; did you mean listen?`,
		"tls_cert: a":                  "did you mean tls-cert?",
		"quux: a":                      "relay config prints all",
		"data: a\n\n\ndata: b":         "r.yaml:4: data is set twice, in line 1 before",
		"data: [a]":                    "r.yaml:1: data: want one value",
		"- a":                          "r.yaml:1: want lines of the form",
		"listen: a\n\tdata: b":         "r.yaml:2:",
		"listen: \"a":                  "r.yaml:1:",
		"listen: &x [*x]\nmedia-port:": "r.yaml:1",
	} {
		if _, err := parse("r.yaml", []byte(text), names, sections); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, err := Read(t.TempDir()+"/none.yaml", names, sections); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("listen: a\ndata: b\n"))
	f.Add([]byte("a: &a [*a, *a]\n"))
	f.Add([]byte("? [x]\n: y\n"))
	f.Add([]byte("rooms:\n  - match: a\n    max: 3\n"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if f, err := parse("f", data, names, sections); err == nil {
			_, _ = Items(f, "rooms", (*room).check)
		}
	})
}

type room struct {
	Match string        `yaml:"match"`
	Max   int           `yaml:"max"`
	Wait  time.Duration `yaml:"wait"`
}

func (r *room) check() error {
	if r.Match == "" {
		return errors.New("match is missing")
	}
	return nil
}

func TestItems(t *testing.T) {
	f, err := parse("r.yaml", []byte("listen: a\nrooms:\n  - match: a\n    wait: 3s\n  - {match: b, max: 2}\n"), names, sections)
	if err != nil {
		t.Fatal(err)
	}
	all, err := Items(f, "rooms", (*room).check)
	if want := []room{{"a", 0, 3 * time.Second}, {"b", 2, 0}}; err != nil || !slices.Equal(all, want) {
		t.Errorf("%+v %v", all, err)
	}
	for text, want := range map[string]string{
		"rooms: a":                             "r.yaml:1: rooms: want a list",
		"rooms:\n  - a":                        "r.yaml:2: rooms: want lines of the form",
		"rooms:\n  - match: a\n    mx: 2":      `r.yaml:3: rooms: there is no setting "mx" in it; did you mean max?`,
		"rooms:\n  - match: a\n    max: many":  "r.yaml:3: rooms: cannot unmarshal",
		"rooms:\n  - match: a\n  - max: 1":     "r.yaml:3: rooms: match is missing",
		"rooms: []\nrooms: []":                 "r.yaml:2: rooms is set twice",
		"rooms:\n  - match: a\n    wait: soon": "r.yaml:3: rooms:",
	} {
		f, err := parse("r.yaml", []byte(text), names, sections)
		if err == nil {
			_, err = Items(f, "rooms", (*room).check)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
