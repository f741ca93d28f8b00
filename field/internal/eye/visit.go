package eye

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"sightline/annotate"
	"sightline/relay/client"
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

// syncTime is how long a map may be on its way from the library or to it.
const syncTime = 20 * time.Second

// remember reads the maps of earlier visits, when the library has been asked for newer ones.
func (y *Eye) remember() {
	path := y.mapFile()
	if path == "" {
		return
	}
	if y.cfg.Library == nil {
		y.recallFile(path)
		return
	}
	y.synced = y.sync(path)
}

// sync brings a map file and the library together, beside the frames. What it returns is closed then.
func (y *Eye) sync(path string) <-chan struct{} {
	machine, done := y.machine, make(chan struct{})
	y.syncing.Go(func() {
		defer close(done)
		y.oneSync.Lock()
		defer y.oneSync.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), syncTime)
		defer cancel()
		err := os.MkdirAll(y.cfg.Maps, 0o700)
		if err == nil {
			err = y.cfg.Library.Sync(ctx, machine, path)
		}
		if err != nil {
			y.cfg.Logger.Warn("the map on this device and the relay's could not be brought together; with the next visit", "err", err)
		}
	})
	return done
}

// recallSynced reads the maps of earlier visits as soon as the library has been asked.
func (y *Eye) recallSynced() {
	select {
	case <-y.synced:
		y.synced = nil
		y.recallFile(y.mapFile())
	default:
	}
}

// recallFile reads the maps of earlier visits. A file that can't be read is put aside and said aloud: a
// technician who stands before the machine is better off with a new map than with none.
func (y *Eye) recallFile(path string) {
	bodies, err := y.tracker.Recall(path, y.machine)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		y.cfg.Logger.Info("first visit: no map of the machine is kept yet", "machine", y.machine)
	case err != nil:
		aside := path + ".damaged"
		for n := 2; exists(aside); n++ {
			aside = fmt.Sprintf("%s.damaged-%d", path, n)
		}
		y.cfg.Logger.Error("the map of earlier visits is left out", "err", err, "kept", aside, "moved", os.Rename(path, aside) == nil)
	default:
		y.recall = map[string]*recalled{}
		for id, body := range bodies {
			y.recall[id] = &recalled{body: body}
			delete(y.known, id) // the room may have it, from a run before; its place is known again now
		}
		y.version = 0
		y.cfg.Logger.Info("the map of earlier visits is waiting to be seen", "machine", y.machine, "marks", len(bodies))
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// recalled is a mark of an earlier visit.
type recalled struct {
	body string // as it is kept
	told bool   // to the room; or it can't be
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
		r := y.recall[p.ID]
		if r == nil || r.told || p.Map != e.Map || y.cfg.Machines.Known(p.ID) {
			continue
		}
		var m annotate.Mark
		err := json.Unmarshal([]byte(r.body), &m)
		if err == nil {
			m.Camera = self.ID
			_, err = y.cfg.Room.Publish(wire.KindMark, p.ID, e.Captured, m)
		}
		if errors.Is(err, client.ErrNotJoined) || errors.Is(err, client.ErrOutboxFull) {
			return // with a later frame
		}
		r.told = true
		if err != nil {
			y.cfg.Logger.Warn("a mark of an earlier visit is not brought back", "mark", p.ID, "err", err)
		}
	}
}

// save keeps the maps and this camera's marks for the next visit.
func (y *Eye) save() {
	path := y.mapFile()
	if path == "" {
		return
	}
	y.syncing.Wait() // for the library writes it too
	y.recallSynced() // what was not recalled would not be kept
	err := os.MkdirAll(y.cfg.Maps, 0o700)
	if err == nil && y.cfg.Library != nil {
		err = y.cfg.Library.Changing(path)
	}
	if err == nil {
		err = y.tracker.Save(path, y.machine, y.body)
	}
	if err != nil {
		y.cfg.Logger.Error("the map is not kept: make room on the disk or give another --maps folder", "err", err)
		return
	}
	y.cfg.Logger.Info("the map is kept for the next visit", "file", path)
	if y.cfg.Library != nil {
		y.sync(path)
	}
}

// body is a mark as it is kept; false where it is not, since it was deleted.
func (y *Eye) body(id string) (string, bool) {
	if m := y.known[id]; m != nil {
		b, err := json.Marshal(m.entry.Mark)
		return string(b), !m.dead && err == nil
	}
	r := y.recall[id]
	if r == nil || !r.told && y.cfg.Machines.Known(id) {
		return "", false
	}
	return r.body, true // its place was not seen today
}
