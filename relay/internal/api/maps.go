package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sightline/relay/internal/audit"
)

// Map is what is kept of a machine from one visit to the next: a file whose content the relay need not understand.
type Map struct {
	Machine string    `json:"machine"`
	Bytes   int64     `json:"bytes"`
	Saved   time.Time `json:"saved"`
	// Sum is the base64url of its SHA-256, and in quotes its entity tag.
	Sum string `json:"-"`
}

func (m Map) etag() string { return `"` + m.Sum + `"` }

// ErrChanged says that a map is another one than whoever wanted to replace it had seen.
var ErrChanged = refusal{http.StatusPreconditionFailed, "the map was saved by another client meanwhile: fetch it, and join the two"}

// Maps keeps the maps of the machines of a room. The error is fs.ErrNotExist where there is none.
type Maps interface {
	Maps(ctx context.Context, room string) ([]Map, error)
	// OpenMap opens a map; with the Sum that the client has, nil where it is that.
	OpenMap(ctx context.Context, room, machine, has string) (io.ReadCloser, Map, error)
	// KeepMap puts a map in the place of the one before, where replaces says so of that, with an empty Sum where there is
	// none; else the error is ErrChanged.
	KeepMap(ctx context.Context, room, machine string, replaces func(Map) bool, body io.Reader, by audit.Actor) (Map, error)
	DeleteMap(ctx context.Context, room, machine string, by audit.Actor) error
}

// maxMap is the most that a map may take, bytes: an hour before one machine makes a tenth of it.
const maxMap = 64 << 20

// maxMachine is the most bytes of a machine's name.
const maxMachine = 200

func listMaps(c call) (int, any, error) {
	all, err := c.Maps.Maps(c, c.room)
	return http.StatusOK, map[string]any{"maps": append([]Map{}, all...)}, err
}

// machine is the machine of the path.
func (c call) machine() (string, error) {
	name := c.r.PathValue("machine")
	if name == "" || len(name) > maxMachine {
		return "", bad("a machine's name of %d bytes: want 1 to %d", len(name), maxMachine)
	}
	return name, nil
}

// getMap gives out a map, where it is another one than the client says it has.
func getMap(c call) (int, any, error) {
	name, err := c.machine()
	if err != nil {
		return 0, nil, err
	}
	from, m, err := c.Maps.OpenMap(c, c.room, name, strings.Trim(c.r.Header.Get("If-None-Match"), `"`))
	if err != nil {
		return 0, nil, noMap(err)
	}
	c.w.Header().Set("ETag", m.etag())
	if from == nil {
		c.w.WriteHeader(http.StatusNotModified)
		return 0, nil, nil
	}
	defer from.Close()
	if err := c.slowly(); err != nil {
		return 0, nil, err
	}
	c.w.Header().Set("Content-Type", "application/octet-stream")
	c.w.Header().Set("Content-Length", strconv.FormatInt(m.Bytes, 10))
	_, _ = io.Copy(c.w, from) // where it breaks off, the length says so
	return 0, nil, nil
}

func keepMap(c call) (int, any, error) {
	name, err := c.machine()
	if err != nil {
		return 0, nil, err
	}
	limited := http.MaxBytesReader(c.w, c.r.Body, maxMap)
	match, none := c.r.Header.Get("If-Match"), c.r.Header.Get("If-None-Match")
	replaces := func(m Map) bool { return (match == "" || match == m.etag()) && (none != "*" || m.Sum == "") }
	from := &patient{Reader: limited, deadline: http.NewResponseController(c.w)}
	m, err := c.Maps.KeepMap(c, c.room, name, replaces, from, c.actor())
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return 0, nil, refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the map is larger than %d bytes", maxMap)}
	}
	if err != nil && from.broke {
		return 0, nil, bad("the map broke off on its way: send it again")
	}
	if err == nil {
		c.w.Header().Set("ETag", m.etag())
	}
	return http.StatusOK, m, err
}

func deleteMap(c call) (int, any, error) {
	name, err := c.machine()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, noMap(c.Maps.DeleteMap(c, c.room, name, c.actor()))
}

func noMap(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return refusal{http.StatusNotFound, "no map of that machine is kept in this room"}
	}
	return err
}
