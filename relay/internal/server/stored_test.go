package server_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sightline/relay/client"
	"sightline/relay/evidence"
	"sightline/relay/internal/api"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
)

// A case whose contents are in the store alone is listed, proven, given out from any byte on, and deleted as one on the
// relay's disk.
func TestACaseInTheStoreAlone(t *testing.T) {
	x := begin(t, func(c *server.Config) { c.Linger, c.Recording.Local = 100*time.Millisecond, time.Nanosecond })
	time.Sleep(1500 * time.Millisecond)
	x.camera.Stop()
	x.field.Close()
	token, err := x.s.Authority().Sign(auth.Grant{Room: auth.AllRooms, Role: auth.Viewer, Name: "Ann", Staff: true,
		Rights: []string{auth.Record, auth.Play, auth.Export, auth.Delete}}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c := newCaller(t, x.s.URL()).as(token)
	var is api.Case
	at := func() api.Case {
		var list struct{ Cases []api.Case }
		c.ask("GET", "/cases?room=hall", nil, 200, &list)
		if len(list.Cases) != 1 {
			t.Fatalf("%+v", list)
		}
		return list.Cases[0]
	}
	relaytest.Eventually(t, "the case is put away", func() bool { return at().Stored })
	relaytest.Join(t, client.Config{URL: x.s.URL(), Token: signedFor(t, x.s, "yard")}).Close() // its end has the store looked after
	relaytest.Eventually(t, "the case is in the store alone", func() bool { is = at(); return !is.Local })
	dir := one(t, filepath.Join(x.data, "recordings", "hall", "*"))
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v is left on the disk (%v)", left, err)
	}
	var r evidence.Report
	if c.ask("GET", "/cases/"+is.ID+"/verdict", nil, 200, &r); !r.Proven || r.Frames == 0 {
		t.Errorf("%+v", r)
	}
	whole, part := c.bytes("/cases/"+is.ID+"/export", ""), c.bytes("/cases/"+is.ID+"/archive", "bytes=1000-1999")
	if len(whole) < 10_000 || !bytes.Equal(part, whole[1000:2000]) {
		t.Errorf("%d bytes, and a range of %d that is not theirs", len(whole), len(part))
	}
	copied := filepath.Join(t.TempDir(), "case.zip")
	if err := os.WriteFile(copied, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	proven(t, copied, sealKey(t, x.data))
	c.ask("DELETE", "/cases/"+is.ID, map[string]string{"why": "asked for"}, 204, nil)
	c.ask("GET", "/cases/"+is.ID+"/export", nil, 409, nil)
	if left, _ := filepath.Glob(filepath.Join(x.data, "inbox", "*")); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
	relaytest.Ends(t, "the relay closes", x.s.Close)
}
