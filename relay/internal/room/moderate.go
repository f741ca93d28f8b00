package room

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"sightline/relay/internal/auth"
	"sightline/relay/internal/sfu"
	"sightline/relay/wire"
)

// Why somebody cannot come in, or nothing can be done about them.
var (
	ErrLocked  = errors.New("the room is locked: ask a moderator to open it")
	ErrFull    = errors.New("the room is full")
	ErrUnknown = errors.New("no such participant is in the room")
	ErrNoRoom  = errors.New("nobody is in this room")
	ErrNoKnock = errors.New("nobody of this ID waits to be let in")
)

// Asker is somebody who waits to be let in.
type Asker struct {
	wire.Participant
	Room    string    `json:"room"`
	Since   time.Time `json:"since"`
	Address string    `json:"address"`
}

// Fits returns why somebody cannot come in now, or nil.
func (r *Room) Fits(b Bearer) (err error) {
	r.ask(func() { err = r.fits(b) })
	return err
}

// fits lets back in who is in the room already, or was and lost the connection.
func (r *Room) fits(b Bearer) error {
	id := b.Who().ID
	others := 0
	for _, m := range *r.members.Load() {
		if m.Who().ID != id {
			others++
		}
	}
	_, here := r.online[id]
	switch {
	case r.cfg.Max > 0 && others >= r.cfg.Max:
		return fmt.Errorf("%w: %d may be in it at once", ErrFull, r.cfg.Max)
	case r.locked.Locked && !b.May(auth.Moderate) && !here && !r.lost[id]:
		return ErrLocked
	}
	return nil
}

// Lock lets nobody in any more but moderators and who was in the room and lost the connection; or lets everybody in
// again. by is who decided.
func (r *Room) Lock(on bool, by string) {
	r.ask(func() {
		if r.locked.Locked != on {
			r.write(wire.KindRoom, "", wire.Room{Locked: on, By: by})
		}
	})
}

// Mute says what of a participant is not passed on from now on, until it is said otherwise; also of tracks to come. It
// fails with ErrUnknown where there is no such participant.
func (r *Room) Mute(participant string, m wire.Muted) (who wire.Participant, err error) {
	r.ask(func() {
		member := r.member(participant)
		if member == nil {
			err = ErrUnknown
			return
		}
		who = member.Who()
		r.write(wire.KindMuted, participant, m)
		for _, u := range r.ups {
			if u.up.Participant == participant {
				u.up.Mute(r.mutes(u.up))
			}
		}
	})
	return who, err
}

// mutes says whether a track is muted.
func (r *Room) mutes(u *sfu.Up) bool {
	m := r.muted[u.Participant]
	return u.Kind == wire.Audio && m.Audio || u.Kind == wire.Video && m.Video
}

func (r *Room) member(id string) Member {
	for _, m := range *r.members.Load() {
		if m.Who().ID == id {
			return m
		}
	}
	return nil
}

// Has says whether one of those is here of whom it is to be so. It does not wait for the room.
func (r *Room) Has(these func(Member) bool) bool {
	return slices.ContainsFunc(*r.members.Load(), these)
}

// Remove sends away those of whom it is to be so, tells them why, and returns them; they have left when their
// connections have ended. these runs on the room's goroutine, where it may call Write.
func (r *Room) Remove(these func(Member) bool, why string) (gone []Member) {
	r.ask(func() {
		for _, m := range *r.members.Load() {
			if these(m) {
				gone = append(gone, m)
				m.Removed(why)
			}
		}
	})
	return gone
}
