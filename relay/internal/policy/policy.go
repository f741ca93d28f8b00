// Package policy says what holds in which room: who waits in the lobby, how many may be in it, and whether it is
// recorded. The operator writes it in the section "rooms" of the configuration file:
//
//	rooms:
//	  - match: visitors-*
//	    lobby: true
//	    max-participants: 4
//	    record: false
//	  - match: "*"
//	    consent: true
//	    keep: 2160h
package policy

import (
	"errors"
	"fmt"
	"path"
	"time"
)

// Room is what holds in the rooms that it matches. The zero Room is what holds where nothing is configured.
type Room struct {
	// Match is a pattern of room names: * stands for any letters, ? for one (path.Match).
	Match string `yaml:"match"`
	// Lobby lets guests in only when a moderator admits them. Staff and moderators walk in.
	Lobby bool `yaml:"lobby"`
	// Max is how many may be in the room at once; 0: any number.
	Max int `yaml:"max-participants"`
	// Record says whether the room is recorded; nil: it is.
	Record *bool `yaml:"record"`
	// Consent asks everybody for consent before anything of theirs is recorded.
	Consent bool `yaml:"consent"`
	// Keep is how long recordings are kept; then their contents are deleted. 0: for ever.
	Keep time.Duration `yaml:"keep"`
}

// Check returns an error that names what cannot be, or nil.
func (r *Room) Check() error {
	if r.Match == "" {
		return errors.New(`match is missing: a pattern of room names, "*" for all`)
	}
	if _, err := path.Match(r.Match, ""); err != nil {
		return fmt.Errorf("match %q is no pattern: want letters, digits, -, _, * and ?", r.Match)
	}
	if r.Keep < 0 {
		return fmt.Errorf("keep is %s: want a time like 2160h, or 0 for ever", r.Keep)
	}
	if r.Max < 0 {
		return fmt.Errorf("max-participants is %d: want a number above 0, or 0 for any number", r.Max)
	}
	return nil
}

// Recorded says whether the room is recorded.
func (r Room) Recorded() bool { return r.Record == nil || *r.Record }

// Rooms are the policies in the order of the file.
type Rooms []Room

// Of returns what holds in a room: the first entry that matches its name, and nothing of those after it.
func (all Rooms) Of(name string) Room {
	for _, r := range all {
		if ok, err := path.Match(r.Match, name); ok && err == nil {
			return r
		}
	}
	return Room{}
}
