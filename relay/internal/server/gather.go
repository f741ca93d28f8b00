package server

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"

	"sightline/relay/internal/api"
)

// pageHeader is set by the console. A browser takes the token off a request that is led to another relay, so what the
// console asks about a room is passed on to that room's relay, and its list of rooms is that of all relays.
const pageHeader = "Sightline-Page"

// gatherTime is how long the other relays may take to list their rooms; who takes longer is left out.
const gatherTime = 2 * time.Second

// fromPage says whether the console asks; a request that was passed on once is not passed on again.
func fromPage(r *http.Request) bool { return r.Header.Get(pageHeader) == "console" }

// pass passes a request on to another relay, and its answer back.
func (s *Server) pass(w http.ResponseWriter, r *http.Request, to string) {
	u, err := url.Parse(to)
	if err != nil {
		http.Error(w, "the relay of this room has no address", http.StatusBadGateway)
		return
	}
	p := httputil.ReverseProxy{Rewrite: func(pr *httputil.ProxyRequest) {
		pr.SetURL(u)
		pr.SetXForwarded()
		pr.Out.Header.Del(pageHeader)
	}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
		s.log.Warn("a request is not passed on", "relay", to, "error", err)
		http.Error(w, "the relay of this room does not answer: try again in a moment", http.StatusBadGateway)
	}}
	p.ServeHTTP(w, r)
}

// roomList is the answer of GET /rooms.
type roomList struct {
	Rooms   []json.RawMessage `json:"rooms"`
	Waiting map[string]int    `json:"waiting"`
}

// gather answers the console with the rooms of all relays.
func (s *Server) gather(w http.ResponseWriter, r *http.Request, next http.Handler) {
	own := &kept{header: http.Header{}}
	next.ServeHTTP(own, r)
	var list roomList
	if own.status != http.StatusOK || json.Unmarshal(own.body.Bytes(), &list) != nil {
		own.send(w)
		return
	}
	answers := make(chan roomList)
	others := s.dir.Relays()[1:]
	for _, one := range others {
		go func() { answers <- s.listAt(r, one.URL) }()
	}
	for range others {
		more := <-answers
		list.Rooms = append(list.Rooms, more.Rooms...)
		if list.Waiting == nil {
			list.Waiting = map[string]int{}
		}
		maps.Copy(list.Waiting, more.Waiting)
	}
	slices.SortFunc(list.Rooms, func(a, b json.RawMessage) int { return strings.Compare(nameIn(a), nameIn(b)) })
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(list)
}

func nameIn(room json.RawMessage) string {
	var r struct{ Room string }
	_ = json.Unmarshal(room, &r)
	return r.Room
}

// listAt asks another relay for its rooms, as who asks this one.
func (s *Server) listAt(r *http.Request, relay string) (list roomList) {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, strings.TrimSuffix(relay, "/")+api.Base+"/rooms", nil)
	if err != nil {
		return list
	}
	req.Header.Set("Authorization", r.Header.Get("Authorization"))
	resp, err := (&http.Client{Timeout: gatherTime}).Do(req)
	if err != nil {
		s.log.Warn("a relay does not list its rooms", "relay", relay, "error", err)
		return list
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		_ = json.NewDecoder(io.LimitReader(resp.Body, 64<<20)).Decode(&list)
	}
	return list
}

// kept is an answer that is looked at before it is sent.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *kept) Header() http.Header { return k.header }

func (k *kept) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

func (k *kept) Write(p []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.body.Write(p)
}

func (k *kept) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), k.header)
	w.WriteHeader(max(k.status, http.StatusOK))
	_, _ = w.Write(k.body.Bytes())
}

// serveWhere tells a page which relay has a room, and which others there are: GET /where/{room}. A page cannot see where
// it is led.
func (s *Server) serveWhere(w http.ResponseWriter, r *http.Request) {
	allowOrigins(w)
	g, ok := s.roomGrant(w, r)
	if !ok {
		return
	}
	answer := struct {
		URL    string   `json:"url"`
		Relays []string `json:"relays"`
	}{Relays: []string{}}
	if s.dir != nil {
		to, err := s.lead(r, g.Room, true)
		if err != nil {
			s.unavailable(w, r, g, err)
			return
		}
		answer.URL, answer.Relays = either(to != "", to, s.relayURL()), s.relayURLs()
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer)
}
