package room

import (
	"slices"

	"sightline/relay/internal/sfu"
	"sightline/relay/wire"
)

// Join takes a member in, or fails with ErrFull or ErrLocked. A member of the same ID, a ghost of an older connection,
// is replaced.
func (r *Room) Join(m Member, watch []string) (err error) {
	r.ask(func() {
		who := m.Who()
		if err = r.fits(m); err != nil {
			return
		}
		for _, old := range *r.members.Load() {
			if old.Who().ID == who.ID {
				r.remove(old)
				old.Replaced()
			}
		}
		members := append(slices.Clone(*r.members.Load()), m)
		r.members.Store(&members)
		r.write(wire.KindParticipant, who.ID, who)
		for _, u := range r.ups {
			m.Subscribe(u.up)
		}
		for _, machine := range watch {
			if !r.watching[machine] {
				r.write(wire.KindWatch, machine, wire.Watch{On: true})
			}
		}
	})
	return err
}

// Restate says again that a member is here, and a word about the connection.
func (r *Room) Restate(m Member, reason string) {
	r.do(func() {
		if slices.Contains(*r.members.Load(), m) {
			who := m.Who()
			who.Reason = reason
			r.write(wire.KindParticipant, who.ID, who)
		}
	})
}

// Leave lets a member go; reason is left or lost.
func (r *Room) Leave(m Member, reason string) {
	r.ask(func() {
		if !slices.Contains(*r.members.Load(), m) {
			return
		}
		r.remove(m)
		who := m.Who()
		who.Online, who.Reason = false, reason
		r.write(wire.KindParticipant, who.ID, who)
	})
}

// remove takes a member and its tracks out.
func (r *Room) remove(m Member) {
	members := slices.DeleteFunc(slices.Clone(*r.members.Load()), func(x Member) bool { return x == m })
	r.members.Store(&members)
	r.drop(func(u ownedUp) bool { return u.owner == m })
}

// drop takes tracks away from who gets them.
func (r *Room) drop(these func(ownedUp) bool) {
	r.ups = slices.DeleteFunc(r.ups, func(u ownedUp) bool {
		if !these(u) {
			return false
		}
		for _, other := range *r.members.Load() {
			other.Unsubscribe(u.up)
		}
		return true
	})
}

// loseGhosts says of those who were here before the relay went down and did not come back that they are lost.
func (r *Room) loseGhosts() {
	here := map[string]bool{}
	for _, m := range *r.members.Load() {
		here[m.Who().ID] = true
	}
	for id, who := range r.online {
		if !here[id] {
			who.Online, who.Reason = false, "lost"
			r.write(wire.KindParticipant, id, who)
		}
	}
}

// TrackUp gives a member's track to everybody else, until it ends or another of its name has come.
func (r *Room) TrackUp(m Member, up *sfu.Up) {
	r.do(func() {
		members := *r.members.Load()
		if !slices.Contains(members, m) {
			return
		}
		r.drop(func(u ownedUp) bool { return u.owner == m && u.up.Name == up.Name })
		r.ups = append(r.ups, ownedUp{up, m})
		r.tasks.Go(func() {
			select {
			case <-up.Done():
				r.do(func() { r.drop(func(u ownedUp) bool { return u.up == up }) })
			case <-r.ctx.Done():
			}
		})
		up.Mute(r.mutes(up))
		r.cfg.Recorder.Track(up, m.Who())
		for _, other := range members {
			if other != m {
				other.Subscribe(up)
			}
		}
	})
}

// Lossy passes a pose or a pointer on to everybody else, on the caller's goroutine.
func (r *Room) Lossy(m Member, channel string, e wire.Envelope) {
	e.From, e.Seq = m.Who().ID, 0
	e.Time = min(e.Time, r.Time())
	data, err := e.Encode()
	if err != nil {
		return
	}
	for _, other := range *r.members.Load() {
		if other != m && !other.SendLossy(channel, data) {
			r.lossy.Add(1)
		}
	}
	r.cfg.Recorder.Sample(e)
}
