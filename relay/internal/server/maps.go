package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"sightline/relay/internal/api"
	"sightline/relay/internal/audit"
	"sightline/relay/internal/config"
)

// maxMaps is how many machines of a room may have a map.
const maxMaps = 200

// openMaps opens the store of maps.
func (s *Server) openMaps(ctx context.Context) (err error) {
	if s.maps, err = s.bus.OpenObjects(ctx, "maps"); err != nil {
		return config.Bad(either(s.cfg.NATS.URL != "", "nats", "data"), err)
	}
	return nil
}

// mapName is what the map of a machine is kept under; a room's name has no slash.
func mapName(room, machine string) string { return room + "/" + machine }

// Maps are those of the machines of a room, by name.
func (s *Server) Maps(ctx context.Context, room string) ([]api.Map, error) {
	var out []api.Map
	err := s.maps.Each(ctx, func(name string, size int64, at time.Time) {
		if machine, of := strings.CutPrefix(name, mapName(room, "")); of {
			out = append(out, api.Map{Machine: machine, Bytes: size, Saved: at})
		}
	})
	slices.SortFunc(out, func(a, b api.Map) int { return cmp.Compare(a.Machine, b.Machine) })
	return out, err
}

// mapOf says what is kept of a machine.
func (s *Server) mapOf(ctx context.Context, room, machine string) (api.Map, error) {
	size, at, sum, err := s.maps.Stat(ctx, mapName(room, machine))
	return api.Map{Machine: machine, Bytes: size, Saved: at, Sum: sum}, err
}

// OpenMap opens the map of a machine, where it is not the one that the client has.
func (s *Server) OpenMap(ctx context.Context, room, machine, has string) (io.ReadCloser, api.Map, error) {
	m, err := s.mapOf(ctx, room, machine)
	if err != nil || m.Sum == has {
		return nil, m, err
	}
	from, size, err := s.maps.Get(ctx, mapName(room, machine), 0)
	m.Bytes = size
	return from, m, err
}

// KeepMap keeps a map of a machine. What breaks off on the way leaves the one before.
func (s *Server) KeepMap(ctx context.Context, room, machine string, replaces func(api.Map) bool, body io.Reader, by audit.Actor) (api.Map, error) {
	whole, err := s.spool(body)
	if err != nil {
		return api.Map{}, err
	}
	defer whole.Close()
	s.keeping.Lock() // of two that have seen the same map one is to learn of the other
	defer s.keeping.Unlock()
	before, err := s.mapOf(ctx, room, machine)
	if errors.Is(err, fs.ErrNotExist) {
		var all []api.Map
		if all, err = s.Maps(ctx, room); len(all) >= maxMaps {
			err = api.Refuse(http.StatusInsufficientStorage, fmt.Errorf("the room has the maps of %d machines, which is the most: delete one", maxMaps))
		}
	}
	if err == nil && !replaces(before) {
		err = api.ErrChanged
	}
	if err != nil {
		return api.Map{}, err
	}
	if err := s.maps.Put(ctx, mapName(room, machine), whole, 0); err != nil {
		return api.Map{}, err
	}
	m, err := s.mapOf(ctx, room, machine)
	e := by.Event(audit.MapKept, room)
	e.Detail = fmt.Sprintf("%q, %d bytes", machine, m.Bytes)
	s.note(e)
	return m, err
}

// spool takes what a client sends at its own pace, so that nobody waits for it but himself. The file has no name any more.
func (s *Server) spool(body io.Reader) (*os.File, error) {
	f, err := os.CreateTemp(s.cfg.Data, "map-*")
	if err != nil {
		return nil, err
	}
	err = os.Remove(f.Name())
	if err == nil {
		_, err = io.Copy(f, body)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// DeleteMap deletes the map of a machine.
func (s *Server) DeleteMap(ctx context.Context, room, machine string, by audit.Actor) error {
	if _, err := s.mapOf(ctx, room, machine); err != nil {
		return err
	}
	err := s.maps.Delete(ctx, mapName(room, machine))
	e := by.Event(audit.MapDeleted, room)
	e.Detail = fmt.Sprintf("%q", machine)
	if err != nil {
		e.What, e.Reason = audit.Refused, err.Error()
	}
	s.note(e)
	return err
}
