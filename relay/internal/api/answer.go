package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"sightline/relay/internal/invitation"
	"sightline/relay/internal/room"
)

// refusal is an answer that is an error, in words.
type refusal struct {
	status int
	text   string
}

func (e refusal) Error() string { return e.text }

// Refuse makes an error that is answered with that status, in its own words.
func Refuse(status int, err error) error { return refusal{status, err.Error()} }

func bad(format string, args ...any) error {
	return refusal{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// fail answers with an error. What is the relay's own matter is in its log, and not in the answer.
func (c call) fail(err error) {
	var known refusal
	switch {
	case errors.As(err, &known):
	case errors.Is(err, room.ErrNoRoom), errors.Is(err, room.ErrUnknown), errors.Is(err, room.ErrNoKnock), errors.Is(err, invitation.ErrUnknown):
		known = refusal{http.StatusNotFound, err.Error()}
	default:
		c.Log.Error("a request to the REST API cannot be answered", "method", c.r.Method, "path", c.r.URL.Path, "error", err)
		known = refusal{http.StatusInternalServerError, "the relay could not do it; its log says why"}
	}
	problem(c.w, known.status, known.text)
}

// problem answers with an RFC 9457 problem.
func problem(w http.ResponseWriter, status int, detail string) {
	write(w, status, "application/problem+json", map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}

func write(w http.ResponseWriter, status int, mediaType string, out any) {
	if out == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out)
}

// maxBody is the most that a request may bring, bytes.
const maxBody = 64 << 10

// body reads the request's body. What it does not know is an error, and so is more than one value.
func body(c call, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody)}
	case err != nil:
		return bad("the body is not as it should be: %v; %s/openapi.json describes it", err, Base)
	}
	if _, err := d.Token(); err != io.EOF {
		return bad("there is more after the body's JSON")
	}
	return nil
}

// TooMany answers somebody who asks too often.
func TooMany(w http.ResponseWriter, wait time.Duration, detail string) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	problem(w, http.StatusTooManyRequests, detail)
}
