// Package library keeps the maps of machines for all who come to them: beside the file on this device there is one at
// the relay, in the room, and the two are brought together before a visit and after it.
package library

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"

	"sightline/relay/client"
	"sightline/vision/mapping"
)

// Library is the relay's. Its methods may be called from any goroutine, those of one file from one at a time.
type Library struct {
	REST client.REST
	Room func(context.Context) (string, error) // waits until it is known
	Log  *slog.Logger
}

// A file that was changed here since the relay had it has a note beside it with the entity tag of what the relay had.
const unsent = ".unsent"

// Changing notes that a map file is about to be changed here.
func (l *Library) Changing(file string) error {
	if _, err := os.Stat(file + unsent); err == nil {
		return nil // it was already
	}
	tag, err := tagOf(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file+unsent, []byte(tag), 0o600)
}

// tagOf is the entity tag of a file as the relay makes it; "" where there is none.
func tagOf(file string) (string, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return tag(data), err
}

func tag(data []byte) string {
	sum := sha256.Sum256(data)
	return `"` + base64.URLEncoding.EncodeToString(sum[:]) + `"`
}

// tries is how often the relay's map may turn out to be yet another one.
const tries = 5

// Sync brings the map of a machine to where it is missing or older: the file here, or the relay. Where both were changed,
// both get both. The file stays as it was where the relay has none, or one that can't be read.
func (l *Library) Sync(ctx context.Context, machine, file string) error {
	room, err := l.Room(ctx)
	if err != nil {
		return fmt.Errorf("map of %s: the room is not known: %w", machine, err)
	}
	at := strings.TrimSuffix(l.REST.URL, "/") + "/api/v1/rooms/" + url.PathEscape(room) + "/maps/" + url.PathEscape(machine)
	for range tries {
		err := l.sync(ctx, machine, at, file)
		if p := (*client.Problem)(nil); errors.As(err, &p) && p.Status == http.StatusPreconditionFailed {
			continue
		}
		if err != nil {
			return fmt.Errorf("map of %s: %w", machine, err)
		}
		return nil
	}
	return fmt.Errorf("map of %s: others save it again and again", machine)
}

func (l *Library) sync(ctx context.Context, machine, at, file string) error {
	has, err := tagOf(file)
	if err != nil {
		return err
	}
	note, err := os.ReadFile(file + unsent)
	changed := err == nil && has != ""
	if changed {
		has = string(note)
	}
	theirs, theirTag, err := l.fetch(ctx, at, has)
	if err != nil {
		return err
	}
	if theirs != nil {
		got, err := mapping.Decode(theirs)
		if err == nil && got.Machine != machine {
			err = fmt.Errorf("it is of machine %q", got.Machine)
		}
		if err != nil {
			return fmt.Errorf("what the relay has cannot be taken, delete it there: %w", err)
		}
		if !changed {
			l.Log.Info("the map of the machine comes from the relay", "machine", machine, "bytes", len(theirs))
			return mapping.WriteFile(file, got)
		}
		ours, err := mapping.ReadFile(file)
		if err != nil {
			return err
		}
		l.Log.Info("the map of the machine was changed by others too: both are kept", "machine", machine)
		if err := mapping.WriteFile(file, ours.With(got)); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := l.put(ctx, at, data, theirTag); err != nil {
		return err
	}
	l.Log.Info("the relay has the map of the machine", "machine", machine, "bytes", len(data))
	return os.Remove(file + unsent)
}

// mostBytes bounds what is taken from the relay.
const mostBytes = 64 << 20

// fetch returns what the relay has, nil where that is what has this tag, and its tag; "" where it has none.
func (l *Library) fetch(ctx context.Context, at, has string) (data []byte, tag string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, "", err
	}
	if has != "" {
		req.Header.Set("If-None-Match", has)
	}
	answer, err := l.REST.Do(req)
	if p := (*client.Problem)(nil); errors.As(err, &p) && p.Status == http.StatusNotFound {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotModified {
		return nil, has, nil
	}
	data, err = io.ReadAll(io.LimitReader(answer.Body, mostBytes))
	return data, answer.Header.Get("ETag"), err
}

// put gives the relay a map in the place of the one with that tag; "" where it has none.
func (l *Library) put(ctx context.Context, at string, data []byte, replaces string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, at, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	if replaces == "" {
		req.Header.Set("If-None-Match", "*")
	} else {
		req.Header.Set("If-Match", replaces)
	}
	answer, err := l.REST.Do(req)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}
