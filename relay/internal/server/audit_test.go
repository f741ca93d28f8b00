package server_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sightline/relay/client"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/relaytest"
)

// events reads the audit log of a data directory.
func events(t *testing.T, data string) []audit.Event {
	t.Helper()
	file, err := os.ReadFile(audit.Path(data))
	if err != nil {
		t.Fatal(err)
	}
	var all []audit.Event
	for line := range bytes.Lines(file) {
		var e audit.Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

// The audit log says who came, by which invitation and from where, who was refused and why; and neither it nor
// any other file or log of the relay holds a token or another secret.
func TestAudit(t *testing.T) {
	p := relaytest.StartProcess(t, t.TempDir(), "127.0.0.1:0", "-v")
	a := p.Authority(t)
	secret, token := "instance-secret-4711", tokenFor(t, a, "hall")
	camera, track := relaytest.NewCamera()
	field := relaytest.Join(t, client.Config{URL: p.URL, Token: relaytest.Token(t, a, "field", "Tom"), Publish: []client.Track{track}})
	camera.Play(field.Video("camera"))
	expert := relaytest.Join(t, client.Config{URL: p.URL, Token: token, Instance: secret})
	grant, err := a.Check(token)
	if err != nil {
		t.Fatal(err)
	}
	forged := token[:len(token)-8] + "AAAAAAAA"
	for path, want := range map[string]int{"/ws?token=" + forged: 401, "/ws": 401, "/ws?token=" + token: 426} {
		if status, text := get(t, p.URL+path, ""); status != want {
			t.Errorf("%.20s: %d %s", path, status, text)
		}
	}
	relaytest.Eventually(t, "the camera is published", func() bool {
		return slices.ContainsFunc(events(t, p.Data), func(e audit.Event) bool { return e.What == audit.Published })
	})
	expert.Close()
	camera.Stop()
	field.Close()
	p.Terminate()
	ends(t, p)

	all := events(t, p.Data)
	for _, want := range []audit.Event{
		{What: audit.Started}, {What: audit.Draining}, {What: audit.Ended},
		{What: audit.RecordingBegan, Room: "hall"}, {What: audit.RecordingEnded, Room: "hall"},
		{What: audit.Joined, Room: "hall", Name: "Eva", Role: "expert", Address: "127.0.0.1", By: "socket", Invitation: grant.ID},
		{What: audit.Left, Room: "hall", Name: "Eva", Role: "expert", Address: "127.0.0.1", By: "socket", Invitation: grant.ID},
		{What: audit.Published, Room: "hall", Name: "Tom", Role: "field", Detail: "camera"},
		{What: audit.Refused, Address: "127.0.0.1", By: "socket", Reason: "the token was not signed by this relay: ask for an invitation from it"},
	} {
		if !slices.ContainsFunc(all, func(e audit.Event) bool { return holds(e, want) }) {
			t.Errorf("no event %+v in\n%+v", want, all)
		}
	}
	signature := token[strings.LastIndex(token, ".")+1:]
	for _, s := range []string{token, signature[:40], secret} {
		if strings.Contains(p.Logged(), s) {
			t.Errorf("the log holds the secret %q", s)
		}
		_ = filepath.WalkDir(p.Data, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				if data, err := os.ReadFile(path); err == nil && bytes.Contains(data, []byte(s)) {
					t.Errorf("%s holds the secret %q", path, s)
				}
			}
			return nil
		})
	}
}

// holds says whether an event says all that another does.
func holds(e, want audit.Event) bool {
	same := func(a, b string) bool { return b == "" || a == b }
	return e.What == want.What && same(e.Room, want.Room) && same(e.Name, want.Name) && same(e.Role, want.Role) && same(e.Address, want.Address) &&
		same(e.By, want.By) && same(e.Invitation, want.Invitation) && same(e.Reason, want.Reason) && same(e.Detail, want.Detail)
}
