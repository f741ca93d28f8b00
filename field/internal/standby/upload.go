package standby

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sightline/relay/client"
	"sightline/relay/evidence"
)

// Uploader gives cases to the relay.
type Uploader struct {
	Store *Store
	REST  client.REST // of a participant who may publish in the case's room
	Log   *slog.Logger
	// Rate bounds the bytes per second, so that a running session keeps its pictures; 0 does not.
	Rate int
}

// The pause before a case is tried again.
const (
	retryFirst = 2 * time.Second
	retryMost  = time.Minute
)

// Run uploads the closed cases of a room, as they become ready, until ctx ends.
func (u *Uploader) Run(ctx context.Context, room string) {
	for wait := retryFirst; ; {
		left, err := u.Once(ctx, room)
		if ctx.Err() != nil {
			return
		}
		if wait = min(2*wait, retryMost); err == nil {
			wait = retryFirst
		} else {
			u.Log.Warn("the relay does not have the second recorder's case yet; trying again", "left", left, "err", err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// Once uploads the closed cases of a room, of every room where it is empty, and returns how many are left.
func (u *Uploader) Once(ctx context.Context, room string) (left int, err error) {
	all, err := u.Store.List()
	if err != nil {
		return 0, err
	}
	for _, k := range all {
		if k.Open || k.Uploaded || room != "" && k.Room != room {
			continue
		}
		if ended, err := evidence.Ended(k.Dir); err != nil || !ended {
			continue
		}
		e := u.upload(ctx, k)
		if e == nil {
			e = u.Store.uploaded(k)
		}
		if e != nil {
			left++
			err = errors.Join(err, fmt.Errorf("case %s: %w", k.ID, e))
			continue
		}
		u.Log.Info("the relay has the second recorder's case", "case", k.ID, "room", k.Room)
	}
	return left, err
}

// state is what the relay has of a case.
type state struct {
	Offset   int64 `json:"offset"`
	Complete bool  `json:"complete"`
}

// upload sends what the relay lacks of a case's archive, which is always the same bytes.
func (u *Uploader) upload(ctx context.Context, k Kept) error {
	at, has, err := u.ask(ctx, u.REST.URL+"/api/v1/rooms/"+url.PathEscape(k.Room)+"/standbys/"+url.PathEscape(k.ID))
	if err != nil || has.Complete {
		return err
	}
	size, err := evidence.PackedSize(k.Dir)
	if err != nil {
		return err
	}
	from := evidence.Packed(k.Dir, has.Offset)
	err = u.send(ctx, at, &paced{ctx: ctx, from: from, rate: u.Rate, began: time.Now()}, has.Offset, size)
	return errors.Join(err, from.Close())
}

// ask asks the relay what it has. at is where the case belongs: the relay may lead to another.
func (u *Uploader) ask(ctx context.Context, address string) (at string, has state, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", has, err
	}
	answer, err := u.REST.Do(req)
	if err != nil {
		return "", has, err
	}
	defer answer.Body.Close()
	err = json.NewDecoder(io.LimitReader(answer.Body, 64<<10)).Decode(&has)
	return answer.Request.URL.String(), has, err
}

func (u *Uploader) send(ctx context.Context, at string, body io.Reader, offset, size int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, at, io.NopCloser(body))
	if err != nil {
		return err
	}
	req.ContentLength = size - offset
	req.Header.Set("Content-Type", "application/offset+octet-stream")
	req.Header.Set("Upload-Offset", strconv.FormatInt(offset, 10))
	req.Header.Set("Upload-Length", strconv.FormatInt(size, 10))
	answer, err := u.REST.Do(req)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// paced reads no faster than its rate.
type paced struct {
	ctx   context.Context
	from  io.Reader
	rate  int // bytes per second; 0: as fast as it goes
	began time.Time
	read  int64
}

func (p *paced) Read(buf []byte) (int, error) {
	if p.rate > 0 {
		buf = buf[:min(len(buf), 16<<10)]
		due := p.began.Add(time.Duration(float64(p.read) / float64(p.rate) * float64(time.Second)))
		select {
		case <-time.After(time.Until(due)):
		case <-p.ctx.Done():
			return 0, p.ctx.Err()
		}
	}
	n, err := p.from.Read(buf)
	p.read += int64(n)
	return n, err
}
