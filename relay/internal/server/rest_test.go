package server_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"sightline/relay/client"
	"sightline/relay/evidence"
	"sightline/relay/evidence/seal"
	"sightline/relay/internal/api"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/policy"
	"sightline/relay/internal/relaytest"
	"sightline/relay/internal/server"
)

// caller asks the REST API, and holds every answer against the document.
type caller struct {
	t      *testing.T
	url    string
	token  string
	router routers.Router
	asked  map[string]bool

	headers map[string]string // besides
}

func newCaller(t *testing.T, relay string) *caller {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.Document())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &caller{t: t, url: relay, router: router, asked: map[string]bool{}}
}

// as asks with another token.
func (c *caller) as(token string) *caller {
	other := *c
	other.token = token
	return &other
}

// ask sends a request and reads the answer into out.
func (c *caller) ask(method, path string, body any, want int, out any) {
	c.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	if body == nil {
		data = nil
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+api.Base+path, bytes.NewReader(data))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	for name, value := range c.headers {
		req.Header.Set(name, value)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != want {
		c.t.Fatalf("%s %s: %s %s, want %d", method, path, resp.Status, answer, want)
	}
	c.check(req, data, resp, answer)
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			c.t.Fatalf("%s: %v", answer, err)
		}
	}
}

// check holds a request and its answer against the document.
func (c *caller) check(req *http.Request, body []byte, resp *http.Response, answer []byte) {
	c.t.Helper()
	local := req.Clone(c.t.Context())
	local.URL = &url.URL{Path: req.URL.EscapedPath(), RawQuery: req.URL.RawQuery}
	local.Body = io.NopCloser(bytes.NewReader(body))
	route, params, err := c.router.FindRoute(local)
	if err != nil {
		c.t.Fatalf("%s %s is not described: %v", req.Method, req.URL.Path, err)
	}
	c.asked[route.Method+" "+route.Path] = true
	in := &openapi3filter.RequestValidationInput{Request: local, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}}
	if err := openapi3filter.ValidateRequest(c.t.Context(), in); err != nil && resp.StatusCode < 400 {
		c.t.Errorf("%s %s was taken, and is not as described: %v", req.Method, req.URL.Path, err)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header, Options: in.Options}
	out.SetBodyBytes(answer)
	if err := openapi3filter.ValidateResponse(c.t.Context(), out); err != nil {
		c.t.Errorf("%s %s: the answer is not as described: %v", req.Method, req.URL.Path, err)
	}
}

// The REST API does what its document says, on a running relay; every route is asked.
func TestREST(t *testing.T) {
	s := relaytest.Start(t, func(c *server.Config) {
		c.Rooms = policy.Rooms{{Match: "closed-*", Lobby: true}}
		c.Linger = time.Second
	})
	camera, track := relaytest.NewCamera()
	tom := relaytest.Join(t, client.Config{URL: s.URL(), Token: relaytest.Token(t, s.Authority(), "field", "Tom", "hall1/pump-7"), Instance: "tom", Publish: []client.Track{track}})
	camera.Play(tom.Video("camera"))
	defer camera.Stop()
	token, err := s.Authority().Sign(auth.Grant{Room: auth.AllRooms, Role: auth.Viewer, Name: "Ann", Staff: true,
		Rights: []string{auth.Moderate, auth.Record, auth.Play, auth.Export, auth.Hold, auth.Delete, auth.Audit}}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c := newCaller(t, s.URL()).as(token)
	tomAt := "/rooms/hall/participants/" + tom.Self().ID

	c.ask("GET", "/health", nil, 200, nil)
	c.ask("GET", "/openapi.json", nil, 200, nil)
	c.ask("GET", "/me", nil, 200, nil)
	var rooms struct {
		Rooms []struct {
			Room   string
			Tracks []struct{ Bits float64 }
		}
	}
	relaytest.Eventually(t, "the camera takes bits", func() bool {
		c.ask("GET", "/rooms", nil, 200, &rooms)
		return len(rooms.Rooms) == 1 && len(rooms.Rooms[0].Tracks) == 1 && rooms.Rooms[0].Tracks[0].Bits > 1000
	})
	c.ask("GET", "/rooms/hall", nil, 200, nil)
	c.ask("GET", "/rooms/none", nil, 404, nil)
	c.ask("GET", "/rooms/hall/participants", nil, 200, nil)
	c.ask("PUT", tomAt+"/mute", map[string]bool{"audio": true, "video": true}, 204, nil)
	c.ask("PUT", tomAt+"/mute", map[string]any{"audio": true}, 400, nil)
	c.ask("PUT", tomAt+"/mute", map[string]any{"audio": true, "video": true, "smell": true}, 400, nil)
	c.ask("PUT", "/rooms/hall/participants/none/mute", map[string]bool{"audio": true, "video": true}, 404, nil)
	c.ask("PUT", "/rooms/hall/lock", map[string]bool{"locked": true}, 204, nil)
	c.ask("PUT", "/rooms/hall/lock", map[string]bool{}, 400, nil)
	var list struct{ Cases []api.Case }
	c.ask("GET", "/cases", nil, 200, &list)
	if len(list.Cases) != 1 || list.Cases[0].Room != "hall" || list.Cases[0].State != "recording" {
		t.Errorf("cases %+v", list)
	}
	c.ask("GET", "/cases/"+list.Cases[0].ID, nil, 200, nil)
	c.ask("GET", "/cases/"+list.Cases[0].ID+"/archive", nil, 409, nil)
	c.ask("GET", "/cases/"+list.Cases[0].ID+"/export", nil, 409, nil)
	c.ask("GET", "/cases/"+list.Cases[0].ID+"/verdict", nil, 409, nil)
	c.ask("DELETE", "/cases/"+list.Cases[0].ID, map[string]string{"why": "now"}, 409, nil)
	c.ask("GET", "/cases/none", nil, 404, nil)
	field := c.as(relaytest.Token(t, s.Authority(), "field", "Tim"))
	field.ask("GET", "/rooms/hall/standbys/CASE-OF-NOBODY", nil, 200, nil)
	field.ask("GET", "/rooms/hall/standbys/a.b", nil, 400, nil)
	field.ask("PATCH", "/rooms/hall/standbys/CASE-OF-NOBODY", nil, 400, nil)
	upload := field.as(field.token)
	upload.headers = map[string]string{"Upload-Offset": "0", "Upload-Length": "10"}
	upload.ask("PATCH", "/rooms/hall/standbys/a.b", nil, 400, nil)
	upload.ask("PATCH", "/rooms/yard/standbys/CASE-OF-NOBODY", nil, 403, nil)
	forAll, err := s.Authority().Sign(auth.Grant{Room: auth.AllRooms, Role: auth.Field, Name: "Pat", Staff: true, Rights: []string{auth.Publish}}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if status, text := get(t, s.URL()+api.Base+"/rooms/..%2F..%2Fx/standbys/CASE-OF-NOBODY", forAll); status != 403 { // the document has no such path
		t.Errorf("a room that leads elsewhere: %d %s", status, text)
	}
	c.ask("DELETE", tomAt, nil, 204, nil)
	reaches(t, tom, client.Closed)
	c.ask("DELETE", tomAt, nil, 404, nil)

	var made struct{ Link, Token string }
	c.ask("POST", "/invitations", map[string]any{"room": "closed-1", "role": "expert", "name": "Eve"}, 201, &made)
	base, invited, err := client.ParseLink(made.Link)
	if err != nil || base != s.URL() || invited != made.Token {
		t.Errorf("link %q: %v", made.Link, err)
	}
	eve := dial(t, base, invited, "eve")
	reaches(t, eve, client.Waiting)
	var lobby struct{ Waiting []struct{ ID string } }
	relaytest.Eventually(t, "she waits", func() bool {
		c.ask("GET", "/rooms/closed-1/lobby", nil, 200, &lobby)
		return len(lobby.Waiting) == 1
	})
	c.ask("POST", "/rooms/closed-1/lobby/"+lobby.Waiting[0].ID, map[string]bool{"admit": true}, 204, nil)
	reaches(t, eve, client.Connected)
	var book struct{ Invitations []struct{ ID, Name string } }
	c.ask("GET", "/invitations", nil, 200, &book)
	c.ask("DELETE", "/invitations/"+book.Invitations[0].ID, nil, 204, nil)
	reaches(t, eve, client.Closed)
	c.ask("DELETE", "/invitations/none", nil, 404, nil)
	var log struct{ Events []audit.Event }
	c.ask("GET", "/audit?last=3", nil, 200, &log)
	if len(log.Events) != 3 || log.Events[0].Time.Before(log.Events[2].Time) {
		t.Errorf("events %+v", log)
	}
	c.ask("GET", "/audit?last=x", nil, 400, nil)

	c.ofMaps(s)
	c.ofCases(s)
	c.limits(s, made.Token)
	if want := strings.Count(string(api.Document()), `"operationId"`); len(c.asked) != want {
		t.Errorf("%d of %d routes were asked: %v", len(c.asked), want, c.asked)
	}
}

// ofCases proves, plays, takes away, holds and deletes a recording, when it is closed; what a token does not grant is
// refused, and all of it is in the audit log.
func (c *caller) ofCases(s *server.Server) {
	c.t.Helper()
	var list struct{ Cases []api.Case }
	relaytest.Eventually(c.t, "the recording is closed, and put away", func() bool {
		c.ask("GET", "/cases?room=hall", nil, 200, &list)
		return len(list.Cases) == 1 && list.Cases[0].State == "closed" && list.Cases[0].Stored
	})
	at := "/cases/" + list.Cases[0].ID
	var r evidence.Report
	if c.ask("GET", at+"/verdict", nil, 200, &r); !r.Proven || r.Frames == 0 {
		c.t.Errorf("%+v", r)
	}
	c.ask("GET", at+"/archive", nil, 200, nil)
	c.ask("GET", at+"/export", nil, 200, nil)
	whole, part := c.bytes(at+"/export", ""), c.bytes(at+"/archive", "bytes=100-1099")
	if len(part) != 1000 || !bytes.Equal(part, whole[100:1100]) {
		c.t.Errorf("a range of %d bytes is not that of the whole", len(part))
	}
	lister := c.as(signed(c.t, s.Authority(), auth.Grant{Role: auth.Viewer, Name: "Lia", Rights: []string{auth.Record}}))
	lister.ask("GET", at, nil, 200, nil)
	for _, path := range []string{"/verdict", "/archive", "/export"} {
		lister.ask("GET", at+path, nil, 403, nil)
	}
	other, err := s.Authority().Sign(auth.Grant{Room: "yard", Role: auth.Viewer, Name: "Otto", Rights: []string{auth.Record, auth.Play}}, time.Hour)
	if err != nil {
		c.t.Fatal(err)
	}
	c.as(other).ask("GET", at+"/archive", nil, 404, nil)
	why := map[string]string{"why": "the accident of March"}
	lister.ask("PUT", at+"/hold", why, 403, nil)
	lister.ask("DELETE", at, why, 403, nil)
	c.ask("DELETE", at+"/hold", nil, 409, nil)
	c.ask("PUT", at+"/hold", map[string]string{}, 400, nil)
	c.ask("PUT", at+"/hold", why, 204, nil)
	c.ask("DELETE", at, why, 409, nil)
	c.ask("DELETE", at+"/hold", nil, 204, nil)
	c.ask("DELETE", at, why, 204, nil)
	c.ask("GET", at+"/archive", nil, 409, nil)
	var log struct{ Events []audit.Event }
	c.ask("GET", "/audit?last=50", nil, 200, &log)
	for _, want := range []audit.Event{{What: audit.CaseVerified, Actor: "Ann"}, {What: audit.CasePlayed, Actor: "Ann"}, {What: audit.CaseExported, Actor: "Ann"},
		{What: audit.CaseHeld, Actor: "Ann"}, {What: audit.CaseReleased, Actor: "Ann"}, {What: audit.CaseDeleted, Actor: "Ann"}, {What: audit.Refused, Name: "Lia"}, {What: audit.Refused, Name: "Otto"}} {
		if !slices.ContainsFunc(log.Events, func(e audit.Event) bool {
			return e.What == want.What && e.Actor == want.Actor && e.Name == want.Name && strings.Contains(e.Detail, list.Cases[0].ID)
		}) {
			c.t.Errorf("the audit log has no %s of %s", want.What, want.Actor+want.Name)
		}
	}
}

// bytes asks for an archive, or a range of it.
func (c *caller) bytes(path, part string) []byte {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.url+api.Base+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if part != "" {
		req.Header.Set("Range", part)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || part != "" && resp.StatusCode != http.StatusPartialContent {
		c.t.Fatalf("%s: %s %v", path, resp.Status, err)
	}
	return data
}

// limits tries what a token does not grant.
func (c *caller) limits(s *server.Server, withdrawn string) {
	c.t.Helper()
	c.as("").ask("GET", "/rooms", nil, 401, nil)
	c.as(withdrawn).ask("GET", "/rooms", nil, 403, nil)
	guest := c.as(relaytest.Token(c.t, s.Authority(), "expert", "Gus"))
	guest.ask("GET", "/rooms/other", nil, 403, nil)
	guest.ask("PUT", "/rooms/hall/lock", map[string]bool{"locked": false}, 403, nil)
	guest.ask("GET", "/audit", nil, 403, nil)
	mod := c.as(moderator(c.t, s.Authority(), "Moe"))
	for what, body := range map[string]map[string]any{
		"another room":   {"room": "other", "role": "field", "name": "x"},
		"all rooms":      {"room": "*", "role": "field", "name": "x", "staff": true},
		"a right of no":  {"room": "hall", "role": "field", "name": "x", "rights": []string{"audit"}},
		"staff by guest": {"room": "hall", "role": "field", "name": "x", "staff": true},
	} {
		c.t.Log(what)
		mod.ask("POST", "/invitations", body, 403, nil)
	}
	mod.ask("POST", "/invitations", map[string]any{"room": "hall", "role": "field", "name": "x", "expires_in": -1}, 400, nil)
	mod.ask("POST", "/invitations", map[string]any{"room": "hall", "role": "boss", "name": "x"}, 400, nil)
}

// Who asks too often is told when he may ask again, as the document says.
func TestTooManyRequests(t *testing.T) {
	s := relaytest.Start(t, func(c *server.Config) { c.Limits.RequestsPerMinute = 3 })
	c := newCaller(t, s.URL())
	for range 3 {
		c.ask("GET", "/health", nil, 200, nil)
	}
	c.ask("GET", "/health", nil, 429, nil)
}

// words is a log that is read while it is written.
type words struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// What fails within the relay is answered without its paths, and its log says why. A case that cannot be read is listed.
func TestWhatFailsWithin(t *testing.T) {
	var log words
	var data string
	s := relaytest.Start(t, func(c *server.Config) {
		c.Log, data = slog.New(slog.NewTextHandler(&log, nil)), c.Data
		dir := filepath.Join(data, "recordings", "hall", "torn")
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "other"), nil, 0o644),
			os.WriteFile(filepath.Join(dir, evidence.ChainFile), nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	})
	c := newCaller(t, s.URL()).as(signed(t, s.Authority(), auth.Grant{Role: auth.Viewer, Name: "Ann", Rights: []string{auth.Record, auth.Moderate, auth.Play, auth.Hold}}))
	var list struct{ Cases []api.Case }
	c.ask("GET", "/cases", nil, 200, &list)
	if len(list.Cases) != 1 || list.Cases[0].State != "unreadable" || list.Cases[0].Fault == "" || strings.Contains(list.Cases[0].Fault, data) {
		t.Errorf("%+v", list)
	}
	c.ask("GET", "/cases/torn/verdict", nil, 409, nil)
	if err := os.WriteFile(filepath.Join(seal.Dir(data), "holds"), nil, 0o644); err != nil { // where a folder is to be
		t.Fatal(err)
	}
	var problem struct{ Detail string }
	c.ask("PUT", "/cases/torn/hold", map[string]string{"why": "x"}, 500, &problem)
	if !strings.Contains(problem.Detail, "log says why") || strings.Contains(problem.Detail, "holds") || !strings.Contains(log.String(), "holds") {
		t.Errorf("%q; the log: %s", problem.Detail, log.String())
	}
	c.ask("PUT", "/cases/torn/hold", map[string]string{"why": strings.Repeat("x", 70_000)}, 413, nil)
}
