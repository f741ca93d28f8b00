package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// REST asks the relay's REST API as a participant.
type REST struct {
	URL   string // of the relay
	Token string
	HTTP  *http.Client
}

// Problem is an answer that is an error, in the relay's words.
type Problem struct {
	Status int
	Detail string
}

func (p *Problem) Error() string {
	return fmt.Sprintf("the relay says %d %s: %s", p.Status, http.StatusText(p.Status), p.Detail)
}

// Do asks with the token, and makes a *Problem of an answer that is one. The answer's body is to be closed.
func (r REST) Do(req *http.Request) (*http.Response, error) {
	req.Header.Set("Authorization", "Bearer "+r.Token)
	web := *r.HTTP
	web.CheckRedirect = r.follow
	answer, err := web.Do(req)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode < 300 || answer.StatusCode == http.StatusNotModified {
		return answer, nil
	}
	defer answer.Body.Close()
	var problem struct {
		Detail string `json:"detail"`
	}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if json.Unmarshal(text, &problem) == nil && problem.Detail != "" {
		text = []byte(problem.Detail)
	}
	return nil, &Problem{answer.StatusCode, strings.TrimSpace(string(text))}
}

// follow goes where a relay leads, at most a few times. The token goes along over https and on this machine only.
func (r REST) follow(req *http.Request, via []*http.Request) error {
	if len(via) > 4 {
		return errors.New("the relays lead in a circle")
	}
	if secure(req.URL) {
		req.Header.Set("Authorization", "Bearer "+r.Token)
	} else {
		req.Header.Del("Authorization")
	}
	return nil
}
