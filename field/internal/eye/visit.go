package eye

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"sightline/annotate"
	"sightline/relay/wire"
	"sightline/vision"
)

// mapFile is where the maps of the machine are kept, or "".
func (y *Eye) mapFile() string {
	if y.cfg.Maps == "" || y.machine == "" {
		return ""
	}
	return filepath.Join(y.cfg.Maps, url.PathEscape(y.machine)+".slmap")
}

// remember reads the maps of earlier visits. A file that can't be read is put aside and said aloud: a
// technician who stands before the machine is better off with a new map than with none.
func (y *Eye) remember() {
	path := y.mapFile()
	if path == "" {
		return
	}
	bodies, err := y.tracker.Recall(path, y.machine)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		y.cfg.Logger.Info("first visit: no map of the machine is kept yet", "machine", y.machine)
	case err != nil:
		aside := path + ".damaged"
		y.cfg.Logger.Error("the map of earlier visits is left out", "err", err, "kept", aside, "moved", os.Rename(path, aside) == nil)
	default:
		y.recall = bodies
		y.cfg.Logger.Info("the map of earlier visits is waiting to be seen", "machine", y.machine, "marks", len(bodies))
	}
}

func (y *Eye) recalls(id string) bool {
	_, has := y.recall[id]
	return has
}

// bringBack puts marks of earlier visits into the room as soon as their place is seen again, but for those
// that the room has, or had and deleted.
func (y *Eye) bringBack(self wire.Participant, e vision.Estimate) {
	if len(y.recall) == 0 || e.State != vision.Tracking {
		return
	}
	for _, p := range y.tracker.Placements() {
		body, has := y.recall[p.ID]
		if !has || p.Map != e.Map || body == "" || y.cfg.Machines.Known(p.ID) {
			continue
		}
		var m annotate.Mark
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			y.cfg.Logger.Warn("a mark of an earlier visit can't be read", "mark", p.ID, "err", err)
			delete(y.recall, p.ID)
			continue
		}
		m.Camera = self.ID
		if _, err := y.cfg.Room.Publish(wire.KindMark, p.ID, e.Captured, m); err != nil {
			return // offline: with a later frame
		}
		y.recall[p.ID] = "" // told
	}
}

// save keeps the maps and this camera's marks for the next visit.
func (y *Eye) save() {
	path := y.mapFile()
	if path == "" {
		return
	}
	err := os.MkdirAll(y.cfg.Maps, 0o700)
	if err == nil {
		err = y.tracker.Save(path, y.machine, y.body)
	}
	if err != nil {
		y.cfg.Logger.Error("the map is not kept: make room on the disk or give another --maps folder", "err", err)
		return
	}
	y.cfg.Logger.Info("the map is kept for the next visit", "file", path)
}

// body is a mark as it is kept.
func (y *Eye) body(id string) string {
	m := y.known[id]
	if m == nil || m.dead {
		return y.recall[id]
	}
	b, err := json.Marshal(m.entry.Mark)
	if err != nil {
		return ""
	}
	return string(b)
}
