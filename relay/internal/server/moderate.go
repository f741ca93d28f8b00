package server

import (
	"context"
	"fmt"
	"time"

	"sightline/relay/internal/audit"
	"sightline/relay/internal/auth"
	"sightline/relay/internal/invitation"
	"sightline/relay/internal/room"
	"sightline/relay/wire"
)

func about(e audit.Event, who wire.Participant, detail string) audit.Event {
	e.Participant, e.Name, e.Role, e.Detail = who.ID, who.Name, who.Role, detail
	return e
}

// Mute says what of a participant's is not passed on. It fails with room.ErrNoRoom or room.ErrUnknown.
func (s *Server) Mute(name, participant string, audio, video bool, by audit.Actor) error {
	o := s.rooms.get(name)
	if o == nil {
		return room.ErrNoRoom
	}
	who, err := o.Mute(participant, wire.Muted{Audio: audio, Video: video, By: by.Name})
	if err == nil {
		s.note(about(by.Event(audit.Muted, name), who, fmt.Sprintf("audio %s, video %s", either(audio, "muted", "on"), either(video, "muted", "on"))))
	}
	return err
}

// Remove sends a participant away. Whoever comes with the same invitation has to be admitted from then on.
func (s *Server) Remove(name, participant string, by audit.Actor) error {
	o := s.rooms.get(name)
	if o == nil {
		return room.ErrNoRoom
	}
	gone := o.Remove(func(m room.Member) bool {
		if m.Who().ID != participant {
			return false
		}
		// Before the connection ends, so that who comes right back is kept waiting.
		body := wire.Lobby{State: wire.LobbyRemoved, Name: m.Who().Name, Role: m.Who().Role, By: by.Name, Invitation: m.Grant().ID}
		o.Write(wire.KindLobby, participant, body)
		o.Write(wire.KindLobby, invitationRegister(m.Grant().ID), body)
		return true
	}, by.Name+" removed you from the room.")
	if len(gone) == 0 {
		return room.ErrUnknown
	}
	s.note(about(by.Event(audit.Removed, name), gone[0].Who(), ""))
	return nil
}

// Lock lets nobody in any more but moderators, or everybody again. A room's lock ends when everybody has left it.
func (s *Server) Lock(name string, on bool, by audit.Actor) error {
	o := s.rooms.get(name)
	if o == nil {
		return room.ErrNoRoom
	}
	o.Lock(on, by.Name)
	s.note(by.Event(either(on, audit.Locked, audit.Unlocked), name))
	return nil
}

// Answer lets somebody in who waits in the lobby, or does not. It fails with room.ErrNoKnock.
func (s *Server) Answer(name, participant string, admit bool, by audit.Actor) error {
	k := s.lobby.take(name, participant)
	if k == nil {
		return room.ErrNoKnock
	}
	state, what, answer := wire.LobbyRefused, audit.NotAdmitted, error(signalError{wire.CodeRemoved, refusedText})
	if admit {
		state, what, answer = wire.LobbyAdmitted, audit.Admitted, nil
	}
	s.reportLobby(k, state, by.Name) // before the answer: who may come in is looked up there
	k.answer <- answer
	s.note(about(by.Event(what, name), k.who, ""))
	return nil
}

// Withdraw ends an invitation, and the connections of those who use it. It fails with invitation.ErrUnknown.
func (s *Server) Withdraw(id string, by audit.Actor) (invitation.Invitation, error) {
	i, err := s.book.Withdraw(id, by.Name)
	if err == nil {
		s.note(audit.Event{What: audit.Withdrawn, Room: i.Room, Name: i.Name, Role: i.Role, Invitation: i.ID, Actor: by.Name, Address: by.Address, By: by.By})
		s.endWithdrawn()
	}
	return i, err
}

// What is told to who uses an invitation that holds no longer.
const (
	withdrawnText = "The invitation was withdrawn."
	noKeyText     = "The key that your invitation was signed with was removed: ask for a new invitation."
)

// endWithdrawn sends away those whose invitation was withdrawn, or its key removed, by this relay or by a command beside
// it. Who is in when his invitation expires stays.
func (s *Server) endWithdrawn() {
	ended, holds := s.book.Ended(), map[string]bool{} // by key
	why := func(g auth.Grant) string {
		if ended[g.ID] {
			return withdrawnText
		}
		if _, asked := holds[string(g.Key)]; !asked {
			holds[string(g.Key)] = s.auth.Holds(g.Key)
		}
		if !holds[string(g.Key)] {
			return noKeyText
		}
		return ""
	}
	for _, o := range s.rooms.all() {
		for _, text := range []string{withdrawnText, noKeyText} {
			if those := func(m room.Member) bool { return why(m.Grant()) == text }; o.Has(those) {
				o.Remove(those, text)
			}
		}
	}
	for _, k := range s.lobby.list("") {
		if text := why(k.grant); text != "" {
			if k := s.lobby.take(k.room, k.who.ID); k != nil {
				s.reportLobby(k, wire.LobbyRefused, "")
				k.answer <- signalError{wire.CodeRemoved, text}
			}
		}
	}
}

// tendEvery is how soon the relay sees what was done beside it.
const tendEvery = time.Second

// tend looks after what changes by itself, until the relay closes.
func (s *Server) tend() {
	t := time.NewTicker(tendEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-s.ctx.Done():
			return
		}
		s.endWithdrawn()
		s.forgetKnocks(s.cfg.Now())
		if s.cert != nil {
			s.cert.Renew()
		}
		if part, err := s.audit.Rotate(s.cfg.AuditBytes, 0); err != nil {
			s.log.Error("the audit log cannot be put aside", "error", err)
		} else if part != "" {
			s.log.Info("the audit log was put aside", "part", part)
		}
	}
}

// enter brings somebody into a room, as far as its policy and its lock let him. Every enter is followed by a leave.
func (s *Server) enter(ctx context.Context, b room.Bearer, name string) (*openRoom, error) {
	o, err := s.rooms.enter(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := o.Fits(b); err != nil {
		s.rooms.leave(name)
		return nil, err
	}
	return o, nil
}
