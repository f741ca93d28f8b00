package server_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/internal/relaytest"
)

// The wall clock of a relay's process is set back by an hour, and then forward by two, while it records. Session time
// goes on evenly, no frame is lost, the chain says what was done to the clock, and the case is proven.
func TestClockJumps(t *testing.T) {
	data := t.TempDir()
	p := relaytest.StartClocked(t, data, "127.0.0.1:0")
	camera, track := relaytest.NewCamera()
	field := relaytest.Join(t, client.Config{URL: p.URL, Token: relaytest.Token(t, p.Authority(t), "field", "Tom"), Publish: []client.Track{track}})
	camera.Play(field.Video("camera"))
	for _, off := range []time.Duration{0, -time.Hour, 2 * time.Hour} {
		p.SetClock(t, off)
		time.Sleep(2 * time.Second)
	}
	if state, err := field.State(); state != client.Connected {
		t.Errorf("the field is %s: %v", state, err)
	}
	camera.Stop()
	field.Close()
	p.Terminate()
	p.WaitExit(t)
	dir := one(t, filepath.Join(data, "recordings", "hall", "*"))
	r := proven(t, dir, sealKey(t, data))
	for _, jump := range [][]string{{"set by -1h0m", "set by -59m59."}, {"set by 3h0m", "set by 2h59m59."}} {
		if !slices.ContainsFunc(r.Remarks, func(s string) bool { return strings.Contains(s, jump[0]) || strings.Contains(s, jump[1]) }) {
			t.Errorf("nothing is said of the clock %s: %q", jump[0], r.Remarks)
		}
	}
	frames := unbroken(t, open(t, dir), camera)
	row(t, "clock set by -1 h, then +3 h", fmt.Sprintf("recorded in session time, which goes on; %d frames, none missing; the chain says by how much it was set, and when", frames),
		"nothing: there is nothing to do")
}
