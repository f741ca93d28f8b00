package server_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
)

var metric = regexp.MustCompile(`\b(?:sightline|process|go)_[a-z_]+`)

// The dashboard asks for nothing but what /metrics has, and for each with labels that it has.
func TestDashboard(t *testing.T) {
	s := relaytest.Start(t, nil)
	camera, track := relaytest.NewCamera()
	field := relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "field", "Tom"), Instance: "tom", Publish: []client.Track{track}})
	camera.Play(field.Video("camera"))
	defer camera.Stop()
	gone := tokenFor(t, s.Authority(), "hall")
	relaytest.Join(t, client.Config{URL: s.URL(), Token: gone, Instance: "eva"})
	var served string
	relaytest.Eventually(t, "the camera is measured", func() bool {
		status, text := get(t, s.URL()+"/metrics", "")
		served = text
		return status == http.StatusOK && strings.Contains(text, "sightline_track_bits_per_second{")
	})
	data, err := os.ReadFile("../../deploy/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	label := regexp.MustCompile(`\{\{(\w+)\}\}|by \(([\w, ]+)\)|(\w+)=~"|(\w+)!="`)
	asked := map[string]bool{}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			names := metric.FindAllString(target.Expr, -1)
			if len(names) == 0 {
				t.Errorf("%s: no figure in %s", p.Title, target.Expr)
			}
			for _, name := range names {
				asked[name] = true
				line := regexp.MustCompile(`(?m)^` + name + `(\{.*\})? `).FindString(served)
				if line == "" && name != "sightline_lobby_waiting" { // there is one while somebody waits
					t.Errorf("%s: /metrics has no %s", p.Title, name)
				}
				for _, found := range label.FindAllStringSubmatch(target.Expr+target.LegendFormat, -1) {
					for one := range strings.SplitSeq(strings.Join(found[1:], ""), ", ") {
						if line != "" && one != "instance" && !strings.Contains(line, one+`="`) {
							t.Errorf("%s: %s has no label %s", p.Title, name, one)
						}
					}
				}
			}
		}
	}
	for _, name := range slices.Compact(metric.FindAllString(served, -1)) {
		if strings.HasPrefix(name, "sightline_") && !asked[name] {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}
