package config

import (
	"errors"
	"strings"
	"testing"
)

var names = []string{"listen", "data", "tls-cert", "media-port"}

func TestParse(t *testing.T) {
	f, err := parse("r.yaml", []byte("# ours\nlisten: 127.0.0.1:8080\n\nmedia-port: 8080\ntls-cert:\n"), names)
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
		if _, err := parse("r.yaml", []byte(text), names); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if _, err := Read(t.TempDir()+"/none.yaml", names); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("listen: a\ndata: b\n"))
	f.Add([]byte("a: &a [*a, *a]\n"))
	f.Add([]byte("? [x]\n: y\n"))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = parse("f", data, names) })
}
