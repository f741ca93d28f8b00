package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"time"
)

// Where returns the relay on which a room lives, mine where that is this one. A room that lives nowhere is given to the
// relay that carries least; with here set, to this one, because another has chosen it already. Where returns ErrWait,
// ErrCutOff, ErrDraining, or what the backbone says.
func (d *Directory) Where(ctx context.Context, room string, here bool) (r Relay, mine bool, err error) {
	for {
		if !d.In() {
			return Relay{}, false, ErrCutOff
		}
		value, revision, err := d.cfg.Rooms.Get(ctx, room)
		if err != nil {
			return Relay{}, false, err
		}
		r, found, err := d.owner(room, value)
		switch {
		case err != nil:
			return Relay{}, false, err
		case found:
			return r, r.Name == d.cfg.Name, nil
		}
		to, ok := d.choose(room, here)
		if !ok {
			return Relay{}, false, ErrDraining
		}
		if to.Name != d.cfg.Name {
			return to, false, nil
		}
		taken, err := d.take(ctx, room, r.URL, revision)
		if err != nil || taken {
			return to, taken, err
		}
	}
}

// Find is Where for who does not open the room: a room that lives nowhere is not found.
func (d *Directory) Find(ctx context.Context, room string) (r Relay, mine, found bool, err error) {
	value, _, err := d.cfg.Rooms.Get(ctx, room)
	if err == nil {
		r, found, err = d.owner(room, value)
	}
	if errors.Is(err, ErrWait) {
		return Relay{}, false, false, nil
	}
	return r, r.Name == d.cfg.Name, found, err
}

// owner reads an entry: found is false where there is none, or its relay is lost.
func (d *Directory) owner(room string, value []byte) (r Relay, found bool, err error) {
	if value == nil {
		return Relay{}, false, nil
	}
	if err := json.Unmarshal(value, &r); err != nil {
		return Relay{}, false, unreadable(room, err)
	}
	if r.Name == d.cfg.Name {
		return r, true, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	alive, unsure := d.alive(r)
	if p := d.peers[r.Name]; unsure || alive && d.cfg.Now().Sub(p.at) > dead/2 {
		return r, false, ErrWait // sending somebody there would not help
	}
	return r, alive, nil
}

// choose returns who is to take a room: of those who carry about least the one that the room's name falls to, so that
// relays that are asked at once choose the same.
func (d *Directory) choose(room string, here bool) (Relay, bool) {
	all := d.Relays()
	if here && !all[0].Draining {
		return all[0], true
	}
	least, any := 0, false
	for _, r := range all {
		if w := r.weight(); !r.Draining && (!any || w < least) {
			least, any = w, true
		}
	}
	var best Relay
	var most uint64
	for _, r := range all {
		if r.Draining || r.weight() > least+2+least/10 {
			continue
		}
		h := fnv.New64a()
		_, _ = h.Write([]byte(room + "\x00" + r.Name))
		if s := mix(h.Sum64()); best.Name == "" || s > most {
			best, most = r, s
		}
	}
	return best, any
}

// mix spreads the bits of a hash (the finalizer of MurmurHash3), whose last bytes would decide alone otherwise.
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// weight is how much a relay carries: people, and rooms that people will come to.
func (l Load) weight() int { return l.Participants + 2*l.Rooms }

// take enters this relay for a room, which a relay had that is lost, or nobody; taken is false where another was faster.
func (d *Directory) take(ctx context.Context, room, from string, revision uint64) (taken bool, err error) {
	value, err := json.Marshal(Relay{URL: d.cfg.URL, Name: d.cfg.Name})
	if err != nil {
		return false, err
	}
	err = d.cfg.Rooms.Set(ctx, room, value, revision)
	if err != nil && d.cfg.Taken(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d.mu.Lock()
	d.rooms[room] = d.cfg.Name
	if delete(d.from, room); from != "" && from != d.cfg.URL {
		d.from[room] = from
	}
	d.mu.Unlock()
	if from != "" {
		d.cfg.Log.Warn("the relay of a room is lost; this one takes it", "room", room, "lost", from)
	}
	return true, nil
}

// TakenFrom returns, once, the URL of the relay that had a room and was lost; empty: none.
func (d *Directory) TakenFrom(room string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	from := d.from[room]
	delete(d.from, room)
	return from
}

// Release lets a room go, which is closed here.
func (d *Directory) Release(ctx context.Context, room string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	value, revision, err := d.cfg.Rooms.Get(ctx, room)
	if err != nil || value == nil {
		return err
	}
	var r Relay
	if err := json.Unmarshal(value, &r); err != nil {
		return unreadable(room, err)
	}
	if r.Name != d.cfg.Name {
		return nil
	}
	if err := d.cfg.Rooms.Delete(ctx, room, revision); err != nil && !d.cfg.Taken(err) {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rooms[room] == d.cfg.Name {
		delete(d.rooms, room)
	}
	return nil
}

// Mine returns the rooms that this relay holds.
func (d *Directory) Mine() (rooms []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for room, name := range d.rooms {
		if name == d.cfg.Name {
			rooms = append(rooms, room)
		}
	}
	return rooms
}

// URLs are where the relays that live are reached, this one first, who is draining last.
func (d *Directory) URLs() []string {
	var here, late []string
	for _, r := range d.Relays() {
		if r.Draining {
			late = append(late, r.URL)
		} else {
			here = append(here, r.URL)
		}
	}
	return append(here, late...)
}
