// Package house pins the structure of the code: who may import whom, and what builds without cgo.
package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "sightline/"

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Standard   bool
	CgoFiles   []string
}

// edge is a third party that only one place may import, and why.
type edge struct {
	party string
	only  []string
	why   string
}

var edges = []edge{
	{"gocv.io/x/gocv", []string{"vision/opencv"}, "a Mat is C memory: it is freed where it is made"},
	{"github.com/pion/mediadevices", []string{"devices/media"}, "drivers and codecs are cgo and have one home"},
	{"github.com/eclipse/paho.mqtt.golang", []string{"devices/mqtt"}, "topics and payloads are read in one place"},
	{"github.com/hajimehoshi/ebiten/v2", []string{"field/internal/shell", "expert/internal/shell"}, "a window is a shell: what it shows can be tested without one"},
	{"github.com/esimov/pigo", []string{"vision/faces"}, "how faces are found is known in one place"},
	{"github.com/ebitengine/oto", []string{"expert/internal/shell"}, "a window is a shell: what it plays can be tested without one"},
	{"github.com/ebitenui/ebitenui", []string{"field/internal/shell", "expert/internal/shell"}, "widgets belong to the window"},
	{"github.com/pion/webrtc", []string{"relay"}, "who takes part speaks through relay/client"},
	{"github.com/pion/rtp", []string{"relay"}, "packets end at relay/client"},
	{"github.com/golang-jwt/jwt", []string{"relay/internal/auth"}, "who may enter is decided in one place"},
	{"github.com/coreos/go-oidc", []string{"relay/internal/staff"}, "who signs in is decided in one place"},
	{"golang.org/x/oauth2", []string{"relay/internal/staff"}, "who signs in is decided in one place"},
	{"github.com/caddyserver/certmagic", []string{"relay/internal/cert"}, "certificates come from one place"},
	{"github.com/nats-io", []string{"relay/internal"}, "the log is the relay's; others read it over their data channel"},
	{"go.yaml.in/yaml", []string{"relay/internal/config"}, "a setting's line in its file is known in one place"},
	{"github.com/go-pdf/fpdf", []string{"field/internal/sheet", "expert/internal/report"}, "what is printed is drawn in one place of each program"},
	{"github.com/skip2/go-qrcode", []string{"expert/internal/report"}, "what is printed is drawn in one place of each program"},
	{"golang.org/x/mod", []string{"relay/evidence"}, "what is signed and proven has one home"},
	{"github.com/digitorus/timestamp", []string{"relay/evidence"}, "what is signed and proven has one home"},
	{"github.com/minio/minio-go", []string{"relay/internal/s3"}, "a bucket is one of two stores, and the others do not know which"},
	{"filippo.io/age", []string{"relay/evidence/vault"}, "the keys of cases have one home"},
	{"github.com/mochi-mqtt", []string{"relay/internal", "devices/mqtt"}, "the embedded broker is the relay's"},
}

// ban is an import that must not be, and why.
type ban struct {
	from, to string
	except   []string
	why      string
}

var bans = []ban{
	{"relay", "field", nil, "the relay forwards and keeps messages whose bodies it need not understand"},
	{"relay", "expert", nil, "the relay forwards and keeps messages whose bodies it need not understand"},
	{"relay", "vision", nil, "the relay builds without cgo and sees no pictures"},
	{"relay", "annotate", nil, "the relay keeps marks without knowing what they are"},
	{"relay", "devices", []string{"devices/mqtt", "devices"}, "of devices the relay reads machines only"},
	{"field", "expert", nil, "the two ends meet in the room, not in the code"},
	{"expert", "field", nil, "the two ends meet in the room, not in the code"},
	{"expert", "vision/opencv", nil, "the expert draws with the field's poses and needs no OpenCV"},
	{"vision", "relay", nil, "vision knows nothing of networks"},
	{"vision", "devices", nil, "vision takes pictures, wherever they come from"},
	{"vision", "annotate", nil, "vision places pixels; what a mark is stands above it"},
	{"annotate", "devices/", nil, "a mark needs no plug"},
	{"annotate", "relay", []string{"relay/wire"}, "marks travel in envelopes; how is the client's matter"},
	{"annotate", "vision", []string{"vision", "vision/geom", "vision/camera"}, "marks are drawn by poses and lenses, not by trackers"},
	{"relay/evidence", "relay", []string{"relay/wire"}, "a case is read without a relay"},
	{"devices/sim", "relay", nil, "the simulated plant is a camera and machines, nothing else"},
	{"vision/geom", "", nil, "the lowest floor stands on the standard library alone"},
	{"relay/wire", "", nil, "the lowest floor stands on the standard library alone"},
	{"assets", "", nil, "the lowest floor stands on the standard library alone"},
}

// withoutCgo must build with CGO_ENABLED=0.
var withoutCgo = []string{"./relay/...", "./annotate/...", "./assets/...", "./devices/mqtt/...", "./devices/sim/...", "./devices/bridge/...",
	"./vision", "./vision/geom", "./vision/camera", "./vision/solve", "./vision/faces", "./vision/mapping", "./vision/track", "./vision/marker"}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Standard,CgoFiles", "./...")
	cmd.Dir = root(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// below says whether a path is a folder or in it; a folder with a slash at its end is only what is in it.
func below(path, folder string) bool {
	if strings.HasSuffix(folder, "/") {
		return strings.HasPrefix(path, folder)
	}
	return path == folder || strings.HasPrefix(path, folder+"/")
}

func TestImportsGoDownward(t *testing.T) {
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, module)
			for _, b := range bans {
				switch {
				case !below(from, b.from):
				case b.to == "" && strings.Contains(imp, ".") && !below(imp, module+b.from):
					t.Errorf("%s imports %s: %s", from, imp, b.why)
				case b.to == "" && ours:
					t.Errorf("%s imports %s: %s", from, to, b.why)
				case b.to != "" && ours && below(to, b.to) && !slices.Contains(b.except, to) && !below(to, b.from):
					t.Errorf("%s imports %s: %s", from, to, b.why)
				}
			}
		}
	}
}

func TestEachThirdPartyHasOneEdge(t *testing.T) {
	used := map[string]bool{}
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, imp := range p.Imports {
			for _, e := range edges {
				if !strings.HasPrefix(imp, e.party) {
					continue
				}
				used[e.party] = true
				if !slices.ContainsFunc(e.only, func(o string) bool { return below(from, o) }) {
					t.Errorf("%s imports %s, which only %v may: %s", from, imp, e.only, e.why)
				}
			}
		}
	}
	for _, fixed := range []string{"gocv.io/x/gocv", "github.com/pion/mediadevices", "github.com/eclipse/paho.mqtt.golang", "github.com/hajimehoshi/ebiten/v2", "github.com/pion/webrtc"} {
		if !used[fixed] {
			t.Errorf("nobody imports %s any more", fixed)
		}
	}
}

func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(root(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"field", "expert", "relay", "vision", "annotate", "devices", "assets", "go.mod", "go.sum", "Makefile", "README.md", "bin", "out"}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(want, e.Name()) {
			t.Errorf("%s does not belong on the top level", e.Name())
		}
	}
}

func TestBuildsWithoutCgo(t *testing.T) {
	cmd := exec.Command("go", append([]string{"build", "-o", os.DevNull}, withoutCgo...)...)
	cmd.Dir = root(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, p := range packages(t) {
		if len(p.CgoFiles) > 0 && !slices.Contains([]string{"vision/opencv", "devices/media"}, strings.TrimPrefix(p.ImportPath, module)) {
			t.Errorf("%s has cgo files %v: cgo is gated by package", p.ImportPath, p.CgoFiles)
		}
	}
}
