package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"sightline/relay/internal/audit"
)

// Standbys takes the cases of participants' second recorders.
type Standbys interface {
	// HasStandby says how much of a case has come, and whether it is complete.
	HasStandby(room, id string) (offset int64, complete bool, err error)
	// TakeStandby takes a piece of its archive.
	TakeStandby(ctx context.Context, room, id string, offset, length int64, body io.Reader, by audit.Actor) (complete bool, err error)
}

func hasStandby(c call) (int, any, error) {
	offset, complete, err := c.Standbys.HasStandby(c.room, c.r.PathValue("case"))
	return http.StatusOK, map[string]any{"offset": offset, "complete": complete}, err
}

// takeStandby takes a piece of an archive, as long as the connection lives: what has come stays.
func takeStandby(c call) (int, any, error) {
	offset, err := header(c.r, "Upload-Offset")
	if err != nil {
		return 0, nil, err
	}
	length, err := header(c.r, "Upload-Length")
	if err != nil {
		return 0, nil, err
	}
	body := &patient{Reader: c.r.Body, deadline: http.NewResponseController(c.w)}
	complete, err := c.Standbys.TakeStandby(c, c.room, c.r.PathValue("case"), offset, length, body, c.actor())
	var at interface{ Offset() int64 }
	if errors.As(err, &at) {
		c.w.Header().Set("Upload-Offset", strconv.FormatInt(at.Offset(), 10))
		err = refusal{http.StatusConflict, err.Error()}
	} else if body.broke && err != nil {
		err = bad("the upload broke off: go on with what the relay has")
	}
	return http.StatusOK, map[string]any{"complete": complete}, err
}

// patient reads a body that may take long, as long as something of it comes.
type patient struct {
	io.Reader
	deadline interface{ SetReadDeadline(time.Time) error }
	broke    bool // before its end
}

// silence is how long nothing of a body may come.
const silence = 30 * time.Second

func (p *patient) Read(buf []byte) (int, error) {
	if err := p.deadline.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return 0, err
	}
	n, err := p.Reader.Read(buf)
	p.broke = p.broke || err != nil && err != io.EOF
	return n, err
}

func header(r *http.Request, name string) (int64, error) {
	n, err := strconv.ParseInt(r.Header.Get(name), 10, 64)
	if err != nil || n < 0 {
		return 0, bad("%s is %.30q: want a number of bytes", name, r.Header.Get(name))
	}
	return n, nil
}
